"""What programs that died have left in this host's kernel and files: loop devices, interfaces, userdata, locks.

Only looks, and removes one thing at a time; what is left over, and what is in use, is for the caller to say.
"""

from __future__ import annotations

import os

from xenbus.value import Value
from xenvm.host.plumbing import bridge, domids, loop, userdata
from xenvm.host.plumbing import console as consoles
from xenvm.host.plumbing.block import LOCK as BLOCK_LOCK
from xenvm.host.plumbing.locks import FileLock
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES_OF_LOCKS = (
    (userdata.FOLDER, "userdata-l."),
    (domids.FOLDER, "domid-history.lock"),
    (consoles.LOCKS, "xenconsole."),
    (os.path.dirname(BLOCK_LOCK), os.path.basename(BLOCK_LOCK)),
)
"""Folders, and the names of lock files there, or how they begin."""
_NET = "/sys/class/net"
_LOCKS = "/proc/locks"


class DataFile(Value):
    """A userdata file of a domain that was known by this number and uuid."""

    path: str
    domid: Domid
    uuid: str


class Interface(Value):
    """A network interface of a vif's back end."""

    name: str
    domid: Domid
    devid: int
    bridge: str
    """The bridge that it is a port of, or empty."""


def loops() -> list[loop.OwnLoop]:
    """The loop devices that this toolstack has set up."""
    return loop.own()


def free_loop(node: str, file: str) -> None:
    """Frees a loop device, unless it has another file by now; for who holds the lock of the block scripts."""
    loop.detach(node, file)


def interfaces(folder: str = _NET) -> list[Interface]:
    """The interfaces of vifs, whatever their names are now."""
    found = []
    for name in _names(folder):
        numbers = _numbers_of(os.path.join(folder, name))
        if numbers is not None:
            found.append(Interface(name, Domid(numbers[0]), numbers[1], _bridge_of(os.path.join(folder, name))))
    return found


def _numbers_of(path: str) -> tuple[int, int] | None:
    """Domid and number of the vif, by the device of XenBus that the interface belongs to (``vif-5-0``)."""
    try:
        kind, *numbers = os.path.basename(os.readlink(os.path.join(path, "device"))).split("-")
    except OSError:
        return None
    if kind != "vif" or len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        return None
    return int(numbers[0]), int(numbers[1])


def _bridge_of(path: str) -> str:
    try:
        return os.path.basename(os.readlink(os.path.join(path, "master")))
    except OSError:
        return ""


def take_off(interface: str) -> None:
    """Switches an interface off and takes it from its bridge: only its driver can remove it."""
    bridge.remove(interface, device=interface)


def data_files(folder: str = userdata.FOLDER) -> list[DataFile]:
    """All userdata files but locks, of whichever domain and toolstack."""
    found = []
    for name in _names(folder):
        parts = name.split(".", 3)
        kind = parts[0].removeprefix("userdata-")
        if len(parts) == 4 and kind in ("d", "n") and parts[0] != kind and parts[1].isascii() and parts[1].isdecimal():
            found.append(DataFile(os.path.join(folder, name), Domid(int(parts[1])), parts[2]))
    return found


def remove(path: str) -> None:
    """Removes a file; one that is gone is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def lock_files(places: Iterable[tuple[str, str]] = PLACES_OF_LOCKS, table: str = _LOCKS) -> list[str]:
    """The lock files in these places that their holder should have removed, and that nobody holds."""
    paths = [os.path.join(folder, name) for folder, begin in places for name in _names(folder) if _fits(name, begin)]
    held = _held(table)
    return [path for path in paths if (inode := _inode(path)) is not None and inode not in held]


def _fits(name: str, begin: str) -> bool:
    return name == begin or (begin.endswith(".") and name.startswith(begin))


def remove_lock(path: str) -> None:
    """Removes a lock file as its holder would; BlockingIOError if somebody has come to hold it."""
    FileLock(path, wait=False).release()


def _held(table: str) -> set[int]:
    """The inodes that somebody has a lock on (proc_locks(5)); whatever the file system, lest one is overlooked."""
    with open(table, encoding="ascii", errors="replace") as file:
        return {int(field.rpartition(":")[2]) for line in file for field in line.split() if field.count(":") == 2}


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
