"""list, domid, domname, rename: which domains there are."""

from __future__ import annotations

from xenvm.cli.run import open_host
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.ops import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xenvm.host.hyper import DomainInfo

HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
_REASON_LETTERS = "-rscwS"


def list_domains(
    domain: str | None, long: bool, verbose: bool, context: bool, cpupool: bool, numa: bool, as_json: bool
) -> None:
    """Lists domains in xl's columns, or as JSON."""
    pools: dict[int, str] = {}
    labels: dict[int, str] = {}
    with open_host() as host:
        found, known = names.listed(host, domain)
        if verbose or context:
            from xenvm.ops.admin import labels as known_labels

            labels = known_labels(host, found)
        if cpupool:
            from xenvm.ops.cpupools import names as pool_names

            pools = pool_names(host, {info.cpupool for info in found})
        if long:
            from xenvm.cli.facts import print_long

            print_long(host, found, known)
            return
    named = [known[info.domid] for info in found]
    print_domains(found, named, verbose, context, cpupool, as_json, pools=pools, numa=numa, labels=labels)


def print_domains(
    found: Sequence[DomainInfo],
    named: Sequence[str | None],
    verbose: bool,
    context: bool,
    cpupool: bool,
    as_json: bool,
    *,
    pools: Mapping[int, str] | None = None,
    numa: bool = False,
    labels: Mapping[int, str] | None = None,
) -> None:
    """Prints the table of domains, each with its name; `pools` are the names of cpupools by their numbers, `labels`
    the security labels likewise."""
    pairs = list(zip(found, named, strict=True))
    if as_json:
        import json

        print(json.dumps({"version": 1, "domains": [_object(info, name) for info, name in pairs]}, indent=2))
        return
    extra = "   UUID                            Reason-Code\tSecurity Label" if verbose else ""
    extra += "   Security Label" if context and not verbose else ""
    lines = [HEADER + extra + ("         Cpupool" if cpupool else "") + (" NODE Affinity" if numa else "")]
    for info, name in pairs:
        pool = (pools or {}).get(info.cpupool, f"Pool-{info.cpupool}")
        # On ARM Xen has one node, which all domains may use.
        label = (labels or {}).get(info.ssidref, "-") if verbose or context else None
        lines.append(row(info, name, verbose, label, pool if cpupool else None) + (" all" if numa else ""))
    print("\n".join(lines))


def row(info: DomainInfo, name: str | None, verbose: bool, label: str | None = None, pool: str | None = None) -> str:
    """A row of xl's list; with the security label and the name of the cpupool, if they are given."""
    mib = (info.tot_pages + info.outstanding_pages) // 256
    text = f"{padded(name, 40)} {info.domid:5} {mib:5} {info.nr_online_vcpus:5}"
    text += f"     {state_letters(info)}  {info.cpu_time / 1e9:8.1f}"
    if verbose:
        reason = f"{info.shutdown_code:8x}" if info.shutdown and info.shutdown_code is not None else f"{'-':>8}"
        text += f" {info.uuid} {reason}"
    if label is not None:
        text += f" {shown(label):>16}"
    return text if pool is None else text + " " * (16 - len(pool.encode())) + shown(pool)


def padded(name: str | None, width: int) -> str:
    """A name as C pads it, by its bytes."""
    text = "(null)" if name is None else shown(name)
    return text + " " * (width - len(text.encode()))


def shown(name: str) -> str:
    """A name that every terminal's encoding has: what is no UTF-8 is replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def state_letters(info: DomainInfo) -> str:
    """xl's six letters: running, blocked, paused, shut down, why, dying; a dash where it is not."""
    letters = "".join(
        letter if on else "-"
        for letter, on in (
            ("r", info.running),
            ("b", info.blocked),
            ("p", info.paused),
            ("s", info.shutdown),
        )
    )
    code = info.shutdown_code
    reason = "-"
    if info.shutdown and code is not None:
        reason = _REASON_LETTERS[code] if code < len(_REASON_LETTERS) else "?"
    return letters + reason + ("d" if info.dying else "-")


def _object(info: DomainInfo, name: str | None) -> dict[str, object]:
    code = info.shutdown_code
    reason = None
    if info.shutdown and code is not None:
        reason = SHUTDOWN_REASONS[code] if code < len(SHUTDOWN_REASONS) else code
    return {
        "domid": info.domid,
        "name": name,
        "uuid": info.uuid,
        "state": [word for word in ("running", "blocked", "paused", "shutdown", "dying") if getattr(info, word)],
        "shutdown_reason": reason,
        "memory_kib": info.tot_pages * 4,
        "max_memory_kib": info.max_pages * 4,
        "vcpus_online": info.nr_online_vcpus,
        "vcpus_max": info.max_vcpu_id + 1,
        "cpu_time_ns": info.cpu_time,
        "cpupool": info.cpupool,
    }


def live_names() -> Iterable[str]:
    """Names for the shell's completion, without a word about the host."""
    from xenvm.cli.run import chosen_host
    from xenvm.host.open import open_host as open_quietly

    try:
        with open_quietly(chosen_host) as host:
            found = names.names(host, [info.domid for info in host.hyper.domains()])
            return [name for name in found.values() if name]
    except Exception:  # A completion that fails is one that offers nothing.
        return []


def domid(domain: str) -> None:
    """Prints the domid of a name."""
    with open_host() as host:
        print(names.find(host, domain).domid)


def domname(domain: str) -> int:
    """Prints the name of a domid."""
    from xenvm.errors import DomainError, NoSuchDomain

    if not (domain.isascii() and domain.isdecimal()):
        raise DomainError(f"{domain!r} is not a domid")
    with open_host() as host:
        info = names.find(host, domain)
        name = names.names(host, [info.domid])[info.domid]
    if name is None:
        raise NoSuchDomain(domain)
    print(shown(name))
    return 0


def rename(domain: str, new_name: str) -> None:
    """Gives a domain another name."""
    with open_host() as host:
        names.rename(host, domain, new_name)
