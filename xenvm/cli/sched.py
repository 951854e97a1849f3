"""sched-credit, sched-credit2, sched-rtds: what schedulers know of domains and cpupools, in xl's columns."""

from __future__ import annotations

from xenvm.cli.domains import padded
from xenvm.cli.run import open_host
from xenvm.errors import ConfigError
from xenvm.host.hyper import Scheduling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.host.pools import SchedulerParameters
    from xenvm.types import Domid

    Entry = tuple[DomainInfo, int | None, Scheduling]
    """A domain, the number of a vCPU if it is of one, and the parameters."""

_HEADER = f"{'Name':<33} {'ID':>4} {'Weight':>6} {'Cap':>4}"
_RTDS = f"{'Name':<33} {'ID':>4} {'Period':>9} {'Budget':>9} {'Extratime':>10}"
_VCPUS = f"{'Name':<33} {'ID':>4} {'VCPU':>4} {'Period':>9} {'Budget':>9} {'Extratime':>10}"


def credit(
    domain: str | None,
    weight: str | None,
    cap: str | None,
    schedparam: bool,
    tslice: str | None,
    ratelimit: str | None,
    delay: str | None,
    pool: str | None,
    as_json: bool,
) -> None:
    """Shows or sets credit's parameters: of a domain, of a cpupool's domains, or, with -s, of the whole cpupool."""
    wanted = _numbers(tslice=tslice, ratelimit=ratelimit, migration_delay=delay)
    _credit("credit", domain, _numbers(weight=weight, cap=cap), schedparam, wanted, pool, as_json)


def credit2(
    domain: str | None,
    weight: str | None,
    cap: str | None,
    schedparam: bool,
    ratelimit: str | None,
    pool: str | None,
    as_json: bool,
) -> None:
    """The same of credit2."""
    _credit(
        "credit2", domain, _numbers(weight=weight, cap=cap), schedparam, _numbers(ratelimit=ratelimit), pool, as_json
    )


def _credit(
    scheduler: str,
    domain: str | None,
    changes: dict[str, int],
    schedparam: bool,
    parameters: dict[str, int],
    pool: str | None,
    as_json: bool,
) -> None:
    if pool is not None and (domain is not None or changes):
        raise _wrong("Specifying a cpupool is not allowed with other options.")
    if domain is None and changes:
        raise _wrong("Must specify a domain.")
    with open_host() as host:
        if schedparam:
            _of_pool(host, scheduler, pool, parameters, as_json)
        elif domain is None:
            _pools(host, scheduler, pool, as_json, vcpus=False)
        elif changes:
            _change(host, domain, scheduler, changes)
        else:
            _one(host, domain, scheduler, as_json)


def rtds(
    domain: str | None,
    vcpus: tuple[str, ...],
    periods: tuple[str, ...],
    budgets: tuple[str, ...],
    extratimes: tuple[str, ...],
    pool: str | None,
    as_json: bool,
) -> None:
    """Shows or sets rtds' parameters: of a domain, of its vCPUs (-v N, several times, or -v all), or of all domains;
    the n-th -p, -b and -e are those of the n-th -v."""
    from xenvm.ops import names, scheduling

    numbers = [None if vcpu == "all" else _numbers(vcpu=vcpu)["vcpu"] for vcpu in vcpus]
    changes = _for_each(numbers, periods, budgets, extratimes)
    if domain is None and (changes or any(number is not None for number in numbers)):
        raise _wrong("Missing parameters.")
    if changes and not numbers:
        raise _wrong("Must specify VCPU.")
    if None in numbers and len(numbers) > 1:
        raise _wrong("Incorrect VCPU IDs.")
    with open_host() as host:
        if domain is None:
            _pools(host, "rtds", pool, as_json, vcpus=bool(vcpus))
        elif changes:
            scheduling.change_vcpus(host, names.find(host, domain), list(zip(numbers, changes, strict=True)))
        elif not numbers:
            _one(host, domain, "rtds", as_json)
        else:
            info = names.find(host, domain)
            _print(_VCPUS, as_json)
            found = [pair for number in numbers for pair in scheduling.of_vcpus(host, info, number)]
            _rows(host, [(info, each, of) for each, of in found], as_json)


def _for_each(vcpus: list[int | None], *texts: tuple[str, ...]) -> list[Scheduling]:
    """What is to be set for each vCPU: periods, budgets and extra times, each for all of them or for none."""
    if not any(texts):
        return []
    if any(given and len(given) != max(len(vcpus), 1) for given in texts):
        raise _wrong("Incorrect number of period, budget and extratime")
    keys = ("period", "budget", "extratime")
    rows = [_numbers(**{key: given[at] for key, given in zip(keys, texts, strict=True) if given})
            for at in range(max(len(vcpus), 1))]  # fmt: skip
    return [Scheduling(period=row.get("period"), budget=row.get("budget"),
                       extratime=bool(row["extratime"]) if "extratime" in row else None) for row in rows]  # fmt: skip


def _change(host: Host, domain: str, scheduler: str, changes: dict[str, int]) -> None:
    from xenvm.ops import names, scheduling

    scheduling.change(host, names.find(host, domain), scheduler, Scheduling(changes.get("weight"), changes.get("cap")))


def _one(host: Host, domain: str, scheduler: str, as_json: bool) -> None:
    from xenvm.ops import names, scheduling

    info = names.find(host, domain)
    _print(_RTDS if scheduler == "rtds" else _HEADER, as_json)
    _rows(host, [(info, None, scheduling.of_domain(host, info, scheduler))], as_json)


def _of_pool(host: Host, scheduler: str, who: str | None, changes: dict[str, int], as_json: bool) -> None:
    """What holds for a whole cpupool; the one with the number 0 unless another is named."""
    from xenvm.host.pools import SchedulerParameters
    from xenvm.ops import cpupools

    number = 0 if who is None else cpupools.find(host, who)
    name = cpupools.names(host, [number])[number]
    found = host.hyper.pool_scheduler(number)
    if changes:
        if found != scheduler:
            raise ConfigError(f"the cpupool {name} has the scheduler {found}, not {scheduler}", source="command line")
        host.hyper.pools.set_parameters(number, SchedulerParameters(**changes))
    elif as_json:
        _json([_pool_object(host, number, name, found, [])])
    else:
        print(_pool_line(name, scheduler, host.hyper.pools.parameters(number) if found == scheduler else None))


def _pools(host: Host, scheduler: str, who: str | None, as_json: bool, *, vcpus: bool) -> None:
    """All cpupools with this scheduler, or one if it has it, each with its domains."""
    from xenvm.ops import cpupools, scheduling

    pools = sorted(host.hyper.cpupools()) if who is None else [cpupools.find(host, who)]
    found, known, infos = [], cpupools.names(host, pools), host.hyper.domains()
    for number in pools:
        if host.hyper.pool_scheduler(number) != scheduler:
            continue
        members = [info for info in infos if info.cpupool == number]
        entries: list[Entry] = [(info, None, host.hyper.scheduling(info.domid)) for info in members]
        if vcpus:
            entries = [(info, vcpu, of) for info in members for vcpu, of in scheduling.of_vcpus(host, info, None)]
        if as_json:
            found.append(_pool_object(host, number, known[number], scheduler, entries))
            continue
        print(_pool_line(known[number], scheduler, host.hyper.pools.parameters(number)))
        print(_VCPUS if vcpus else _RTDS if scheduler == "rtds" else _HEADER)
        _rows(host, entries, as_json)
    if as_json:
        _json(found)


def _pool_line(name: str, scheduler: str, found: SchedulerParameters | None) -> str:
    if found is None:
        return f"Cpupool {name}: [sched params unavailable]"
    if scheduler == "rtds":
        return f"Cpupool {name}: sched=RTDS"
    words = [f"tslice={found.tslice}ms"] if found.tslice is not None else []
    words.append(f"ratelimit={found.ratelimit}us")
    words += [f"migration-delay={found.migration_delay}us"] if found.migration_delay is not None else []
    return f"Cpupool {name}: {' '.join(words)}"


def _rows(host: Host, entries: list[Entry], as_json: bool) -> None:
    """Prints domains, or as JSON an object of those alone."""
    if as_json:
        import json

        print(json.dumps({"version": 1, "domains": _objects(host, entries)}, indent=2))
        return
    known = _names(host, entries)
    for info, vcpu, found in entries:
        row = f"{padded(known[info.domid], 33)} {info.domid:4}"
        if found.weight is not None:
            row += f" {found.weight:6} {found.cap:4}"
        else:
            row += "" if vcpu is None else f" {vcpu:4}"
            row += f" {found.period or 0:9} {found.budget or 0:9} {'yes' if found.extratime else 'no':>10}"
        print(row)


def _names(host: Host, entries: list[Entry]) -> dict[Domid, str | None]:
    from xenvm.ops import names

    return names.names(host, {info.domid for info, _, _ in entries})


def _print(header: str, as_json: bool) -> None:
    if not as_json:
        print(header)


def _pool_object(host: Host, number: int, name: str, scheduler: str, entries: list[Entry]) -> dict[str, object]:
    found = host.hyper.pools.parameters(number)
    return {
        "cpupool": number,
        "name": name,
        "scheduler": scheduler,
        "tslice_ms": found.tslice,
        "ratelimit_us": found.ratelimit,
        "migration_delay_us": found.migration_delay,
        "domains": _objects(host, entries),
    }


def _objects(host: Host, entries: list[Entry]) -> list[dict[str, object]]:
    known = _names(host, entries)
    return [
        {"domid": info.domid, "name": known[info.domid], **({} if vcpu is None else {"vcpu": vcpu}), **_given(of)}
        for info, vcpu, of in entries
    ]


def _given(found: Scheduling) -> dict[str, object]:
    units = {"period": "period_us", "budget": "budget_us"}
    return {units.get(key, key): value for key, value in found.as_dict().items() if value is not None}


def _json(pools: list[dict[str, object]]) -> None:
    import json

    print(json.dumps({"version": 1, "cpupools": pools}, indent=2))


def _numbers(**texts: str | None) -> dict[str, int]:
    """Those that are given, as numbers."""
    from xenbus.parse import parse_decimal

    found = {}
    for key, text in texts.items():
        if text is not None:
            number = parse_decimal(text, maximum=(1 << 32) - 1)
            if number is None:
                raise ConfigError(f"`{text}' is not a number for `{key}'", source="command line")
            found[key] = number
    return found


def _wrong(reason: str) -> ConfigError:
    return ConfigError(reason, source="command line")
