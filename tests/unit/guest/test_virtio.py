"""virtio-mmio devices: their places, their part of the tree, their nodes."""

from __future__ import annotations

import pytest

from xenvm.errors import ConfigError
from xenvm.guest import layout, virtio
from xenvm.guest.dtb import TreeInput, build
from xenvm.guest.fdtblob import to_dts
from xenvm.guest.spec import VirtioSpec
from xenvm.types import DOM0, Domid

SPECS = (
    VirtioSpec("virtio,device22"),
    VirtioSpec("virtio,device29", "3"),
    VirtioSpec("virtio,device26", grant_usage=True),
    VirtioSpec("virtio,device26", "4", grant_usage=False),
)


def test_places() -> None:
    found = virtio.placed(SPECS)
    assert [(device.base, device.irq) for device in found] == [(0x2000000 + 0x200 * n, 33 + n) for n in range(4)]
    assert [(device.backend, device.grants) for device in found] == [(DOM0, False), (3, True), (DOM0, True), (4, False)]


def test_no_room_for_more() -> None:
    most = virtio.placed(SPECS[:1] * layout.MAX_VIRTIOS)
    assert most[-1].irq == 43
    with pytest.raises(ConfigError, match="12 virtio devices are too many: a guest has room for 11"):
        virtio.placed(SPECS[:1] * 12)


def test_the_tree() -> None:
    guest = TreeInput((4, 20), 3, 64, 1, layout.banks_for(65536), optee=True, virtios=virtio.placed(SPECS[:2]))
    text = to_dts(build(guest))
    tail = "".join(text[text.index("firmware {") :].split())
    assert tail.startswith('firmware{optee{compatible="linaro,optee-tz";method="hvc";};};virtio@2000000{')
    assert 'i2c{compatible="virtio,device22";};' in tail
    assert 'gpio{compatible="virtio,device29";gpio-controller;#gpio-cells=<0x2>;interrupt-controller;' in tail
    assert tail.count("dma-coherent;") == 2 and tail.count("iommus=") == 1
    assert tail.endswith('xen_iommu{compatible="xen,grant-dma";#iommu-cells=<0x1>;phandle=<0xfde9>;};};')


def test_no_iommu_without_grants() -> None:
    assert [node.name for node in virtio.tree_nodes(virtio.placed(SPECS[:1]))] == ["virtio@2000000"]


def test_interrupts_are_counted() -> None:
    assert layout.spis_for((), False, (4, 20), None, 2) == 3
    assert layout.spis_for((), True, (4, 20), None, 0) == 1
    with pytest.raises(ConfigError, match="irq 34 is the interrupt of a virtio device: those are 33 to 34"):
        layout.spis_for((34,), False, (4, 20), None, 2)
    assert layout.spis_for((35,), False, (4, 20), None, 2) == 4


def test_nodes() -> None:
    device = virtio.store_device(Domid(7), virtio.placed(SPECS)[1])
    assert device.backend == "/local/domain/3/backend/virtio/7/1"
    assert dict(device.back)["base"] == "0x2000200" and dict(device.back)["grant_usage"] == "1"
    assert dict(device.front) == {"backend-id": "3", "state": "1"}
