"""What a guest's kernel says, and hears, in 9P2000.L; it can say anything."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack, unpack, unpack_from
from typing import Any

from xenvm.host.p9 import wire
from xenvm.host.p9.files import ATTRIBUTES
from xenvm.host.p9.wire import HEADER, NO_FID, NO_UID

TYPES = {name: (kind, fields) for kind, (name, fields) in wire.REQUESTS.items()}


def message(name: str, *values: Any, tag: int = 7) -> bytes:
    """A request."""
    kind, fields = TYPES[name]
    body = b""
    for letter, value in zip(fields, values, strict=True):
        if letter == "n":
            body += pack("<H", len(value)) + b"".join(map(wire.text, value))
        elif letter in "sd":
            body += (wire.text if letter == "s" else wire.data)(value)
        else:
            body += pack("<" + {"b": "B", "h": "H", "i": "I", "q": "Q"}[letter], value)
    return HEADER.pack(HEADER.size + len(body), kind, tag) + body


class Client:
    """A guest; an answer that is an error becomes an OSError."""

    def __init__(self, handle: Callable[[bytes], bytes], msize: int = 8192) -> None:
        self._handle = handle
        self.msize = int(unpack_from("<I", self("version", msize, wire.VERSION))[0])
        self.attach(0)

    def __call__(self, name: str, *values: Any) -> bytes:
        """The body of the answer."""
        reply = self._handle(message(name, *values, tag=9))
        size, kind, tag = HEADER.unpack_from(reply)
        assert size == len(reply) and tag == 9
        if kind == wire.ERROR:
            raise OSError(unpack("<I", reply[HEADER.size :])[0], name)
        assert kind == TYPES[name][0] + 1
        return reply[HEADER.size :]

    def attach(self, fid: int, uid: int = NO_UID) -> bytes:
        return self("attach", fid, NO_FID, b"root", b"", uid)

    def walk(self, new: int, *names: bytes, fid: int = 0) -> int:
        """How many names were found."""
        return int(unpack_from("<H", self("walk", fid, new, list(names)))[0])

    def open(self, new: int, *names: bytes, flags: int = 0) -> None:
        assert self.walk(new, *names) == len(names)
        self("lopen", new, flags)

    def read(self, fid: int, offset: int = 0, count: int = 4096) -> bytes:
        return self("read", fid, offset, count)[4:]

    def attributes(self, fid: int) -> dict[str, int]:
        names = ["mode", "uid", "gid", "nlink", "rdev", "size", "blksize", "blocks", "asec", "ansec", "msec", "mnsec"]
        return dict(zip(names, ATTRIBUTES.unpack(self("getattr", fid, 0x7FF)[21:]), strict=False))

    def change(self, fid: int, valid: int, **values: int) -> None:
        names = ["mode", "uid", "gid", "size", "asec", "ansec", "msec", "mnsec"]
        self("setattr", fid, valid, *(values.get(name, 0) for name in names))

    def names(self, fid: int, count: int = 4096, place: int = 0) -> list[bytes]:
        """All of an open folder, from a place on."""
        found = []
        while data := self("readdir", fid, place, count)[4:]:
            assert len(data) <= count
            while data:
                place, _kind, size = unpack_from("<QBH", data, 13)
                found.append(data[24 : 24 + size])
                data = data[24 + size :]
        return found
