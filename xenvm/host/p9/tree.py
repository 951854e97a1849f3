"""What a guest can reach of a shared folder: each file is held by a descriptor, and found by one name at a time.

A path is never given to the kernel, and no symbolic link is followed: what a name stands for is opened with O_PATH and
O_NOFOLLOW, which acts on nothing, and from then on the file itself is held, whatever becomes of its name. The way up
is remembered and not asked for, so it cannot lead out of the folder, even if somebody moves one of its folders away.
"""

from __future__ import annotations

import os
from errno import EINVAL, EMFILE, ENOTDIR
from stat import S_IFMT, S_ISDIR, S_ISLNK
from struct import Struct

HELD_MAX = 8192
"""Files that one guest may hold in one folder unless the configuration says otherwise."""
QID = Struct("<BIQ")
_DIRECTORY, _LINK = 0x80, 0x02
_PIN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_WORD = 0xFFFFFFFF


class Node:
    """One file of the folder, of any kind."""

    __slots__ = ("fd", "kind", "parent", "users")

    def __init__(self, fd: int, parent: Node | None) -> None:
        self.fd, self.parent = fd, parent
        self.kind = S_IFMT(os.fstat(fd).st_mode)
        self.users = 1
        """How many fids and other nodes need it."""

    @property
    def path(self) -> str:
        """By which the kernel gives this file itself, not what has its name now; nothing is followed behind it."""
        return f"/proc/self/fd/{self.fd}"


class Tree:
    """The folder `path` of this host, and all that is held of it; OSError."""

    def __init__(self, path: bytes | str, limit: int = HELD_MAX) -> None:
        self._limit, self.held = limit, 1
        self.root = Node(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), None)
        self._devices = {os.fstat(self.root.fd).st_dev: 0}

    def child(self, node: Node, name: bytes) -> Node:
        """What is in a folder, or the folder above it; to be released. OSError."""
        if not S_ISDIR(node.kind):
            raise OSError(ENOTDIR, "no folder")
        if name == b"..":
            return self.hold(node.parent or node)
        check_name(name)
        self.check_room()
        return self._adopt(os.open(name, _PIN, dir_fd=node.fd), node)

    def opened(self, fd: int, parent: Node) -> Node:
        """The node of a file that is open already; to be released. OSError."""
        self.check_room()
        return self._adopt(os.open(f"/proc/self/fd/{fd}", os.O_PATH | os.O_CLOEXEC), parent)

    def hold(self, node: Node) -> Node:
        """The node, for one more user."""
        node.users += 1
        return node

    def release(self, node: Node) -> None:
        """One user less; the last one closes it, and lets go of the folder that it is in."""
        above: Node | None = node
        while above:
            above.users -= 1
            if above.users:
                return
            os.close(above.fd)
            self.held -= 1
            above = above.parent

    def qid(self, stat: os.stat_result) -> bytes:
        """What the protocol knows a file by: unique as long as it lives, also where another file system is mounted."""
        kind = _DIRECTORY if S_ISDIR(stat.st_mode) else _LINK if S_ISLNK(stat.st_mode) else 0
        place = self._devices.setdefault(stat.st_dev, len(self._devices))
        return QID.pack(kind, (stat.st_mtime_ns ^ stat.st_size << 8) & _WORD, stat.st_ino ^ (place & 0xFFFF) << 48)

    def qid_of(self, node: Node) -> bytes:
        """The same for a node."""
        return self.qid(os.fstat(node.fd))

    def check_room(self) -> None:
        """OSError if no more can be held."""
        if self.held >= self._limit:
            raise OSError(EMFILE, "too many files are held")

    def _adopt(self, fd: int, parent: Node) -> Node:
        try:
            node = Node(fd, parent)
        except OSError:
            os.close(fd)
            raise
        self.hold(parent)
        self.held += 1
        return node


def check_name(name: bytes) -> bytes:
    """The name of something in a folder, as a guest gives it; OSError for what is none."""
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise OSError(EINVAL, "no name")
    return name
