"""The end of a domain: its devices, its nodes, its memory. Also what every failed creation converges to.

Idempotent: whatever part of the domain is missing already is passed over.
"""

from __future__ import annotations

import errno

from xenbus.errors import StoreTimeout
from xenbus.frugal import Deferred
from xenbus.operations import checked
from xenbus.request import Discard, List, Read, Write
from xenvm.errors import HypercallError, XenvmError
from xenvm.ops.close import await_closed, discard_empty, empty, farewells, state_path
from xenvm.ops.records import CONSOLES, belongings, known
from xenvm.ops.unplumb import unplumb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xenbus.request import Request
    from xenvm.host.open import Host
    from xenvm.ops import backends
    from xenvm.ops.records import Record
    from xenvm.types import Domid
else:
    backends = Deferred("xenvm.ops.backends")  # for guests that other domains serve

CLOSE_SECONDS = 10.0
"""How long a back end may take to close, as in libxl."""
START_SECONDS = 1.0
"""How long one may take that was only about to start."""
GONE_SECONDS = 10.0
"""How long other daemons may hold pages of a dead domain before it is called a zombie."""
ENDING = "ending"
"""The node below the domain's records that says who has begun to remove it: what is left of it now is to go."""
_LOOK_SECONDS = 0.02
_OWN_KINDS = {f"/local/domain/0/backend/{kind}" for kind in ("console", "vbd", "vif", "vuart")}
"""Where this domain's back ends for guests are."""


def end_for_good(host: Host, domid: Domid, uuid: str) -> list[str]:
    """What a user asks for: `destroy`, and a guest that is just being made again is not."""
    if uuid in host.plumbing.watching.notes():
        from xenvm.ops import restarts

        restarts.cancel(host, uuid)
    return destroy(host, domid, uuid)


def destroy(host: Host, domid: Domid, uuid: str) -> list[str]:
    """Ends a domain and removes all that belongs to it; returns sentences about what would not go."""
    troubles: list[str] = []
    try:
        host.hyper.pause(domid)
    except HypercallError:
        pass  # It would only keep the guest from looking on.
    found = belongings(host, domid)
    vm = _vm_path(host, domid, uuid, found.vm)
    _noting(troubles, host.plumbing.domids.remember, domid)
    closing = [device for device in found.devices if device.kind not in CONSOLES and _can_close(host, device)]
    # From here on it is to go, even if this process does not live to see it.
    mark = [Write(f"/libxl/{domid}/{ENDING}", host.plumbing.locks.claim())] if found.devices or found.vm else []
    nodes = [Discard(path) for path in (f"/local/domain/{domid}", vm) if path]
    _close_back_ends(host, closing, mark, nodes, troubles)
    _remove_back_ends(host, domid, found.devices)
    _noting(troubles, host.plumbing.userdata.UserData(domid, uuid).delete_all)
    _give_back(host, domid)
    try:
        gone = _gone(host, domid)
    finally:
        _remove_last(host, domid)
    if not gone:
        troubles.append(f"domain {domid} is dead, but some of its pages are still held by another domain")
    return troubles


def _can_close(host: Host, device: Record) -> bool:
    """Whether there is a back end, in a domain that can do something."""
    if not device.state or not device.backend_domid:
        return bool(device.state)
    return not backends.failing(host, device.backend_domid)


def _remove_last(host: Host, domid: Domid) -> None:
    """The last nodes, once the domain is gone.

    A console daemon that was just setting up its consoles has written of them meanwhile; now it is done with them: it
    maps a page before it writes, so a domain that has vanished has nobody who writes of it. The records go last: as
    long as they are there, and nothing else is, whoever finds the domain knows that it was to go.
    """
    host.store.batch_checked([Discard(f"/local/domain/{domid}"), Discard(f"/libxl/{domid}")])


def _give_back(host: Host, domid: Domid) -> None:
    """Returns the domain's memory to Xen. Last, as it keeps a processor, and then xenstored, busy."""
    try:
        host.hyper.destroy(domid)
    except HypercallError as error:
        if error.errno != errno.ESRCH:
            raise


def _gone(host: Host, domid: Domid) -> bool:
    """Whether the domain has vanished. That the last daemon let go of its pages is told by no event."""

    def vanished(_: object) -> bool:
        return host.hyper.domain(domid) is None

    if vanished(None):
        return True
    deadline = host.store.clock() + GONE_SECONDS
    with host.store.follow(["@releaseDomain"]) as death:
        try:
            return death.wait(vanished, deadline, f"domain {domid} to go", every=_LOOK_SECONDS)
        except StoreTimeout:
            return False


def _noting(troubles: list[str], step: Callable[..., object], *arguments: object) -> None:
    """Does a step that the others do not depend on."""
    try:
        step(*arguments)
    except (XenvmError, OSError) as error:
        troubles.append(str(error))


def _vm_path(host: Host, domid: Domid, uuid: str, recorded: str) -> str | None:
    """The domain's /vm directory; None where a successor with the same uuid has taken it over."""
    named, _, own = recorded.rpartition("/")
    if named == "/vm" and len(own) == len(uuid) and own != uuid:
        return recorded
    vm = f"/vm/{uuid}"
    others = [info.domid for info in host.hyper.domains() if info.domid != domid and info.uuid == uuid]
    used = map(known, host.store.batch([Read(f"/local/domain/{other}/vm") for other in others])) if others else ()
    # A predecessor that was set aside under another name has another; one that is just being made has none yet.
    return None if any(not isinstance(path, bytes) or path == vm.encode() for path in used) else vm


def _close_back_ends(
    host: Host, closing: Sequence[Record], first: Sequence[Request], then: Sequence[Request], troubles: list[str]
) -> None:
    """Has the back ends close and takes each apart; what they do not need, `then`, goes meanwhile.

    A driver that has not started yet may pass over a device that is Closing, and say nothing more: not much is waited
    for those.
    """
    if closing:
        host.store.transact([*first, *farewells(closing)], checked=False)
        first = ()
    began = host.store.clock()
    with host.store.follow(map(state_path, closing)) as follower:
        host.store.batch_checked([*first, *then])
        for device in closing:
            if device.state == "1":
                await_closed(host, follower, device, began + START_SECONDS)
            elif trouble := await_closed(host, follower, device, began + CLOSE_SECONDS):
                troubles += trouble
            elif device.backend_domid:
                troubles += _uncleared(host, device, began + CLOSE_SECONDS)
            _noting(troubles, unplumb, host, device)


def _uncleared(host: Host, device: Record, began: float) -> list[str]:
    """Waits for the driver domain to take the device apart; however many there are, for no longer than for one."""
    trouble = backends.await_cleared(host, device, began)
    return [trouble] if trouble else []


def _remove_back_ends(host: Host, domid: Domid, devices: Sequence[Record]) -> None:
    """What is left of the back ends, and the directories that are empty without them.

    Back ends in this domain go even if a creation that was cut short, or somebody's hand, left no record of them.
    Each domain's part goes before the directories above it: the kernel takes no notice when those go as a whole.
    """
    kinds = sorted({device.backend.rpartition(f"/{domid}/")[0] for device in devices} | _OWN_KINDS)
    parents = sorted({kind.rpartition("/")[0] for kind in kinds})
    # Of a driver domain that has gone meanwhile, what we wrote last may be all that there is.
    homes = [parent.rpartition("/")[0] for parent in parents if not parent.startswith("/local/domain/0/")]
    paths = [*kinds, *parents, *homes]
    own = [f"{kind}/{domid}" for kind in kinds]
    replies = host.store.batch([*map(Discard, own), *map(List, paths)])
    checked(replies[: len(own)])
    if empty(paths, replies[len(own) :]):
        host.store.transact(lambda tx: discard_empty(tx, paths))
