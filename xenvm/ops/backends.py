"""Back ends in other domains, by name: driver domains."""

from __future__ import annotations

from xenvm.errors import DeviceError, NoSuchDomain
from xenvm.ops.names import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from xenvm.guest.spec import DiskSpec, GuestSpec, NicSpec, VirtioSpec
    from xenvm.host.open import Host

    Served = TypeVar("Served", DiskSpec, NicSpec, VirtioSpec)


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
