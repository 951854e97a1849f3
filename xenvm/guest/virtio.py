"""virtio-mmio devices of a guest: where they lie, their part of the device tree, and their nodes in the store.

Linux' bindings virtio/mmio.yaml, i2c/i2c-virtio.yaml, gpio/gpio-virtio.yaml and iommu/xen,grant-dma.yaml; addresses and
interrupts are those of Xen's public/arch-arm.h. The back ends are programs that watch the store.
"""

from __future__ import annotations

from struct import pack

from xenbus.value import Value
from xenvm.errors import ConfigError
from xenvm.guest import layout
from xenvm.guest.fdtblob import Node
from xenvm.guest.nodes import Device
from xenvm.types import DOM0, Domid, Gpa

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xenvm.guest.spec import VirtioSpec

    Properties = tuple[tuple[str, bytes], ...]

IOMMU_PHANDLE = 65001
SIZE = 0x200
_SPI, _EDGE_RISING = 0, 0xF01
_I2C, _GPIO = "virtio,device22", "virtio,device29"


class VirtioDevice(Value):
    """One device at its place."""

    number: int
    type: str
    base: Gpa
    irq: int
    backend: Domid
    grants: bool
    """Whether the guest lends its buffers by grants, instead of all of its memory."""


def placed(virtios: Sequence[VirtioSpec]) -> tuple[VirtioDevice, ...]:
    """The devices, one behind the other; back ends are domids by now. ConfigError: too many."""
    if len(virtios) > layout.MAX_VIRTIOS:
        raise ConfigError(f"{len(virtios)} virtio devices are too many: a guest has room for {layout.MAX_VIRTIOS}")
    return tuple(_placed(number, virtio) for number, virtio in enumerate(virtios))


def _placed(number: int, virtio: VirtioSpec) -> VirtioDevice:
    backend = Domid(int(virtio.backend)) if virtio.backend.isdecimal() else Domid(-1)
    grants = backend != DOM0 if virtio.grant_usage is None else virtio.grant_usage
    base = Gpa(layout.VIRTIO.start + SIZE * number)
    return VirtioDevice(number, virtio.type, base, layout.VIRTIO_SPI + number, backend, grants)


def tree_nodes(devices: Sequence[VirtioDevice]) -> tuple[Node, ...]:
    """The nodes of the device tree, and one of the grants' IOMMU if a device needs it."""
    nodes = [_tree_node(device) for device in devices]
    if any(device.grants for device in devices):
        iommu = (
            ("compatible", b"xen,grant-dma\0"),
            ("#iommu-cells", pack(">I", 1)),
            ("phandle", pack(">I", IOMMU_PHANDLE)),
        )
        nodes.append(Node("xen_iommu", iommu))
    return tuple(nodes)


def _tree_node(device: VirtioDevice) -> Node:
    props: Properties = (
        ("compatible", b"virtio,mmio\0"),
        ("reg", pack(">QQ", device.base, SIZE)),
        ("interrupts", pack(">III", _SPI, device.irq - layout.FIRST_SPI, _EDGE_RISING)),
        ("interrupt-parent", pack(">I", layout.GIC_PHANDLE)),
        ("dma-coherent", b""),
    )
    if device.grants:
        props += (("iommus", pack(">II", IOMMU_PHANDLE, max(device.backend, 0))),)
    return Node(f"virtio@{device.base:x}", props, tuple(_function(device.type)))


def _function(kind: str) -> Iterator[Node]:
    """The node below of what is no device by itself, but a bus or a controller."""
    if kind == _I2C:
        yield Node("i2c", (("compatible", kind.encode() + b"\0"),))
    elif kind == _GPIO:
        two = pack(">I", 2)
        controller: Properties = (("gpio-controller", b""), ("#gpio-cells", two))
        interrupts: Properties = (("interrupt-controller", b""), ("#interrupt-cells", two))
        yield Node("gpio", (("compatible", kind.encode() + b"\0"), *controller, *interrupts))


def store_device(domid: Domid, device: VirtioDevice) -> Device:
    """The device in the store, where its back end learns of it; the guest does not look there."""
    return Device(
        "virtio",
        device.number,
        domid,
        back=(
            ("frontend-id", str(domid)),
            ("online", "1"),
            ("state", "1"),
            ("irq", str(device.irq)),
            ("base", f"{device.base:#x}"),
            ("type", device.type),
            ("transport", "mmio"),
            ("grant_usage", "1" if device.grants else "0"),
        ),
        front=(("backend-id", str(device.backend)), ("state", "1")),
        backend_domid=device.backend,
    )
