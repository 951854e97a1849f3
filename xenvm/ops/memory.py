"""A guest's memory while it runs: the target of its balloon driver, and the limit that Xen enforces.

Protocol: Xen's docs/misc/xenstore-paths.pandoc, ``~/memory/target`` and ``static-max``, in KiB. Xen's limit follows
the target, so that a guest cannot take back what it was asked to give.
"""

from __future__ import annotations

from xenbus.parse import parse_decimal
from xenbus.request import Write
from xenvm.errors import DomainError, HostError
from xenvm.guest.blueprint import limit_for
from xenvm.ops import home, xlrecord
from xenvm.types import KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host


def set_target(host: Host, info: DomainInfo, target: KiB) -> None:
    """Asks a guest to grow or shrink to `target`; its balloon driver does it in its own time."""
    most = _numbers(host, info, "static-max")
    if not 1024 <= target <= most:
        asked = f"{target // 1024}" if target % 1024 == 0 else f"{target} KiB"
        raise DomainError(f"domain {info.domid} can have 1 to {most // 1024} MiB, not {asked}")
    _check_free(host, info, target)
    _change(host, info, target, lambda tx: _target(tx, info, target))
    xlrecord.resize(host, info, "target_memkb", target)


def set_limit(host: Host, info: DomainInfo, limit: KiB) -> None:
    """Sets the most memory that a guest may have, and may be asked to have; not less than its target."""
    target = _numbers(host, info, "target")
    if limit < target:
        raise DomainError(
            f"domain {info.domid} cannot be limited to {limit // 1024} MiB: its target is {target // 1024} MiB"
        )
    total = host.hyper.physinfo().total_pages * 4
    if limit > total:  # A restart would make it anew with so much, and fail.
        raise HostError(f"domain {info.domid} cannot have {limit // 1024} MiB: this host has {total // 1024} MiB")
    node = Write(f"/local/domain/{info.domid}/memory/static-max", str(limit))
    _change(host, info, limit, lambda _: [node])
    xlrecord.resize(host, info, "max_memkb", limit)


def _numbers(host: Host, info: DomainInfo, key: str) -> KiB:
    """One of the guest's numbers, which only the toolstack writes."""
    number = parse_decimal(host.store.read_or_none(f"/local/domain/{info.domid}/memory/{key}"))
    if number is None:
        raise DomainError(f"domain {info.domid} has no memory/{key} in the store: it cannot be ballooned")
    return KiB(number)


def _check_free(host: Host, info: DomainInfo, target: KiB) -> None:
    more, free = target - info.tot_pages * 4, host.hyper.physinfo().free_kib
    if more > free:
        raise HostError(f"domain {info.domid} needs {more // 1024} MiB more, {free // 1024} MiB are free on this host")


def _change(host: Host, info: DomainInfo, size: KiB, requests: Callable[[Transaction], list[Request]]) -> None:
    """Sets Xen's limit and writes the nodes; the limit as before if that fails."""
    host.hyper.set_max_mem(info.domid, limit_for(size))
    try:
        home.change(host, info.domid, requests)
    except BaseException:
        host.hyper.set_max_mem(info.domid, KiB(info.max_pages * 4))
        raise


def _target(tx: Transaction, info: DomainInfo, target: KiB) -> list[Request]:
    top = f"/local/domain/{info.domid}"
    vm = (tx.read_or_none(f"{top}/vm") or b"").decode("ascii", "replace")
    requests: list[Request] = [Write(f"{top}/memory/target", str(target))]
    if vm.startswith("/vm/") and tx.read_or_none(vm) is not None:
        requests.append(Write(f"{vm}/memory", str(target // 1024)))
    return requests
