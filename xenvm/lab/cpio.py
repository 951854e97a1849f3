"""Initial RAM disks: the "newc" cpio format of Linux, Documentation/driver-api/early-userspace/buffer-format.rst."""

from __future__ import annotations

import gzip
import stat
from pathlib import Path

_HEADER = "070701" + "{:08X}" * 13
_TRAILER = "TRAILER!!!"


class Cpio:
    """An archive in memory; folders of an entry's path are made as needed, all belongs to root."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._names: set[str] = set()

    def folder(self, path: str) -> None:
        """An empty folder."""
        self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A regular file."""
        self._entry(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def node(self, path: str, major: int, minor: int) -> None:
        """A character device."""
        self._entry(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def data(self) -> bytes:
        """The archive with its end mark, not compressed."""
        return bytes(self._out) + _record(0, _TRAILER, 0, b"", (0, 0))

    def write(self, path: Path) -> None:
        """Save it, gzipped; the same contents give the same bytes."""
        path.write_bytes(gzip.compress(self.data(), 6, mtime=0))

    def _entry(self, path: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        path = path.strip("/")
        if path in self._names:
            return
        if "/" in path:
            self.folder(path.rpartition("/")[0])
        self._names.add(path)
        self._out += _record(len(self._names), path, mode, data, device)


def _record(inode: int, name: str, mode: int, data: bytes, device: tuple[int, int]) -> bytes:
    links = 2 if stat.S_ISDIR(mode) else 1
    raw = name.encode() + b"\0"
    header = _HEADER.format(inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(raw), 0)
    return _padded(header.encode() + raw) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
