"""Whether the parts of a host that serve guests are there: drivers, daemons, interfaces, terminals, files.

Each question about trouble is answered by a part of a sentence that names the object; empty: there is none.
"""

from __future__ import annotations

import os
import stat

from xenvm.errors import DeviceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = {"vbd": "xen-blkback", "vif": "xen-netback"}
"""The kernel modules that serve back ends, by kind."""
DELETED = " (deleted)"
"""What Linux puts behind the name of a loop device's file that was removed."""


def driver(kind: str, root: str = "/") -> str:
    """What is wrong with the kernel's driver for back ends of a kind; kinds that programs serve are not judged."""
    if kind not in MODULES or os.path.isdir(f"{root}sys/bus/xen-backend/drivers/{kind}"):
        return ""
    return f"the kernel module {MODULES[kind]} is not loaded: `modprobe {MODULES[kind]}`"


def daemon(program: str, root: str = "/") -> bool | None:
    """Whether a program of this name runs; None where there is no /proc to tell."""
    try:
        return any(name == program for name in _programs(root))
    except OSError:
        return None


def _programs(root: str) -> Iterator[str]:
    for entry in os.listdir(f"{root}proc"):
        if entry.isdecimal():
            try:
                with open(f"{root}proc/{entry}/comm", encoding="utf-8", errors="replace") as file:
                    yield file.read().rstrip("\n")
            except OSError:
                pass  # It has just ended.


def terminal(path: str) -> bool:
    """Whether a console's terminal exists; the path is the console daemon's, and only one below /dev is looked at."""
    if not path.startswith("/dev/") or os.path.normpath(path) != path:
        return False
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def disk(target: str, mode: str, node: str, root: str = "/") -> str:
    """What is wrong with what a disk stands for: its file or device, behind the loop device `node` if that is given."""
    from xenvm.host.plumbing.block import resolve

    if node.startswith("/dev/loop") and node[9:].isdecimal():
        backing = text(f"{root}sys/block/{node[5:]}/loop/backing_file")
        if backing is None:
            return f"the loop device {node} of its file {target} is not set up any more"
        if backing.endswith(DELETED):
            return f"the disk's file {target} is gone: it was removed while {node} has it open"
    try:
        resolve(target, mode)
    except DeviceError as error:
        missing = not os.path.exists(target)
        return f"the disk's file {target} is gone" if missing else f"the disk's file {target} {error.reason}"
    return ""


def bridge(name: str) -> str:
    """What is wrong with the bridge that a vif's setting means."""
    from xenvm.host.plumbing.bridge import find_bridge

    try:
        find_bridge(name, "")
        return ""
    except DeviceError as error:
        return error.reason.removeprefix("the ")
    except OSError as error:
        return f"bridge {name} cannot be asked for: {error.strerror}"


def link(interface: str, bridge: str) -> str:
    """What is wrong with a back end's network interface: it should be on the bridge, and up."""
    from xenvm.host.plumbing.netlink import UP, Netlink

    try:
        with Netlink() as net:
            found = net.link(interface) if 0 < len(os.fsencode(interface)) < 16 else None
            masters = {each.index: each.name for each in net.links()} if found else {}
    except OSError:
        return ""
    if found is None:
        return f"the network interface {interface} does not exist"
    if not found.master:
        return f"the network interface {interface} is on no bridge: `ip link set {interface} master {bridge}`"
    if bridge and masters.get(found.master) not in (bridge, bridge.replace("xenbr", "eth")):
        return f"the network interface {interface} is on {masters.get(found.master)}, not on {bridge}"
    return "" if found.flags & UP else f"the network interface {interface} is down: `ip link set {interface} up`"


def text(path: str) -> str | None:
    """A small file's text; None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().strip()
    except OSError:
        return None
