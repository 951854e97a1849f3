"""Requests and responses of the block protocol (public/io/blkif.h), as 64-bit systems and every ARM lay them out."""

from __future__ import annotations

from struct import Struct

from xenbus.errors import RingError
from xenbus.value import Value

SECTOR_SIZE = 512
"""The unit of all sector numbers, whatever the disk's own."""
SECTORS_PER_PAGE = 8
SLOT_SIZE = 112
RESPONSE_SIZE = 16
MAX_SEGMENTS = 11
"""Most segments of a request that is not indirect."""
PROTOCOL = "arm-abi"
"""What both ends call this layout."""

READ, WRITE, BARRIER, FLUSH, _RESERVED, DISCARD = range(6)
"""Operations."""
OKAY, ERROR, UNSUPPORTED = 0, -1, -2
"""Statuses of responses."""

INFO_CDROM, INFO_REMOVABLE, INFO_READONLY = 1, 2, 4
"""Bits of the back end's node ``info``."""

_HEAD = Struct("<BBH4xQQ")
_SEGMENT = Struct("<IBBxx")
_DISCARD = Struct("<BBH4xQQQ")
_RESPONSE = Struct("<QBxhxxxx")


class Segment(Value):
    """Sectors `first` to `last` (0..7, both included) of a granted page."""

    ref: int
    first: int
    last: int

    @property
    def sectors(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


class Request(Value):
    """A read, write, barrier or flush; `sector` in units of 512 bytes."""

    operation: int
    id: int
    sector: int = 0
    segments: tuple[Segment, ...] = ()
    handle: int = 0

    @property
    def sectors(self) -> int:
        """The length of the transfer."""
        return sum(segment.sectors for segment in self.segments)

    def pack(self) -> bytes:
        """The slot's bytes."""
        head = _HEAD.pack(self.operation, len(self.segments), self.handle, self.id, self.sector)
        return head + b"".join(_SEGMENT.pack(each.ref, each.first, each.last) for each in self.segments)


class Discard(Value):
    """Sectors whose contents are not needed any more."""

    id: int
    sector: int
    sectors: int
    secure: bool = False
    handle: int = 0
    operation: int = DISCARD

    def pack(self) -> bytes:
        """The slot's bytes."""
        return _DISCARD.pack(DISCARD, self.secure, self.handle, self.id, self.sector, self.sectors)


class Response(Value):
    """How a request ended: `status` is OKAY, ERROR or UNSUPPORTED."""

    id: int
    operation: int
    status: int = OKAY

    def pack(self) -> bytes:
        """The slot's bytes."""
        return _RESPONSE.pack(self.id, self.operation, self.status)


def request_id(untrusted: bytes) -> tuple[int, int]:
    """(id, operation) of any slot, with which even a request that makes no sense is answered."""
    operation, _count, _handle, number, _sector = _HEAD.unpack_from(untrusted)
    return number, operation


def parse_request(untrusted: bytes) -> Request | Discard:
    """What a slot asks for. RingError if its segments make no sense; an unknown operation is the caller's to refuse."""
    operation, count, handle, number, sector = _HEAD.unpack_from(untrusted)
    if operation == DISCARD:
        _op, flags, handle, number, sector, sectors = _DISCARD.unpack_from(untrusted)
        return Discard(number, sector, sectors, bool(flags & 1), handle)
    if operation > DISCARD:
        return Request(operation, number, sector, (), handle)
    if count > MAX_SEGMENTS:
        raise RingError(f"a block request has {count} segments, more than {MAX_SEGMENTS}")
    segments = tuple(Segment(*_SEGMENT.unpack_from(untrusted, _HEAD.size + 8 * i)) for i in range(count))
    for each in segments:
        if not each.first <= each.last < SECTORS_PER_PAGE:
            raise RingError(f"a segment of a block request is of the sectors {each.first} to {each.last} of a page")
    return Request(operation, number, sector, segments, handle)


def parse_response(untrusted: bytes) -> Response:
    """What a response's slot says; nothing in it is refused."""
    return Response(*_RESPONSE.unpack_from(untrusted))
