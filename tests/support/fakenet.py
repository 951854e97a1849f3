"""The kernel's side of plumbing for tests: loop devices and network interfaces, with faults on demand."""

from __future__ import annotations

import os
from collections.abc import Callable

from xenvm.errors import DeviceError
from xenvm.host.plumbing.loop import LoopDevice, OwnLoop
from xenvm.host.plumbing.netlink import UP, Link


class FakeLoops:
    """Stands for xenvm.host.plumbing.loop."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        """Device -> file."""
        self.fault: BaseException | None = None
        """Raised by the next attach."""

    def attach(self, path: str, *, readonly: bool) -> LoopDevice:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        number = next(n for n in range(256) if f"/dev/loop{n}" not in self.files)
        self.files[f"/dev/loop{number}"] = path
        return self._device(f"/dev/loop{number}")

    def detach(self, node: str, path: str | None = None) -> None:
        if not node.startswith("/dev/loop"):
            raise DeviceError(node, "cannot be freed: Inappropriate ioctl for device")
        if path is None or self.files.get(node) == path:
            self.files.pop(node, None)

    def backed_by(self, device: int, inode: int) -> list[LoopDevice]:
        wanted = device, inode
        known = {node: os.stat(path) for node, path in self.files.items()}
        return [self._device(node) for node, status in known.items() if (status.st_dev, status.st_ino) == wanted]

    def own(self) -> list[OwnLoop]:
        """Those whose name does not say that somebody else has set them up."""
        ours = {node: path for node, path in self.files.items() if "theirs" not in path}
        return [OwnLoop(node, self._device(node).rdev, path) for node, path in ours.items()]

    def _device(self, node: str) -> LoopDevice:
        return LoopDevice(node, os.makedev(7, int(node.removeprefix("/dev/loop"))))


class FakeNet:
    """Stands for xenvm.host.plumbing.netlink.Netlink, and for its sockets too."""

    def __init__(self) -> None:
        self.by_name = {
            "xenbr0": Link(1, "xenbr0", UP, 1500, "bridge"),
            "eth0": Link(2, "eth0", UP, 1500, "", 1),
            "ovs": Link(3, "ovs", UP, 1500, "openvswitch"),
        }
        self.count = 0
        """Requests that change something, so far."""
        self.faults: dict[int, OSError] = {}
        self.late: Callable[[], object] = lambda: None
        """What happens while somebody waits for news of interfaces."""
        self._next = 10

    def __call__(self, groups: int = 0) -> FakeNet:
        return self

    def __enter__(self) -> FakeNet:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    # Its socket: news are there at once, whatever they say.

    @property
    def socket(self) -> FakeNet:
        return self

    def settimeout(self, seconds: float) -> None:
        return None

    def recv(self, size: int) -> bytes:
        self.late()
        return b""

    def close(self) -> None:
        return None

    # The kernel's drivers.

    def plug(self, name: str) -> None:
        """netback makes an interface."""
        self._next += 1
        self.by_name[name] = Link(self._next, name, 0, 1500)

    def unplug(self, name: str) -> None:
        """netback removes it."""
        self.by_name.pop(name, None)

    # What a toolstack asks.

    def link(self, name: str) -> Link | None:
        return self.by_name.get(name)

    def links(self) -> list[Link]:
        return list(self.by_name.values())

    def set_up(self, index: int, up: bool) -> None:
        self._change(index, flags=UP if up else 0)

    def set_address(self, index: int, mac: bytes) -> None:
        self._change(index)

    def set_mtu(self, index: int, mtu: int) -> None:
        self._change(index, mtu=mtu)

    def set_name(self, index: int, name: str) -> None:
        self._change(index, name=name)

    def set_master(self, index: int, bridge: int) -> None:
        self._change(index, master=bridge)

    def flush_addresses(self, index: int) -> None:
        self._change(index)

    def _change(self, index: int, **fields: object) -> None:
        self.count += 1
        fault = self.faults.pop(self.count, None)
        if fault is not None:
            raise fault
        old = next(link for link in self.by_name.values() if link.index == index)
        del self.by_name[old.name]
        new = old.replace(**fields)
        self.by_name[new.name] = new
