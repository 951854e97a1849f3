"""vcpu-list, vcpu-set, vcpu-pin."""

from __future__ import annotations

from xenvm.cli.run import open_host
from xenvm.ops import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import DomainInfo, VcpuInfo

    Row = tuple[DomainInfo, str | None, VcpuInfo]

HEADER = f"{'Name':<32} {'ID':>5} {'VCPU':>5} {'CPU':>5} {'State':>5} {'Time(s)':>9} Affinity (Hard / Soft)"


def vcpu_list(domains: tuple[str, ...], as_json: bool) -> None:
    """Lists vCPUs in xl's columns, or as JSON; of all domains if none is given."""
    with open_host() as host:
        infos = [names.find(host, who) for who in domains] if domains else host.hyper.domains()
        known = names.names(host, [info.domid for info in infos])
        rows = [(info, known[info.domid], vcpu) for info in infos for vcpu in host.hyper.vcpus(info.domid)]
        cpus = host.hyper.physinfo().nr_cpus
    if as_json:
        import json

        print(json.dumps({"version": 1, "vcpus": [_object(row) for row in rows]}, indent=2))
    else:
        print("\n".join([HEADER, *(_row(row, cpus) for row in rows)]))


def _row(row: Row, cpus: int) -> str:
    from xenvm.guest.cpus import format_cpus

    info, name, vcpu = row
    shown = ("(null)" if name is None else name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    letters = ("r" if vcpu.running else "-") + ("b" if vcpu.blocked else "-")
    where = f"{vcpu.cpu:5} {letters:>4}-" if vcpu.online else f"{'-':>5} {'--':>4}p"
    affinity = f"{format_cpus(vcpu.hard, cpus)} / {format_cpus(vcpu.soft, cpus)}"
    return f"{shown:<32} {info.domid:5} {vcpu.vcpu:5}{where} {vcpu.cpu_time / 1e9:9.1f}  {affinity}"


def _object(row: Row) -> dict[str, object]:
    info, name, vcpu = row
    return {
        "domid": info.domid,
        "name": name,
        "vcpu": vcpu.vcpu,
        "online": vcpu.online,
        "cpu": vcpu.cpu if vcpu.online else None,
        "running": vcpu.running,
        "blocked": vcpu.blocked,
        "cpu_time_ns": vcpu.cpu_time,
        "hard_affinity": sorted(vcpu.hard),
        "soft_affinity": sorted(vcpu.soft),
    }


def vcpu_set(domain: str, count: str, ignore_host: bool) -> None:
    """Changes how many vCPUs a guest has online."""
    from xenvm.ops.vcpus import set_online

    with open_host() as host:
        set_online(host, names.find_guest(host, domain), _number(count, "a number of vCPUs"), overcommit=ignore_host)


def vcpu_pin(domain: str, vcpu: str, hard: str, soft: str | None, force: bool, ignore_masks: bool) -> None:
    """Sets where one vCPU, or all of them, may run; `hard` within xl.conf's masks of CPUs, as in xl."""
    from xenvm.ops.vcpus import pin

    number = None if vcpu == "all" else _number(vcpu, "a vCPU")
    with open_host() as host:
        info = names.find(host, domain)
        cpus = host.hyper.physinfo().max_cpu_id + 1
        chosen = _cpus(hard, cpus)
        if chosen is not None and not ignore_masks:
            chosen = _masked(chosen)
        pin(host, info, number, chosen, _cpus(soft or "-", cpus), force=force)


def _masked(chosen: frozenset[int]) -> frozenset[int]:
    """Those of the CPUs that the host's xl.conf leaves to guests; ConfigError: none."""
    from xenvm.cli import run
    from xenvm.host.open import xl_conf

    path, data = xl_conf(run.chosen_host)
    if not data:
        return chosen
    from xenvm.errors import ConfigError
    from xenvm.guest.hostconf import parse_conf

    mask = parse_conf(data, path).cpus
    if mask is not None and not chosen & mask:
        raise ConfigError("`vm.cpumask' leaves none of these CPUs: -i ignores it", source=path)
    return chosen if mask is None else chosen & mask


def _cpus(text: str, host_cpus: int) -> frozenset[int] | None:
    """The CPUs of a list; None for ``-``, which leaves them as they are."""
    from xenvm.guest.cpus import parse_affinity

    if text == "-":
        return None
    chosen = parse_affinity(text, host_cpus)
    return frozenset(range(host_cpus)) if chosen is None else chosen


def _number(text: str, what: str) -> int:
    from xenbus.parse import parse_decimal
    from xenvm.errors import ConfigError

    number = parse_decimal(text, maximum=1 << 16)
    if number is None:
        raise ConfigError(f"`{text}' is not {what}", source="command line")
    return number
