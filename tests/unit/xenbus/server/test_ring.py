"""The ring page: both ends against each other, wrap-around, backpressure, and a hostile guest."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.bytering import STORE_REQUESTS
from xenbus.errors import RingError
from xenbus.server import ring
from xenbus.server.ring import GuestEnd, ServerEnd

RING_SIZE = STORE_REQUESTS.size
REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, FEATURES, CONNECTION, ERROR = range(2048, 2076, 4)


class Echo:
    """A connection that answers with what it gets."""

    def __init__(self) -> None:
        self.closed, self.out, self.fed = "", b"", 0

    @property
    def blocked(self) -> bool:
        return bool(self.out)

    def feed(self, data: bytes) -> None:
        self.fed += len(data)
        self.out += data
        if b"!" in data:
            self.closed = "it broke the protocol"

    def take(self, limit: int = -1) -> bytes:
        size = len(self.out) if limit < 0 else limit
        data, self.out = self.out[:size], self.out[size:]
        return data

    def close(self) -> None:
        self.closed = self.closed or "closed"


class Pair:
    """A page with both of its ends."""

    def __init__(self) -> None:
        self.page = bytearray(ring.PAGE_SIZE)
        self.made: list[Echo] = []
        self.server = ServerEnd(memoryview(self.page), self.connect)
        self.guest = GuestEnd(memoryview(self.page))

    def connect(self) -> Echo:
        self.made.append(Echo())
        return self.made[-1]

    def word(self, offset: int) -> int:
        number: int = struct.unpack_from("=I", self.page, offset)[0]
        return number

    def put(self, offset: int, value: int) -> None:
        struct.pack_into("=I", self.page, offset, value & 0xFFFFFFFF)


def test_introduction_sets_up_the_page() -> None:
    page = bytearray(b"\xff" * ring.PAGE_SIZE)
    ServerEnd(memoryview(page), Echo)
    assert struct.unpack_from("=7I", page, 2048) == (0, 0, 0, 0, ring.FEATURES, 0, 0)


def test_bytes_go_there_and_back() -> None:
    pair = Pair()
    assert not pair.server.step()
    assert pair.guest.send(b"hello") == 5
    assert pair.server.step()
    assert (pair.word(REQ_CONS), pair.word(REQ_PROD), pair.word(RSP_PROD)) == (5, 5, 5)
    assert pair.guest.receive() == b"hello"
    assert pair.word(RSP_CONS) == 5
    assert not pair.server.step()


@pytest.mark.parametrize("start", [0, 1020, 0xFFFFFFFF - 3])
def test_the_rings_wrap(start: int) -> None:
    pair = Pair()
    for offset in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD):
        pair.put(offset, start)
    data = bytes(range(100))
    assert pair.guest.send(data) == 100
    pair.server.step()
    assert pair.guest.receive() == data
    assert pair.word(RSP_CONS) == (start + 100) & 0xFFFFFFFF


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=3000).filter(lambda data: b"!" not in data), max_size=8))
def test_a_stream_survives_any_cut(pieces: list[bytes]) -> None:
    pair = Pair()
    left, got = b"".join(pieces), b""
    expected = left
    while len(got) < len(expected):
        left = left[pair.guest.send(left[:700]) :]
        pair.server.step()
        got += pair.guest.receive()
    assert got == expected


def test_a_full_ring_takes_no_more() -> None:
    pair = Pair()
    assert pair.guest.send(bytes(2000)) == RING_SIZE
    assert pair.guest.send(b"x") == 0


def test_a_guest_that_does_not_read_is_not_read_from() -> None:
    pair = Pair()
    for _turn in range(10):
        pair.guest.send(bytes(RING_SIZE))
        pair.server.step()
    assert pair.made[0].fed <= 2 * RING_SIZE
    assert len(pair.guest.receive()) == RING_SIZE
    assert pair.server.step()


@pytest.mark.parametrize("prod", [RING_SIZE + 1, -1, 0x80000000])
@pytest.mark.parametrize("index", [REQ_PROD, RSP_CONS])
def test_bad_indexes_end_the_connection_only(index: int, prod: int) -> None:
    pair = Pair()
    pair.put(index, prod if index == REQ_PROD else -prod)
    assert pair.server.step()
    assert pair.guest.error == pair.server.error == ring.BAD_INDEX
    assert pair.made[0].closed
    assert not pair.server.step()


def test_a_broken_protocol_is_told() -> None:
    pair = Pair()
    pair.guest.send(b"!")
    assert pair.server.step()
    assert pair.guest.error == ring.BAD_PROTOCOL


def test_the_guest_reconnects_after_an_error() -> None:
    pair = Pair()
    pair.guest.send(b"!")
    pair.server.step()
    pair.guest.reconnect()
    assert not pair.guest.connected
    assert pair.server.step()
    assert pair.guest.connected
    assert (pair.guest.error, pair.word(REQ_PROD), len(pair.made)) == (ring.NO_ERROR, 0, 2)
    pair.guest.send(b"again")
    pair.server.step()
    assert pair.guest.receive() == b"again"


def test_the_guest_does_not_believe_the_server_either() -> None:
    pair = Pair()
    pair.put(RSP_PROD, 5000)
    with pytest.raises(RingError):
        pair.guest.receive()
    pair.put(REQ_CONS, 1)
    with pytest.raises(RingError):
        pair.guest.send(b"x")


def test_features_are_seen() -> None:
    assert Pair().guest.features & ring.RECONNECTION
