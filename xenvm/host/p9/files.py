"""What can be done to the files of a shared folder, by their nodes: attributes, opening, making, reading folders.

Every number and name comes from a guest. Only regular files and folders are ever opened: to open a FIFO or a device
could block the server, or act.
"""

from __future__ import annotations

import os
import time
from errno import EINVAL, EISDIR, ELOOP, EOPNOTSUPP, EPERM
from stat import S_IFDIR, S_IFLNK, S_IFREG
from struct import Struct

from xenvm.host.p9.tree import QID, Node, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ATTRIBUTES = Struct("<IIIQQQQQqQqQqQQQQQ")
"""Behind the qid in Rgetattr: mode, uid, gid, nlink, rdev, size, blksize, blocks, three times, and what nobody has."""
BASIC = 0x7FF
"""All that `stat` tells."""
_MODE, _UID, _GID, _SIZE, _ATIME, _MTIME, _ATIME_SET, _MTIME_SET = 1, 2, 4, 8, 16, 32, 128, 256
_STATFS = Struct("<IIQQQQQQI")
_V9FS_MAGIC = 0x01021997
_ACCESS, _TRUNCATE, _APPEND, _DSYNC, _SYNC = 3, 0o1000, 0o2000, 0o10000, 0o4000000
"""Flags of Tlopen: numbers of the protocol, not those of this machine."""
_ALWAYS = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MODES = 0o7777
_BILLION = 10**9


# Attributes.


def attributes(tree: Tree, node: Node) -> bytes:
    """The body of Rgetattr."""
    stat = os.fstat(node.fd)
    times = [part for at in (stat.st_atime_ns, stat.st_mtime_ns, stat.st_ctime_ns) for part in divmod(at, _BILLION)]
    numbers = (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_nlink, stat.st_rdev, stat.st_size)
    rest = (*numbers, stat.st_blksize, stat.st_blocks, *times, 0, 0, 0, 0)
    return BASIC.to_bytes(8, "little") + tree.qid(stat) + ATTRIBUTES.pack(*rest)


def change(
    node: Node, valid: int, mode: int, uid: int, gid: int, size: int, atime: int, ansec: int, mtime: int, mnsec: int
) -> None:
    """Tsetattr; the owner goes first, as a change of it takes set-user-ID from a file."""
    if valid & (_UID | _GID):
        os.chown(node.path, uid if valid & _UID else -1, gid if valid & _GID else -1)
    if valid & _MODE:
        if node.kind == S_IFLNK:
            raise OSError(EOPNOTSUPP, "a link has no mode")
        os.chmod(node.path, mode & _MODES)
    if valid & _SIZE:
        _truncate(node, size)
    if valid & (_ATIME | _MTIME):
        _touch(node, valid, (atime, ansec), (mtime, mnsec))


def _truncate(node: Node, size: int) -> None:
    fd = open_node(node, os.O_WRONLY)
    try:
        os.ftruncate(fd, size)
    finally:
        os.close(fd)


def _touch(node: Node, valid: int, atime: tuple[int, int], mtime: tuple[int, int]) -> None:
    stat, now = os.fstat(node.fd), time.time_ns()

    def chosen(wanted: int, is_set: int, given: tuple[int, int], old: int) -> int:
        if not valid & wanted:
            return old
        if not valid & is_set:
            return now
        seconds = given[0] - (1 << 64) if given[0] >> 63 else given[0]  # before 1970
        return seconds * _BILLION + given[1]

    times = (
        chosen(_ATIME, _ATIME_SET, atime, stat.st_atime_ns),
        chosen(_MTIME, _MTIME_SET, mtime, stat.st_mtime_ns),
    )
    os.utime(node.path, ns=times)


def statfs(node: Node) -> bytes:
    """The body of Rstatfs."""
    found = os.fstatvfs(node.fd)
    counts = (found.f_blocks, found.f_bfree, found.f_bavail, found.f_files, found.f_ffree)
    return _STATFS.pack(_V9FS_MAGIC, found.f_frsize, *counts, found.f_fsid & (1 << 64) - 1, found.f_namemax)


# Opening and making.


def open_flags(untrusted: int) -> int:
    """This machine's flags for those of Tlopen and Tlcreate; what is not listed above is of no use to a server."""
    flags = _ALWAYS | (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, -1)[untrusted & _ACCESS]
    if flags < 0:
        raise OSError(EINVAL, "no way to open a file")
    pairs = ((_TRUNCATE, os.O_TRUNC), (_APPEND, os.O_APPEND), (_DSYNC, os.O_DSYNC), (_SYNC, os.O_SYNC))
    return flags | sum(ours for theirs, ours in pairs if untrusted & theirs == theirs)


def open_node(node: Node, flags: int) -> int:
    """A descriptor for reading and writing; OSError for what is neither file nor folder."""
    if node.kind == S_IFDIR:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(EISDIR, "a folder is not written")
        flags = _ALWAYS | os.O_DIRECTORY
    elif node.kind != S_IFREG:
        raise OSError(ELOOP if node.kind == S_IFLNK else EPERM, "neither a file nor a folder")
    return os.open(node.path, flags | _ALWAYS)


class Owner:
    """Whose a new file is: uid and gid as the guest says, -1 for what it does not say."""

    def __init__(self, uid: int, gid: int, strict: bool) -> None:
        self.uid, self.gid, self._strict = uid, gid, strict

    def give(self, target: int | str, mode: int | None) -> None:
        """Gives it a file, and then the mode. Not every file system has owners: OSError only if that is `strict`."""
        try:
            os.chown(target, self.uid, self.gid)
        except OSError:
            if self._strict:
                raise
        if mode is not None:
            os.chmod(target, mode & _MODES)


def make_file(parent: Node, name: bytes, flags: int, mode: int, owner: Owner) -> int:
    """A descriptor of a new regular file; FileExistsError if something has the name, whatever it is."""
    fd = os.open(name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | _ALWAYS, 0o600, dir_fd=parent.fd)
    try:
        owner.give(fd, mode)
    except OSError:
        os.close(fd)
        os.unlink(name, dir_fd=parent.fd)
        raise
    return fd


def make_other(tree: Tree, parent: Node, name: bytes, target: bytes | None, mode: int, owner: Owner) -> bytes:
    """A new folder, or a link to `target`; its qid."""
    tree.check_room()
    if target is None:
        os.mkdir(name, 0o700, dir_fd=parent.fd)
    else:
        os.symlink(target, name, dir_fd=parent.fd)
    kind = S_IFDIR if target is None else S_IFLNK
    node = tree.child(parent, name)
    try:
        if node.kind == kind:  # Otherwise somebody of this host was quicker, and it is theirs.
            owner.give(node.path, mode if target is None else None)
        return tree.qid_of(node)
    except OSError:
        (os.rmdir if target is None else os.unlink)(name, dir_fd=parent.fd)
        raise
    finally:
        tree.release(node)


# Reading a folder.

ENTRY = Struct("<QBH")
"""Behind the qid of an entry: the place of the next one, the kind as in dirent(3), the length of the name."""
SKIP_MAX = 1 << 16
"""Entries that are passed over to find a place: a guest cannot have the server count a large folder all the time."""
_DT_DIR, _DT_REG, _DT_LNK = 4, 8, 10


class Listing:
    """What an open folder has in it. The place behind an entry is its number, from 1; it holds while it is read on."""

    def __init__(self, tree: Tree, node: Node, fd: int) -> None:
        self._tree, self._node, self._fd = tree, node, fd
        self._at = 0
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._next: bytes | None = None

    def read(self, place: int, count: int) -> bytes:
        """Whole entries from a place on, at most `count` bytes; empty: there are no more. OSError."""
        if place != self._at or not place:
            self._seek(place)
        found = b""
        while (entry := self._peek()) is not None:
            if len(found) + len(entry) > count:
                if not found:
                    raise OSError(EINVAL, "no entry has room")
                break
            found += entry
            self._pass()
        return found

    def close(self) -> None:
        """No more reading."""
        if self._entries is not None:
            self._entries.close()  # type: ignore[attr-defined]
            self._entries = None

    def _seek(self, place: int) -> None:
        if place > SKIP_MAX:
            raise OSError(EINVAL, "no such place")
        self.close()
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._entries = os.scandir(self._fd)
        self._at, self._next = 0, None
        while self._at < place and self._peek() is not None:
            self._pass()

    def _pass(self) -> None:
        self._at += 1
        self._next = None

    def _peek(self) -> bytes | None:
        if self._next is None and self._entries is not None:
            self._next = self._make()
        return self._next

    def _make(self) -> bytes | None:
        if self._at < 2:
            node = self._node if self._at == 0 else self._node.parent or self._node
            return self._pack(self._tree.qid_of(node), _DT_DIR, b"." * (self._at + 1))
        assert self._entries is not None
        found = next(self._entries, None)
        if found is None:
            return None
        kind, bits = _kind(found)
        # Linux takes the number of the file from it and nothing else; who wants more asks for the attributes.
        return self._pack(QID.pack(bits, 0, found.inode()), kind, os.fsencode(found.name))

    def _pack(self, qid: bytes, kind: int, name: bytes) -> bytes:
        return qid + ENTRY.pack(self._at + 1, kind, len(name)) + name


def _kind(entry: os.DirEntry[str]) -> tuple[int, int]:
    """As in dirent(3), 0 for what is rare, and as in a qid."""
    if entry.is_symlink():
        return _DT_LNK, 0x02
    if entry.is_dir(follow_symlinks=False):
        return _DT_DIR, 0x80
    return (_DT_REG if entry.is_file(follow_symlinks=False) else 0), 0
