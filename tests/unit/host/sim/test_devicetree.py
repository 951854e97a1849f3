from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.guest.dtb import TreeInput, build
from xenvm.guest.layout import Region, banks_for
from xenvm.host.sim import devicetree
from xenvm.types import Gpa, KiB


def blob() -> bytes:
    guest = TreeInput(
        bits=64,
        max_vcpus=18,
        xen=(4, 20),
        gic=3,
        banks=banks_for(KiB(4 << 20)),
        bootargs="console=hvc0 quiet",
        initrd=Region(Gpa(0x48000000), 5000),
    )
    return build(guest)


def test_the_kernel_reads_what_the_toolstack_builds() -> None:
    data = blob()
    assert devicetree.tree_size(data[:40]) == len(data)
    tree = devicetree.read_tree(data)
    assert devicetree.ranges(tree, "/memory@40000000") == [(0x40000000, 3 << 30)]
    assert devicetree.ranges(tree, "/memory@200000000") == [(0x200000000, 1 << 30)]
    assert tree["/chosen"]["bootargs"] == b"console=hvc0 quiet\0"
    assert devicetree.cells(tree["/cpus/cpu@101"]["reg"]) == (0x101,)
    assert devicetree.compatible(tree["/hypervisor"]) == ["xen,xen-4.20", "xen,xen"]


@pytest.mark.parametrize("header", [b"\0" * 40, b"\xd0\x0d\xfe\xed\xff\xff\xff\xff", b"\xd0\x0d\xfe\xed\0\0\0\x08"])
def test_what_is_no_tree(header: bytes) -> None:
    with pytest.raises(ValueError):
        devicetree.tree_size(header)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_tree_is_an_error_or_a_tree(data: st.DataObject) -> None:
    damaged = bytearray(blob())
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        tree = devicetree.read_tree(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    except ValueError:
        return
    assert all(isinstance(value, bytes) for props in tree.values() for value in props.values())
