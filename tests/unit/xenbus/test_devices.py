from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus import devices
from xenbus.devices import BACK, CLASSES, FRONT, VBD, VDISPL, VIF, VSND
from xenbus.perm import format_perms

ALL_NODES = [node for each in CLASSES.values() for node in (*each.front, *each.back)]


@pytest.mark.parametrize("kind", ["vbd", "vif", "console", "9pfs", "pvcalls", "vkbd", "vdispl", "vsnd"])
def test_every_class_has_the_common_nodes(kind: str) -> None:
    each = CLASSES[kind]
    assert {"backend", "backend-id", "state"} <= {node.name for node in each.front}
    assert {"frontend", "frontend-id", "online", "state"} <= {node.name for node in each.back}
    assert len({node.name for node in each.front}) == len(each.front)
    assert len({node.name for node in each.back}) == len(each.back)


@pytest.mark.parametrize(
    "device, side, name, writer, may",
    [
        (VBD, FRONT, "ring-ref", "frontend", True),
        (VBD, FRONT, "ring-ref3", "frontend", True),
        (VBD, FRONT, "queue-12/event-channel", "frontend", True),
        (VBD, FRONT, "queue-1/ring-ref2", "frontend", True),
        (VBD, BACK, "physical-device", "script", False),
        (VBD, BACK, "sectors", "backend", False),
        (VIF, FRONT, "mac", "toolstack", True),
        (VIF, FRONT, "mtu", "toolstack", False),
        (VDISPL, FRONT, "0/resolution", "toolstack", False),
        (VDISPL, FRONT, "0/req-ring-ref", "frontend", True),
        (VSND, FRONT, "1/0/ring-ref", "frontend", True),
        (VSND, FRONT, "2/buffer-size", "toolstack", True),
    ],
)
def test_nodes_are_found_by_their_real_names(
    device: devices.DeviceClass, side: str, name: str, writer: str, may: bool
) -> None:
    node = device.find(side, name)
    assert node is not None and (node.writer, node.guest_may_write) == (writer, may)


def test_nodes_that_no_class_has() -> None:
    assert VBD.find(BACK, "ring-ref") is None and VBD.find(FRONT, "nonsense") is None


def test_permissions_keep_others_out() -> None:
    ring, mtu = VIF.find(FRONT, "tx-ring-ref"), VIF.find(FRONT, "mtu")
    assert ring is not None and format_perms(ring.perms(5, 0)) == "n5,r0"
    assert mtu is not None and format_perms(mtu.perms(5, 0)) == "n0,r5"


def test_what_a_guest_may_write_is_in_the_front_end_only() -> None:
    assert not any(node.guest_may_write for each in CLASSES.values() for node in each.back)


@pytest.mark.parametrize(
    "name, value, parsed",
    [
        ("physical-device", b"fd:3", (0xFD, 3)),
        ("physical-device", b"fd:", None),
        ("physical-device", b"g0:1", None),
        ("physical-device", b"-1:1", None),
        ("sectors", b"41943040", 41943040),
        ("sectors", b"0x10", None),
        ("feature-flush-cache", b"2", True),
        ("feature-flush-cache", None, None),
        ("mode", b"w!", "w!"),
        ("mode", b"\xff", None),
    ],
)
def test_values_have_types(name: str, value: bytes | None, parsed: object) -> None:
    node = VBD.find(BACK, name)
    assert node is not None and node.parse(value) == parsed


@given(st.binary(max_size=5000) | st.none())
@settings(max_examples=100, deadline=None)
def test_no_value_breaks_a_parser(untrusted: bytes | None) -> None:
    for node in {node.type: node for node in ALL_NODES}.values():
        node.parse(untrusted)
