"""A device of any class for a guest that runs: its nodes, and a back end that somebody else serves.

Disks and vifs have more to them, see `attach`. As there, a failed attachment ends in a forced removal.
"""

from __future__ import annotations

from xenbus.errors import StoreTimeout
from xenvm.errors import DeviceError, DomainError
from xenvm.ops.attach import CHOOSE, device_nodes
from xenvm.ops.detach import guest_lock, remove
from xenvm.ops.plumb import back_end_ready
from xenvm.ops.signals import Shield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenvm.guest.nodes import Device
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import Domid

READY_SECONDS = 10.0
"""How long the back end may take to wait for the guest, as in libxl."""


def attach_device(
    host: Host, info: DomainInfo, kind: str, make: Callable[[int], Device], devid: int = CHOOSE, *, wait: bool = True
) -> Device:
    """Gives a running guest the device that `make` gives for a number, and returns it.

    With `wait` it returns when the back end waits for the guest. Whatever fails, nothing of it is left.
    """
    if info.shutdown or info.dying:
        raise DomainError(f"domain {info.domid} has gone down: it can have no new device")
    if kind == "9pfs":
        from xenvm.ops import folders

        folders.serve(host, make(max(devid, 0)))
    with guest_lock(host, info.domid, info.uuid):
        device = make(_next(host, info.domid, kind) if devid == CHOOSE else devid)
        host.store.transact(lambda tx: device_nodes(tx, device))
    try:
        if wait:
            _await_back_end(host, device)
    except BaseException as error:
        with Shield():
            for trouble in remove(host, info, device.kind, device.devid):
                error.add_note(trouble)
        raise
    return device


def _next(host: Host, domid: Domid, kind: str) -> int:
    """One more than the highest number; consoles have 0 always."""
    taken = host.store.list_or_empty(f"/libxl/{domid}/device/{kind}")
    return max((int(devid) for devid in taken if devid.isdecimal()), default=0 if kind == "console" else -1) + 1


def _await_back_end(host: Host, device: Device) -> None:
    name, path = f"{device.kind} {device.devid} of domain {device.domid}", f"{device.backend}/state"

    def ready(values: Mapping[str, bytes | None]) -> bool:
        if values[path] is None:
            raise DeviceError(name, "somebody removed it while it was attached")
        return back_end_ready(name, values[path])

    with host.store.follow([path]) as follower:
        try:
            follower.wait(ready, host.store.clock() + READY_SECONDS, name)
        except StoreTimeout:
            if follower.values[path] != b"1":
                raise
            raise DeviceError(name, f"nobody serves it: no program answers at {device.backend}") from None
