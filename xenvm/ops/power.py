"""Pausing, and asking guests to go down: control/shutdown and the hypervisor's pause count.

Protocol: Xen's docs/misc/xenstore-paths.pandoc, ``~/control/shutdown``.
"""

from __future__ import annotations

from xenbus.errors import StoreTimeout
from xenbus.perm import Perm
from xenbus.request import Read, Resume, SetPerms, Write
from xenvm.errors import DomainError, UnsupportedError
from xenvm.ops.signals import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import Domid

TRIGGERS = {
    "poweroff": 0,
    "power": 0,
    "reboot": 1,
    "reset": 1,
    "crash": 3,
    "watchdog": 4,
    **dict.fromkeys(("nmi", "init", "sleep", "s3resume")),
}
"""What `trigger` takes: the shutdown code that it stands for, None for what only x86 has."""
SUSPENDED = 2
"""The shutdown code of a guest that has suspended."""
ACK_SECONDS = 60.0
"""How long a guest may take to acknowledge a request, as in libxl."""


def request(host: Host, guests: Sequence[DomainInfo], command: str, *, seconds: float = ACK_SECONDS) -> None:
    """Asks guests to ``poweroff`` or ``reboot``, all at once, and waits until their kernels have taken the request."""
    for info in guests:
        if info.shutdown or info.dying:
            raise DomainError(f"domain {info.domid} has already gone down")
    paths = {_request_path(info.domid): info.domid for info in guests}

    def deaf(values: Mapping[str, bytes | None]) -> list[Domid]:
        return [domid for path, domid in paths.items() if values[path] and not _is_down(host, domid)]

    host.store.transact(lambda tx: _commands(tx, [info.domid for info in guests], command))
    with host.store.follow(list(paths)) as follower:
        try:
            follower.wait(lambda values: not deaf(values), host.store.clock() + seconds, f"the {command} to be taken")
        except StoreTimeout as error:
            for domid in deaf(follower.values):
                error.add_note(f"domain {domid} does not listen on control/shutdown; `xenvm destroy {domid}` ends it")
            raise


def bring_down(
    host: Host, guests: Sequence[DomainInfo], command: str, *, gone: bool = False, seconds: float = ACK_SECONDS
) -> None:
    """The same, and waits until they are down, or `gone`; for one that does not listen the others are not left."""
    try:
        request(host, guests, command, seconds=seconds)
    except StoreTimeout:
        values = host.store.batch([Read(_request_path(info.domid)) for info in guests])
        listening = [info.domid for info, value in zip(guests, values, strict=True) if value != command.encode()]
        wait_down(host, listening, gone=gone)
        raise
    wait_down(host, [info.domid for info in guests], gone=gone)


def _request_path(domid: Domid) -> str:
    return f"/local/domain/{domid}/control/shutdown"


def _commands(tx: Transaction, domids: list[Domid], command: str) -> list[Request]:
    """Writes to those guests that are still there: nothing of one that has gone must come back. The node itself is the
    guest's, which may have removed it; then it is made again, for the guest."""
    reads = [Read(path) for domid in domids for path in (f"/local/domain/{domid}/name", _request_path(domid))]
    found = tx.batch(reads)
    requests: list[Request] = []
    for domid, name, value in zip(domids, found[0::2], found[1::2], strict=True):
        if isinstance(name, bytes):
            requests.append(Write(_request_path(domid), command))
            requests += [] if isinstance(value, bytes) else [SetPerms(_request_path(domid), [Perm(domid)])]
    return requests


def sysrq(host: Host, domid: Domid, key: str) -> None:
    """Sends a Magic SysRq key to a guest's kernel, which takes it or not: there is no answer."""
    from xenvm.ops import home

    if len(key) != 1 or not " " < key <= "~":
        raise DomainError(f"{key!r} is no SysRq key: one printable character")
    home.change(host, domid, lambda _: [Write(f"/local/domain/{domid}/control/sysrq", key)])


def trigger(host: Host, domid: Domid, name: str) -> None:
    """Stops a guest at once, for the reason that `name` stands for; what follows is what its configuration says.

    Its kernel is not asked: Xen on ARM can neither press its power button nor send it an NMI.
    """
    if name not in TRIGGERS:
        raise DomainError(f"{name!r} is no trigger: there are {', '.join(TRIGGERS)}")
    code = TRIGGERS[name]
    if code is None:
        raise UnsupportedError(f"the trigger {name} does not exist on ARM")
    host.hyper.shutdown(domid, code)


def suspend(host: Host, info: DomainInfo, *, seconds: float = ACK_SECONDS) -> None:
    """Asks a guest to suspend and waits until it has; a request that is not taken in time, or by ^C, is withdrawn."""
    path = _request_path(info.domid)
    try:
        request(host, [info], "suspend", seconds=seconds)
    except (StoreTimeout, KeyboardInterrupt):
        with Shield():
            host.store.transact(lambda tx: [Write(path, "")] if tx.read_or_none(path) == b"suspend" else [])
        raise
    try:
        wait_down(host, [info.domid], seconds=seconds)
    except StoreTimeout as error:
        error.add_note(f"domain {info.domid} took the request, but its kernel cannot suspend: it goes on running")
        raise
    now = host.hyper.domain(info.domid)
    if now is None or now.shutdown_code != SUSPENDED:
        raise DomainError(f"domain {info.domid} has gone down instead of suspending")


def resume(host: Host, info: DomainInfo) -> None:
    """Lets a suspended guest go on; DomainError if it is not suspended."""
    if not info.shutdown or info.dying or info.shutdown_code != SUSPENDED:
        raise DomainError(f"domain {info.domid} is not suspended")
    host.hyper.resume(info.domid)
    host.store.batch_checked([Resume(info.domid)])  # or the store would not tell of its next end


def wait_down(host: Host, domids: Iterable[Domid], *, seconds: float | None = None, gone: bool = False) -> None:
    """Waits until each domain has shut down, or is `gone`; for ever without `seconds`."""
    pending = list(domids)
    deadline = None if seconds is None else host.store.clock() + seconds
    with host.store.follow(["@releaseDomain"]) as follower:

        def all_down(_: Mapping[str, bytes | None]) -> bool:
            return all(_is_gone(host, domid) if gone else _is_down(host, domid) for domid in pending)

        follower.wait(all_down, deadline, "the guests to go down")


def _is_gone(host: Host, domid: Domid) -> bool:
    info = host.hyper.domain(domid)
    return info is None or info.dying


def _is_down(host: Host, domid: Domid) -> bool:
    info = host.hyper.domain(domid)
    return info is None or info.shutdown or info.dying
