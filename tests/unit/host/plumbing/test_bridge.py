from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from xenvm.errors import DeviceError, WaitTimeout
from xenvm.host.plumbing import bridge
from xenvm.host.plumbing.bridge import BridgePort, LinkWatch
from xenvm.host.plumbing.netlink import Link, Netlink
from xenvm.types import Domid

from .netns import ip, namespace


def test_interface_name() -> None:
    assert bridge.interface_name(Domid(3), 0) == "vif3.0"


def test_add(net: None) -> None:
    ip("link", "set", "vif3.0", "up")
    ip("address", "add", "10.0.0.1/24", "dev", "vif3.0")
    assert bridge.add("vif3.0", "xenbr0", device="vif 0") == BridgePort("vif3.0", "xenbr0", 1500)
    shown = ip("-o", "address", "show", "dev", "vif3.0") + ip("-o", "link", "show", "vif3.0")
    assert "master xenbr0" in shown
    assert "fe:ff:ff:ff:ff:ff" in shown
    assert ",UP" in shown
    assert "10.0.0.1" not in shown


def test_add_twice_changes_nothing(net: None) -> None:
    assert bridge.add("vif3.0", "xenbr0", device="vif 0") == bridge.add("vif3.0", "xenbr0", device="vif 0")


def test_add_follows_the_bridges_mtu(net: None) -> None:
    ip("link", "set", "xenbr0", "mtu", "1400")
    assert bridge.add("vif3.0", "xenbr0", device="vif 0").mtu == 1400


def test_add_with_a_configured_mtu(net: None) -> None:
    assert bridge.add("vif3.0", "xenbr0", device="vif 0", mtu=1300).mtu == 1300
    with pytest.raises(DeviceError, match=r"vif 0: vif3.0 cannot have the MTU 100000000: "):
        bridge.add("vif3.0", "xenbr0", device="vif 0", mtu=100_000_000)


def test_add_and_rename(net: None) -> None:
    assert bridge.add("vif3.0", "xenbr0", device="vif 0", vifname="web") == BridgePort("web", "xenbr0", 1500)
    assert "master xenbr0" in ip("link", "show", "web")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"vifname": "peer"}, r"vif 0: vif3.0 cannot be renamed: there is a network interface peer"),
        ({"vifname": "a/b"}, "vif 0: vifname=a/b cannot be the name"),
        ({"vifname": "sixteen-chars-xx"}, "cannot be the name"),
        ({"interface": "vif4.0"}, r"vif 0: the network interface vif4.0 does not exist"),
        ({"bridge": "br7"}, "vif 0: the bridge br7 does not exist"),
        ({"bridge": "../xenbr0"}, "does not exist"),
        ({"bridge": "peer"}, "vif 0: peer is a network interface, but not a bridge"),
    ],
)
def test_add_refuses(net: None, given: dict[str, str], reason: str) -> None:
    arguments = {"interface": "vif3.0", "bridge": "xenbr0", **given}
    with pytest.raises(DeviceError, match=reason):
        bridge.add(**arguments, device="vif 0")  # type: ignore[arg-type]


def test_open_vswitch_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Netlink, "link", lambda _self, name: Link(4, name, 0, 1500, "openvswitch"))
    with pytest.raises(DeviceError, match="ovsbr0 is an Open vSwitch bridge, which takes script=vif-openvswitch"):
        bridge.find_bridge("ovsbr0", "vif 0")


def test_remove(net: None) -> None:
    bridge.add("vif3.0", "xenbr0", device="vif 0")
    bridge.remove("vif3.0", device="vif 0")
    shown = ip("-o", "link", "show", "vif3.0")
    assert "master" not in shown
    assert ",UP" not in shown


def test_remove_of_a_missing_interface_is_fine(net: None) -> None:
    bridge.remove("vif4.0", device="vif 0")


def test_bridges(net: None) -> None:
    ip("link", "add", "br1", "type", "bridge")
    assert bridge.find_bridge("", "vif 0") == "br1"
    assert bridge.find_bridge("xenbr0", "vif 0") == "xenbr0"
    for name in ("peer", "br7"):
        with pytest.raises(DeviceError, match=name):
            bridge.find_bridge(name, "vif 0")


def test_old_name_of_a_bridge(net: None) -> None:
    ip("link", "add", "eth1", "type", "bridge")
    ip("link", "add", "eth2", "type", "veth", "peer", "name", "eth3")
    assert bridge.find_bridge("xenbr0", "vif 0") == "xenbr0"
    assert bridge.find_bridge("xenbr1", "vif 0") == "eth1"
    with pytest.raises(DeviceError, match="the bridge xenbr2 does not exist"):
        bridge.find_bridge("xenbr2", "vif 0")


def test_no_bridge_at_all() -> None:
    with namespace(), pytest.raises(DeviceError, match="names no bridge, and this host has none"):
        bridge.find_bridge("", "vif 0")


def test_watch_sees_what_is_there(net: None) -> None:
    with LinkWatch() as watch:
        watch.wait(["vif3.0", "peer"], deadline=0)


def test_watch_waits_for_all(net: None) -> None:
    def plug() -> None:
        ip("link", "add", "vif8.0", "type", "veth", "peer", "name", "other")
        ip("link", "add", "vif8.1", "type", "bridge")

    with LinkWatch() as watch:
        thread = threading.Thread(target=plug)
        thread.start()
        watch.wait(["vif8.1", "vif8.0"], time.monotonic() + 60)
        thread.join()


def test_watch_gives_up_at_the_deadline_whatever_else_happens(net: None) -> None:
    with LinkWatch() as watch:
        ip("link", "set", "peer", "up")
        with pytest.raises(WaitTimeout, match=r"vif9.0 did not appear"):
            watch.wait(["vif3.0", "vif9.0"], time.monotonic() + 0.01)


def test_watch_survives_lost_news(net: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Overrun:
        def settimeout(self, _seconds: float) -> None:
            pass

        def recv(self, _size: int) -> bytes:
            ip("link", "add", "vif8.0", "type", "bridge")
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    with LinkWatch() as watch:
        watch._news.close()
        monkeypatch.setattr(watch._news, "socket", Overrun())
        watch.wait(["vif8.0"], time.monotonic() + 60)
        monkeypatch.undo()
