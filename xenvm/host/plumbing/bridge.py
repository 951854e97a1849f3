"""What the ``vif-bridge`` hotplug script does, in process: a back end's interface onto a bridge, and off it.

Follows tools/hotplug/Linux/vif-bridge of Xen. What only the script does (firewall rules, hooks of the
administrator) is told by vifscript.needs_script.
"""

from __future__ import annotations

import errno
import os
import time

from xenbus.value import Value
from xenvm.errors import DeviceError, WaitTimeout
from xenvm.host.plumbing.netlink import GROUP_LINK, UP, Link, Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenvm.types import Domid

PORT_MAC = bytes.fromhex("feffffffffff")
"""The numerically largest unicast address: a bridge never takes it for its own."""

_NAME_SIZE = 16


class BridgePort(Value):
    """An interface that is on a bridge and up."""

    interface: str
    """Its name, after renaming."""
    bridge: str
    mtu: int
    """What it really has, to be told to the guest."""


def interface_name(domid: Domid, devid: int) -> str:
    """How netback names the interface of a vif."""
    return f"vif{domid}.{devid}"


def find_bridge(name: str, device: str) -> str:
    """The bridge that a vif's setting means: empty is the first one, and ``xenbrN`` may be called ``ethN`` here.

    :raises DeviceError: names `device`; none there, or no Linux bridge.
    """
    with Netlink() as net:
        return _bridge(net, name, device).name


def add(interface: str, bridge: str, *, device: str, mtu: int | None = None, vifname: str | None = None) -> BridgePort:
    """Puts an interface onto a bridge and switches it on, under the name `vifname` if one is given.

    `mtu` is the configured one, None: the bridge's, as far as the interface can.

    :raises DeviceError: names `device`; the interface, the bridge or the new name is not usable.
    """
    try:
        with Netlink() as net:
            return _add(net, interface, _bridge(net, bridge, device), device, mtu, vifname or interface)
    except OSError as error:
        raise DeviceError(device, f"{interface} cannot be put onto {bridge}: {error.strerror}") from error


def remove(interface: str, *, device: str) -> None:
    """Switches an interface off and takes it from its bridge; one that is gone is fine."""
    try:
        with Netlink() as net:
            link = _find(net, interface)
            if link is None:
                return
            net.set_up(link.index, False)
            if link.master:
                net.set_master(link.index, 0)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise DeviceError(device, f"{interface} cannot be taken from its bridge: {error.strerror}") from error


class LinkWatch:
    """Waits for interfaces to appear; a context manager. Make it before asking for the interfaces."""

    def __init__(self) -> None:
        self._news, self._net = Netlink(GROUP_LINK), Netlink()

    def wait(self, names: Iterable[str], deadline: float) -> None:
        """Returns when all `names` exist; `deadline` is on the monotonic clock.

        :raises WaitTimeout: names the first interface that is missing.
        """
        missing = list(names)
        while missing := [name for name in missing if self._net.link(name) is None]:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise WaitTimeout(f"the network interface {missing[0]} did not appear in time")
            self._news.socket.settimeout(remaining)
            try:
                self._news.socket.recv(1 << 17)
            except TimeoutError:
                pass
            except OSError as error:
                # News were lost, which says that there were news.
                if error.errno != errno.ENOBUFS:
                    raise

    def close(self) -> None:
        """Closes the sockets."""
        self._news.close()
        self._net.close()

    def __enter__(self) -> LinkWatch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _add(net: Netlink, interface: str, bridge: Link, device: str, mtu: int | None, name: str) -> BridgePort:
    port = _find(net, interface)
    if port is None:
        raise DeviceError(device, f"the network interface {interface} does not exist")
    net.set_up(port.index, False)
    if name != interface:
        _rename(net, port, name, device)
    net.set_address(port.index, PORT_MAC)
    net.flush_addresses(port.index)
    _set_mtu(net, port, mtu, bridge.mtu, device)
    net.set_master(port.index, bridge.index)
    net.set_up(port.index, True)
    after = net.link(name)
    if after is None or not after.flags & UP:
        raise DeviceError(device, f"the network interface {name} vanished while it was put onto {bridge.name}")
    return BridgePort(name, bridge.name, after.mtu)


def _bridge(net: Netlink, name: str, device: str) -> Link:
    wanted = name or _first(net)
    if not wanted:
        raise DeviceError(device, "names no bridge, and this host has none")
    link = _find(net, wanted)
    if link is None and wanted.startswith("xenbr"):
        other = _find(net, "eth" + wanted.removeprefix("xenbr"))
        link = other if other is not None and other.kind == "bridge" else None
    if link is None:
        raise DeviceError(device, f"the bridge {wanted} does not exist")
    if link.kind == "openvswitch":
        raise DeviceError(device, f"{wanted} is an Open vSwitch bridge, which takes script=vif-openvswitch")
    if link.kind != "bridge":
        raise DeviceError(device, f"{wanted} is a network interface, but not a bridge")
    return link


def _first(net: Netlink) -> str | None:
    return min((link.name for link in net.links() if link.kind == "bridge"), default=None)


def _find(net: Netlink, name: str) -> Link | None:
    """The interface; names that no interface can have are not asked for."""
    return net.link(name) if _valid(name) else None


def _valid(name: str) -> bool:
    """The kernel's rule for names of interfaces."""
    raw = os.fsencode(name)
    return 0 < len(raw) < _NAME_SIZE and name not in (".", "..") and not any(c in "/:\0" or c.isspace() for c in name)


def check_vifname(name: str, device: str) -> None:
    """Refuses a name that Linux gives no interface; DeviceError names `device`."""
    if not _valid(name):
        raise DeviceError(device, f"vifname={name} cannot be the name of a network interface")


def _rename(net: Netlink, port: Link, name: str, device: str) -> None:
    check_vifname(name, device)
    try:
        net.set_name(port.index, name)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        raise DeviceError(device, f"{port.name} cannot be renamed: there is a network interface {name}") from error


def _set_mtu(net: Netlink, port: Link, wanted: int | None, bridge_mtu: int, device: str) -> None:
    """A configured MTU must be possible; one that only follows the bridge need not be."""
    try:
        net.set_mtu(port.index, wanted or bridge_mtu)
    except OSError as error:
        if wanted:
            raise DeviceError(device, f"{port.name} cannot have the MTU {wanted}: {error.strerror}") from error
