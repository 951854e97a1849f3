"""A new guest's devices besides disks and vifs, which only some guests have: channels, shared folders, displays."""

from __future__ import annotations

from xenvm.types import DOM0, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenvm.guest.nodes import Device
    from xenvm.guest.spec import GuestSpec
    from xenvm.host.open import Host


SERVED = ("console", "9pfs")
"""Kinds of back ends that a process of ours serves."""


def other_devices(host: Host, domid: Domid, spec: GuestSpec) -> list[Device]:
    """All of them; ConfigError, NoSuchDomain for a back end's domain that there is not."""
    if not (spec.channels or spec.p9s or spec.vkbs or spec.vdispls or spec.vsnds or spec.pvcalls):
        return []
    from xenvm.guest import class_nodes
    from xenvm.ops.names import find

    devices = class_nodes.other_devices(domid, spec, lambda who: DOM0 if who == "0" else find(host, who).domid)
    if spec.p9s:
        from xenvm.ops import folders

        if any(map(folders.is_served, devices)):
            folders.start_if_missing(host)
    if any(map(is_ours, devices)):
        from xenvm.ops.serving import start_if_missing

        start_if_missing(host)
    return devices


def is_ours(device: Device) -> bool:
    """Whether a process of ours serves a device."""
    return (device.back_kind or device.kind) in SERVED and device.backend_domid == DOM0


def awaited(devices: Sequence[Device]) -> list[Device]:
    """Those whose back ends have to be there before the guest starts."""
    if not devices:
        return []
    from xenvm.guest.class_nodes import NOT_AWAITED

    return [device for device in devices if device.kind not in NOT_AWAITED]
