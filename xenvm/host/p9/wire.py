"""Messages of 9P2000.L, the dialect of Linux (diod's protocol.md): taken apart and put together, and nothing more.

A request comes from a guest: every length in it is compared with what is there.
"""

from __future__ import annotations

from errno import EOPNOTSUPP, EPROTO
from struct import Struct, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADER = Struct("<IBH")
"""size, which counts itself, type and tag of any message."""
NO_FID = NO_UID = 0xFFFFFFFF
VERSION = b"9P2000.L"
ERROR = 7
"""The type of Rlerror; any other answer has its request's type and one more."""
WALK_MAX = 16
"""Names in one Twalk."""
DATA_OVERHEAD = HEADER.size + 4
"""What is around the data of Rread and Rreaddir."""

REQUESTS = {
    8: ("statfs", "i"),
    12: ("lopen", "ii"),
    14: ("lcreate", "isiii"),
    16: ("symlink", "issi"),
    18: ("mknod", "isiiii"),
    20: ("rename", "iis"),
    22: ("readlink", "i"),
    24: ("getattr", "iq"),
    26: ("setattr", "iiiiiqqqqq"),
    30: ("xattrwalk", "iis"),
    32: ("xattrcreate", "isqi"),
    40: ("readdir", "iqi"),
    50: ("fsync", "ii"),
    52: ("lock", "ibiqqis"),
    54: ("getlock", "ibqqis"),
    70: ("link", "iis"),
    72: ("mkdir", "isii"),
    74: ("renameat", "isis"),
    76: ("unlinkat", "isi"),
    100: ("version", "is"),
    102: ("auth", "issi"),
    104: ("attach", "iissi"),
    108: ("flush", "h"),
    110: ("walk", "iin"),
    116: ("read", "iqi"),
    118: ("write", "iqd"),
    120: ("clunk", "i"),
    122: ("remove", "i"),
}
"""Name and fields of a request by its type: b, h, i and q are numbers of 1, 2, 4 and 8 bytes, s is text, d data, and n
are names."""

_NUMBERS = {letter: Struct(f"<{code}") for letter, code in zip("bhiq", "BHIQ", strict=True)}


class WireError(OSError):
    """A request that is none; its errno is the answer to it."""


class _Reader:
    def __init__(self, message: bytes) -> None:
        self._message, self._at = message, HEADER.size

    def number(self, letter: str) -> int:
        form = _NUMBERS[letter]
        return int(form.unpack(self._take(form.size))[0])

    def field(self, letter: str) -> Any:
        if letter == "s":
            return self._take(self.number("h"))
        if letter == "d":
            return self._take(self.number("i"))
        if letter == "n":
            count = self.number("h")
            if count > WALK_MAX:
                raise WireError(EPROTO, "too many names")
            return [self._take(self.number("h")) for _ in range(count)]
        return self.number(letter)

    def _take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._message):
            raise WireError(EPROTO, "a message that ends too early")
        return self._message[start : self._at]

    def end(self) -> None:
        if self._at != len(self._message):
            raise WireError(EPROTO, "a message with something behind its end")


def parse(message: bytes) -> tuple[str, list[Any]]:
    """The name of a request and its fields: integers, bytes, or a list of bytes; WireError."""
    if len(message) < HEADER.size:
        raise WireError(EPROTO, "no message")
    size, kind, _tag = HEADER.unpack_from(message)
    if size != len(message):
        raise WireError(EPROTO, "a message of another size")
    if kind not in REQUESTS:
        raise WireError(EOPNOTSUPP, "no request of this protocol")
    name, fields = REQUESTS[kind]
    reader = _Reader(message)
    values = [reader.field(letter) for letter in fields]
    reader.end()
    return name, values


def answer(request: bytes, body: bytes) -> bytes:
    """The answer to a request whose header is whole."""
    _size, kind, tag = HEADER.unpack_from(request)
    return HEADER.pack(HEADER.size + len(body), kind + 1, tag) + body


def refusal(request: bytes, errno: int) -> bytes:
    """Rlerror, with one of Linux' numbers."""
    return HEADER.pack(HEADER.size + 4, ERROR, HEADER.unpack_from(request)[2]) + pack("<I", errno)


def text(value: bytes) -> bytes:
    """Text of at most 65535 bytes, as it is sent."""
    return pack("<H", len(value)) + value


def data(value: bytes) -> bytes:
    """Data, as it is sent."""
    return pack("<I", len(value)) + value
