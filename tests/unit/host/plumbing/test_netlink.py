from __future__ import annotations

import errno
import struct

import pytest

from xenvm.host.plumbing import netlink
from xenvm.host.plumbing.netlink import UP, Link, Netlink

from .netns import ip


def test_attribute_is_padded_but_says_its_length() -> None:
    assert netlink._attribute(3, b"vif3.0\0") == struct.pack("=HH", 11, 3) + b"vif3.0\0\0"


def test_link_message() -> None:
    kind = netlink._attribute(1, b"bridge\0")
    body = (
        struct.pack("=BxHiII", 0, 1, 7, 0x1003, 0)
        + netlink._attribute(3, b"xenbr0\0")
        + netlink._attribute(4, struct.pack("=I", 9000))
        + netlink._attribute(18 | 0x8000, kind)
    )
    assert netlink._link(body) == Link(7, "xenbr0", 0x1003, 9000, "bridge", 0)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", struct.pack("=HH", 3, 1)])
def test_walk_ends_on_nonsense(data: bytes) -> None:
    assert netlink._attributes(data) == {}


def test_links_of_a_namespace(net: None) -> None:
    with Netlink() as socket:
        assert {link.name: link.kind for link in socket.links()} == {
            "lo": "",
            "xenbr0": "bridge",
            "peer": "veth",
            "vif3.0": "veth",
        }


def test_no_such_link(net: None) -> None:
    with Netlink() as socket:
        assert socket.link("vif4.0") is None


def test_changes(net: None) -> None:
    with Netlink() as socket:
        link, bridge = socket.link("vif3.0"), socket.link("xenbr0")
        assert link is not None and bridge is not None
        socket.set_name(link.index, "web")
        socket.set_mtu(link.index, 1400)
        socket.set_address(link.index, bytes.fromhex("feffffffffff"))
        socket.set_master(link.index, bridge.index)
        socket.set_up(link.index, True)
        after = socket.link("web")
        assert after is not None
        assert (after.index, after.mtu, after.master, after.flags & UP) == (link.index, 1400, bridge.index, UP)
    assert "fe:ff:ff:ff:ff:ff" in ip("link", "show", "web")


def test_flush_addresses(net: None) -> None:
    ip("link", "set", "vif3.0", "up")
    for address in ("10.0.0.1/24", "10.0.0.2/24", "fd00::1/64"):
        ip("address", "add", address, "dev", "vif3.0")
    ip("address", "add", "10.1.0.1/24", "dev", "peer")
    with Netlink() as socket:
        link = socket.link("vif3.0")
        assert link is not None
        socket.flush_addresses(link.index)
    assert ip("-o", "address", "show", "dev", "vif3.0") == ""
    assert "10.1.0.1" in ip("-o", "address", "show", "dev", "peer")


def test_refusal_is_an_oserror(net: None) -> None:
    with Netlink() as socket, pytest.raises(OSError, match="No such device") as caught:
        socket.set_up(12345, True)
    assert caught.value.errno == errno.ENODEV
