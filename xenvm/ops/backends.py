"""Back ends in other domains: driver domains, found by name, and what is waited for of them.

The toolstack makes the nodes and waits for the states; what is to be plugged in there does that domain's devd
(xenvm.ops.devd, or libxl's).
"""

from __future__ import annotations

from xenbus.errors import StoreTimeout
from xenvm.errors import DeviceError, NoSuchDomain
from xenvm.ops.names import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    from xenvm.guest.nodes import Device
    from xenvm.guest.spec import DiskSpec, GuestSpec, NicSpec, VirtioSpec
    from xenvm.host.open import Host
    from xenvm.ops.records import Record
    from xenvm.types import Domid

    Served = TypeVar("Served", DiskSpec, NicSpec, VirtioSpec)

CLEAR_SECONDS = 10.0
"""How long devd may take to take a closed device apart and to remove its back end, as in libxl."""


def with_domids(host: Host, spec: GuestSpec) -> GuestSpec:
    """The same guest, its disks, vifs and virtio devices naming their back ends' domains by number; DeviceError."""
    return spec.replace(
        disks=tuple(resolved(host, f"disk {disk.vdev}", disk) for disk in spec.disks),
        nics=tuple(resolved(host, f"vif {nic.devid}", nic) for nic in spec.nics),
        virtios=tuple(resolved(host, f"virtio {n}", virtio) for n, virtio in enumerate(spec.virtios)),
    )


def resolved(host: Host, name: str, device: Served) -> Served:
    """One device with its back end's domain as a number; `name` is the device's, for messages."""
    if device.backend == "0":
        return device
    try:
        domid = find(host, device.backend).domid
    except NoSuchDomain as error:
        raise DeviceError(name, f"there is no domain {device.backend} to serve it") from error
    return device.replace(backend=str(domid))


def failing(host: Host, domid: Domid) -> str:
    """Why the domain that serves a device will do nothing more for it; empty if it lives."""
    info = host.hyper.domain(domid)
    if info is None:
        return f"domain {domid}, which serves it, does not exist"
    return f"domain {domid}, which serves it, has gone down" if info.dying or info.shutdown else ""


def check_servers(host: Host, devices: Iterable[Device]) -> None:
    """Refuses to wait any longer for back ends whose domains have gone; DeviceError."""
    for device in devices:
        if device.backend_domid and (trouble := failing(host, device.backend_domid)):
            raise DeviceError(f"{device.kind} {device.devid}", trouble)


def await_cleared(host: Host, device: Record, began: float) -> str:
    """Waits until devd has removed a back end that has closed; a sentence if it has not.

    `began` is the time of the store's clock from which on it might.
    """
    if device.back_kind not in ("vbd", "vif"):
        return ""  # There is no devd for those.

    def cleared(_: object) -> bool:
        return follower.values[device.backend] is None or bool(failing(host, device.backend_domid))

    with host.store.follow([device.backend, "@releaseDomain"]) as follower:
        try:
            follower.wait(cleared, began + CLEAR_SECONDS, "devd")
            return ""
        except StoreTimeout:
            return (
                f"the back end of {device.name} has closed, and devd in domain {device.backend_domid} has not cleared"
                f" it away: is it running there?"
            )
