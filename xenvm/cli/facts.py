"""vm-list, uptime, claims, dmesg, debug-keys, cpupool-list, and `list -l`: what else xl tells of domains and Xen."""

from __future__ import annotations

import sys

from xenbus.request import Read
from xenvm.cli.domains import padded
from xenvm.cli.run import open_host
from xenvm.ops import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import Domid


def _json(what: str, found: object) -> None:
    import json

    print(json.dumps({"version": 1, what: found}, indent=2))


def print_long(host: Host, found: Sequence[DomainInfo], known: dict[Domid, str | None]) -> None:
    """Prints the configurations as xl does: an array of ``domid`` and ``config``, of guests that have a record."""
    import json

    shown = []
    for info in found:
        record = host.plumbing.userdata.UserData(info.domid, info.uuid).read_config()
        if record is None:
            continue
        try:
            config = json.loads(record)
        except ValueError:
            print(f"xenvm: the record of domain {info.domid} is damaged: it is left out", file=sys.stderr)
            continue
        if isinstance(config, dict) and isinstance(config.get("c_info"), dict):
            config["c_info"]["name"] = known[info.domid]  # as it is now: the record knows nothing of a `rename`
        shown.append({"domid": info.domid, "config": config})
    print(json.dumps(shown, indent=4))


def vm_list(as_json: bool) -> None:
    """Lists uuids, domids and names."""
    with open_host() as host:
        found, known = names.listed(host)
    if as_json:
        _json("domains", [{"uuid": info.uuid, "domid": info.domid, "name": known[info.domid]} for info in found])
        return
    rows = [f"{info.uuid}  {info.domid}    {padded(known[info.domid], 30)}" for info in found]
    print("\n".join(["UUID                                  ID    name", *rows]))


def claims(as_json: bool) -> None:
    """Lists domains with the MiB that are claimed for them."""
    from xenvm.cli.domains import HEADER, row

    with open_host() as host:
        found, known = names.listed(host)
    if as_json:
        _json(
            "domains",
            [{"domid": i.domid, "name": known[i.domid], "claimed_kib": i.outstanding_pages * 4} for i in found],
        )
        return
    lines = [f"{row(info, known[info.domid], False)} {info.outstanding_pages // 256:5}" for info in found]
    print("\n".join([f"{HEADER}  Claimed", *lines]))


def uptime(domains: tuple[str, ...], short: bool, as_json: bool) -> None:
    """Shows for how long domains have run, by what the toolstack noted when it created them."""
    from time import localtime, strftime, time

    with open_host() as host:
        infos = [names.find(host, who) for who in domains] if domains else host.hyper.domains()
        known = names.names(host, [info.domid for info in infos])
        now = time()
        ages = _ages(host, [info.domid for info in infos], int(host.date()))
    if as_json:
        rows = [{"domid": domid, "name": known[domid], "uptime_seconds": age} for domid, age in ages]
        _json("domains", rows)
    elif short:
        clock = strftime("%H:%M:%S", localtime(now))
        for domid, age in ages:
            print(f" {clock} up {duration(age, seconds=False)}, {padded(known[domid], 0)} ({domid})")
    else:
        rows_ = [f"{padded(known[domid], 33)} {domid:4} {duration(age)}" for domid, age in ages]
        print("\n".join([f"{'Name':<33} {'ID':>4} Uptime", *rows_]))


def _ages(host: Host, domids: Sequence[Domid], now: int) -> list[tuple[Domid, int]]:
    """Seconds, of those domains of which they are known."""
    vms = host.store.batch([Read(f"/local/domain/{domid}/vm") for domid in domids])
    paths = [vm.decode("ascii", "replace") if isinstance(vm, bytes) and vm.startswith(b"/vm/") else "/vm" for vm in vms]
    starts = host.store.batch([Read(f"{path}/start_time") for path in paths])
    found = []
    for domid, start in zip(domids, starts, strict=True):
        seconds = start.partition(b".")[0] if isinstance(start, bytes) else b""
        if domid == 0:
            found.append((domid, _own_age()))
        elif seconds.isdigit() and len(seconds) < 12:
            found.append((domid, max(now - int(seconds), 0)))
    return found


def _own_age() -> int:
    with open("/proc/uptime", "rb") as file:
        return int(file.read(64).partition(b".")[0])


def duration(age: int, *, seconds: bool = True) -> str:
    """Seconds as xl writes them: ``2 days,  1:02:03``."""
    days, rest = divmod(age, 86400)
    text = f"{rest // 3600:2}:{rest // 60 % 60:02}" + (f":{rest % 60:02}" if seconds else "")
    return f"{days} day{'s' if days > 1 else ''}, {text}" if days else text


def dmesg(clear: bool) -> None:
    """Prints Xen's log, byte for byte."""
    with open_host() as host:
        log = host.hyper.console_ring(clear=clear)
    sys.stdout.write(log.replace(b"\0", b"").decode("utf-8", "replace"))


def debug_keys(keys: str) -> None:
    """Sends debug keys to Xen."""
    with open_host() as host:
        host.hyper.debug_keys(keys.encode("utf-8", "surrogateescape"))


def cpupool_list(pool: str | None, cpus: bool, as_json: bool) -> None:
    """Lists cpupools."""
    from xenvm.ops.cpupools import names as pool_names

    with open_host() as host:
        pools = host.hyper.cpupools()
        known = pool_names(host, pools)
        wanted = [number for number in sorted(pools) if pool is None or known[number] == pool]
        if not wanted:
            from xenvm.errors import DomainError

            raise DomainError(f"Pool '{pool}' does not exist")
        members = [info.cpupool for info in host.hyper.domains()]
        rows = [(number, host.hyper.pool_scheduler(number), members.count(number)) for number in wanted]
    if as_json:
        keys = ("cpupool", "scheduler", "domains")
        _json(
            "cpupools",
            [
                dict(zip(keys, row, strict=True)) | {"name": known[row[0]], "cpus": sorted(pools[row[0]])}
                for row in rows
            ],
        )
        return
    print(f"{'Name':<19}" + ("CPU list" if cpus else "CPUs   Sched     Active   Domain count"))
    for number, scheduler, count in rows:
        own = sorted(pools[number])
        facts = ",".join(map(str, own)) if cpus else f"{len(own):3} {scheduler:>9}       y       {count:4}"
        print(f"{padded(known[number], 19)}{facts}")
