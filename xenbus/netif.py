"""Requests and responses of the network protocol (public/io/netif.h): one ring for each direction.

``tx`` is from the guest: a frame in pieces, each in a granted page. ``rx`` is to the guest: it offers empty pages.
"""

from __future__ import annotations

from struct import Struct

from xenbus.errors import RingError
from xenbus.value import Value

TX_SLOT_SIZE, TX_RESPONSE_SIZE = 12, 4
RX_SLOT_SIZE, RX_RESPONSE_SIZE = 8, 8
MAX_FRAME = 65535
MAX_SLOTS = 18
"""Most pieces of a frame that every back end takes."""

TX_CHECKSUM_BLANK, TX_DATA_VALIDATED, TX_MORE_DATA, TX_EXTRA_INFO = 1, 2, 4, 8
RX_DATA_VALIDATED, RX_CHECKSUM_BLANK, RX_MORE_DATA, RX_EXTRA_INFO = 1, 2, 4, 8
OKAY, ERROR, DROPPED, NULL = 0, -1, -2, 1
"""Statuses of responses; NULL answers a slot that was no request but more of one."""

_PAGE_SIZE = 4096
_TX = Struct("<IHHHH")
_TX_RESPONSE = Struct("<Hh")
_RX = Struct("<HxxI")
_RX_RESPONSE = Struct("<HHHh")


class TxRequest(Value):
    """A piece of a frame from the guest. `size` of the first piece is that of the whole frame."""

    ref: int
    offset: int
    flags: int
    id: int
    size: int

    def pack(self) -> bytes:
        """The slot's bytes."""
        return _TX.pack(self.ref, self.offset, self.flags, self.id, self.size)


class TxResponse(Value):
    """The piece `id` is not needed any more."""

    id: int
    status: int = OKAY

    def pack(self) -> bytes:
        """The slot's bytes."""
        return _TX_RESPONSE.pack(self.id, self.status)


class RxRequest(Value):
    """An empty page for a frame to the guest."""

    id: int
    ref: int

    def pack(self) -> bytes:
        """The slot's bytes."""
        return _RX.pack(self.id, self.ref)


class RxResponse(Value):
    """A frame, or a piece of one, is in the page `id`: `status` is its size, or an error below zero."""

    id: int
    offset: int
    flags: int
    status: int

    def pack(self) -> bytes:
        """The slot's bytes."""
        return _RX_RESPONSE.pack(self.id, self.offset, self.flags, self.status)


def parse_tx_request(untrusted: bytes) -> TxRequest:
    """A slot of the tx ring; nothing in it is refused yet, see `frame_pieces`."""
    return TxRequest(*_TX.unpack_from(untrusted))


def parse_tx_response(untrusted: bytes) -> TxResponse:
    """A response's slot."""
    return TxResponse(*_TX_RESPONSE.unpack_from(untrusted))


def parse_rx_request(untrusted: bytes) -> RxRequest:
    """A slot of the rx ring."""
    return RxRequest(*_RX.unpack_from(untrusted))


def parse_rx_response(untrusted: bytes) -> RxResponse:
    """A response's slot; RingError if the piece does not lie in its page."""
    response = RxResponse(*_RX_RESPONSE.unpack_from(untrusted))
    if response.status > 0 and response.offset + response.status > _PAGE_SIZE:
        raise RingError(f"a received frame of {response.status} bytes at {response.offset} leaves its page")
    return response


def frame_pieces(requests: list[TxRequest]) -> list[TxRequest]:
    """The pieces of one frame, each with its own size, the first one's worked out; RingError if they make no sense."""
    first = requests[0]
    rest = sum(request.size for request in requests[1:])
    pieces = [first.replace(size=first.size - rest), *requests[1:]] if rest < first.size else []
    if not pieces or any(not piece.size or piece.offset + piece.size > _PAGE_SIZE for piece in pieces):
        raise RingError(f"a frame of {first.size} bytes in {len(requests)} pieces makes no sense")
    return pieces
