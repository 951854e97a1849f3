"""Keeps a store's tree in a file, so that whatever ends the server loses no commit that a client was told of.

The file is a line that says what it is, and records. A record is one commit as a whole: its length, a checksum, and
entries, each the path of a node with its permissions and value, or without permissions for a node that is gone with
all below. A record that was not written to its end was told to nobody. When the file has grown, the tree is written to
a new one that takes its place. A killed server loses nothing; that a machine without power does not either would need
an fsync() for each commit, which costs more than all else together, and is not done.
"""

from __future__ import annotations

import os
from binascii import crc32
from struct import Struct
from struct import error as struct_error

from xenbus.server.arguments import Refused
from xenbus.server.files import ServerError, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xenbus.server.engine import Engine
    from xenbus.server.tree import Change

    Entry = tuple[bytes, bytes | None, bytes]
    """(path, value or None if it is gone, permissions)"""

MAGIC = b"xenstore journal 1\n"
GROWTH, SMALL = 4, 1 << 20
"""The file is written anew when it is SMALL, and has grown by this factor since."""

_RECORD = Struct("<II")
"""Length of the payload, its CRC-32."""
_ENTRY = Struct("<HHI")
"""Lengths of path, permissions and value."""
_BLOCK = 1 << 16


class Journal:
    """The file at `path`, locked, for the tree of an engine. Raises ServerError."""

    def __init__(self, path: str, engine: Engine) -> None:
        self.path, self._engine = os.path.realpath(path), engine  # what a link points to is replaced, not the link
        self._lock = lock(self.path, "the state")
        self._size, self._limit = 0, SMALL
        self._waiting: list[bytes] = []
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            os.close(self._lock)
            raise ServerError(f"the state {path} cannot be opened: {error.strerror}") from error

    def load(self) -> None:
        """Gives the engine what the file has, if it has anything, and cuts off what is behind the last whole commit."""
        data = _all_of(self._fd)
        if not data.startswith(MAGIC):
            if not MAGIC.startswith(data):
                raise ServerError(f"{self.path} is not the state of a store")
            data = b""
        commits, end = read(memoryview(data))
        if commits:
            self._restore(commits)
            os.ftruncate(self._fd, end)
            self._size = end
            self._limit = max(SMALL, end * 2)
        elif not self.compact():
            raise ServerError(f"the state {self.path} cannot be written")

    def _restore(self, commits: Sequence[memoryview]) -> None:
        try:
            self._engine.restore(self._checked(commits))
        except (struct_error, Refused, LookupError, ValueError) as error:
            raise ServerError(f"the state {self.path} is no store that a server has written: {error!r}") from error

    def _checked(self, commits: Iterable[memoryview]) -> Iterator[Entry]:
        """The entries, as long as each has its place in the tree that those before it have made."""
        nodes = self._engine.tree.nodes
        for payload in commits:
            for path, value, perms in _entries(payload):
                above = path.rpartition(b"/")[0] or b"/"
                ordinary = path[:1] == b"/" and path[-1:] != b"/"
                if not (ordinary and (value is None or above in nodes)) and (value is None or path not in nodes):
                    raise ValueError(path)
                yield path, value, perms

    def add(self, changes: Sequence[Change]) -> None:
        """Takes a commit down; it is in the file after flush()."""
        self._waiting.append(record([_entry(change) for change in changes]))

    def flush(self) -> None:
        """Puts into the file what was taken down; raises ServerError, and then no client may be answered any more."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._append(data)
        if self._size > self._limit:
            self.compact()

    def compact(self) -> bool:
        """Writes the tree into a new file, which takes the old one's place; if it cannot, the old one goes on."""
        fresh = self.path + ".new"
        fd = -1
        try:
            fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            size = 0
            for block in (MAGIC, *_blocks(self._engine.records())):
                size += _write(fd, block, size)
            os.fsync(fd)
            os.rename(fresh, self.path)
        except OSError:
            if fd >= 0:
                os.close(fd)
                os.unlink(fresh)
            self._limit = self._size * 2
            return False
        os.close(self._fd)
        self._fd, self._size = fd, size
        self._limit = max(SMALL, size * GROWTH)
        return True

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._fd)
        os.close(self._lock)

    def _append(self, data: bytes) -> None:
        try:
            self._size += _write(self._fd, data, self._size)
        except OSError as error:
            # A record that stays in part is cut off when the file is read.
            raise ServerError(f"the state {self.path} cannot be written: {error.strerror}") from error


def record(entries: Iterable[Entry]) -> bytes:
    """One commit."""
    parts: list[bytes] = []
    for path, value, perms in entries:
        parts += (_ENTRY.pack(len(path), len(perms), len(value or b"")), path, perms, value or b"")
    payload = b"".join(parts)
    return _RECORD.pack(len(payload), crc32(payload)) + payload


def read(data: memoryview) -> tuple[list[memoryview], int]:
    """The payloads of the whole records of a file, and where the last one ends."""
    commits = []
    at = len(MAGIC)
    while at + _RECORD.size <= len(data):
        length, checksum = _RECORD.unpack_from(data, at)
        payload = data[at + _RECORD.size : at + _RECORD.size + length]
        if len(payload) < length or crc32(payload) != checksum:
            break
        commits.append(payload)
        at += _RECORD.size + length
    return commits, at


def _entry(change: Change) -> Entry:
    path, node = change
    return (path, None, b"") if node is None else (path, node.value, node.perms.lasting())


def _entries(payload: memoryview) -> Iterator[Entry]:
    at = 0
    while at < len(payload):
        path_size, perms_size, value_size = _ENTRY.unpack_from(payload, at)
        perms_at = at + _ENTRY.size + path_size
        value_at = perms_at + perms_size
        path, perms = bytes(payload[at + _ENTRY.size : perms_at]), bytes(payload[perms_at:value_at])
        at = value_at + value_size
        yield path, bytes(payload[value_at:at]) if perms else None, perms


def _blocks(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Records of some size each."""
    some: list[Entry] = []
    size = 0
    for entry in entries:
        some.append(entry)
        size += len(entry[0]) + len(entry[1] or b"")
        if size > _BLOCK:
            yield record(some)
            some, size = [], 0
    if some:
        yield record(some)


def _write(fd: int, data: bytes, at: int) -> int:
    """Writes everything; how many bytes that were."""
    done = os.pwrite(fd, data, at)
    while done < len(data):
        done += os.pwrite(fd, data[done:], at + done)
    return done


def _all_of(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)
