"""Packets of the XenStore protocol, without any input or output (public/io/xs_wire.h).

A packet is a header of four 32-bit words in the machine's byte order (operation, request id, transaction id, length)
and up to 4096 bytes of payload. Clients, servers and tests share this codec.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Packet = tuple[int, int, int, bytes]
"""(operation, request id, transaction id, payload)"""
PAYLOAD_MAX = 4096
"""XENSTORE_PAYLOAD_MAX: most bytes behind a header, in both directions."""
HEADER = struct.Struct("=IIII")
HEADER_SIZE = 16

CONTROL = 0
DIRECTORY = 1
READ = 2
GET_PERMS = 3
WATCH = 4
UNWATCH = 5
TRANSACTION_START = 6
TRANSACTION_END = 7
INTRODUCE = 8
RELEASE = 9
GET_DOMAIN_PATH = 10
WRITE = 11
MKDIR = 12
RM = 13
SET_PERMS = 14
WATCH_EVENT = 15
ERROR = 16
IS_DOMAIN_INTRODUCED = 17
RESUME = 18
SET_TARGET = 19
RESTRICT = 20
RESET_WATCHES = 21
DIRECTORY_PART = 22
GET_FEATURE = 23
SET_FEATURE = 24
GET_QUOTA = 25
SET_QUOTA = 26

OP_NAMES = (
    *("CONTROL", "DIRECTORY", "READ", "GET_PERMS", "WATCH", "UNWATCH", "TRANSACTION_START", "TRANSACTION_END"),
    *("INTRODUCE", "RELEASE", "GET_DOMAIN_PATH", "WRITE", "MKDIR", "RM", "SET_PERMS", "WATCH_EVENT", "ERROR"),
    *("IS_DOMAIN_INTRODUCED", "RESUME", "SET_TARGET", "RESTRICT", "RESET_WATCHES", "DIRECTORY_PART"),
    *("GET_FEATURE", "SET_FEATURE", "GET_QUOTA", "SET_QUOTA"),
)
"""Names of the operations, by number."""

ERROR_NAMES = frozenset(
    (
        *("EINVAL", "EACCES", "EEXIST", "EISDIR", "ENOENT", "ENOMEM", "ENOSPC", "EIO"),
        *("ENOTEMPTY", "ENOSYS", "EROFS", "EBUSY", "EAGAIN", "EISCONN", "E2BIG", "EPERM"),
    )
)
"""All errors that may go over the wire (xsd_errors); a client takes any other for EINVAL."""

OK = b"OK\0"


class PacketError(ValueError):
    """Bytes that are no packet; the connection they came from cannot be used any more."""


def op_name(op: int) -> str:
    """The name of an operation, or its number for an unknown one."""
    return OP_NAMES[op] if op < len(OP_NAMES) else str(op)


def pack(op: int, req_id: int, tx_id: int, payload: bytes) -> bytes:
    """One packet; `payload` must not exceed PAYLOAD_MAX."""
    return HEADER.pack(op, req_id, tx_id, len(payload)) + payload


def error_name(payload: bytes) -> str:
    """The errno's name in an ERROR packet, EINVAL for one that the protocol does not know."""
    name = payload.rstrip(b"\0").decode("ascii", "replace")
    return name if name in ERROR_NAMES else "EINVAL"


def split_strings(payload: bytes) -> list[str]:
    """The NUL-terminated strings of a payload; bytes from 0x80 on survive a round trip."""
    if not payload:
        return []
    return payload.removesuffix(b"\0").decode("utf-8", "surrogateescape").split("\0")


def join_strings(strings: Iterable[str]) -> bytes:
    """A payload of NUL-terminated strings."""
    return b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in strings)


class Decoder:
    """Makes packets out of a stream's pieces, wherever it was cut; holds less than one packet between calls."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete now; raises PacketError for a length above PAYLOAD_MAX."""
        if self._rest:
            data = self._rest + data
        packets = []
        start, size = 0, len(data)
        while size - start >= HEADER_SIZE:
            op, req_id, tx_id, length = HEADER.unpack_from(data, start)
            if length > PAYLOAD_MAX:
                raise PacketError(f"a packet of {length} bytes, {PAYLOAD_MAX} are allowed")
            end = start + HEADER_SIZE + length
            if end > size:
                break
            packets.append((op, req_id, tx_id, data[start + HEADER_SIZE : end]))
            start = end
        self._rest = data[start:]
        return packets
