from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus import netif
from xenbus.errors import RingError

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
s16 = st.integers(-(2**15), 2**15 - 1)


@given(u32, u16, u16, u16, u16, s16)
@settings(max_examples=100, deadline=None)
def test_messages_round_trip(ref: int, offset: int, flags: int, number: int, size: int, status: int) -> None:
    tx = netif.TxRequest(ref, offset, flags, number, size)
    assert len(tx.pack()) == netif.TX_SLOT_SIZE and netif.parse_tx_request(tx.pack()) == tx
    answer = netif.TxResponse(number, status)
    assert len(answer.pack()) == netif.TX_RESPONSE_SIZE and netif.parse_tx_response(answer.pack()) == answer
    rx = netif.RxRequest(number, ref)
    assert len(rx.pack()) == netif.RX_SLOT_SIZE and netif.parse_rx_request(rx.pack()) == rx
    filled = netif.RxResponse(number, 0, flags, min(status, 4096))
    assert len(filled.pack()) == netif.RX_RESPONSE_SIZE and netif.parse_rx_response(filled.pack()) == filled


@given(st.binary(min_size=8, max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_received_piece_lies_in_its_page_or_is_refused(untrusted: bytes) -> None:
    try:
        response = netif.parse_rx_response(untrusted)
    except RingError:
        return
    assert response.status <= 0 or response.offset + response.status <= 4096


@given(st.lists(st.tuples(u16, u16), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_pieces_add_up_or_are_refused(shapes: list[tuple[int, int]]) -> None:
    requests = [netif.TxRequest(1, offset, 0, 0, size) for offset, size in shapes]
    try:
        pieces = netif.frame_pieces(requests)
    except RingError:
        return
    assert sum(piece.size for piece in pieces) == requests[0].size
    assert all(piece.size > 0 and piece.offset + piece.size <= 4096 for piece in pieces)


def test_the_first_piece_s_size_is_that_of_the_frame() -> None:
    pieces = netif.frame_pieces([netif.TxRequest(1, 0, 4, 0, 100), netif.TxRequest(2, 0, 0, 1, 40)])
    assert [piece.size for piece in pieces] == [60, 40]


def test_a_frame_smaller_than_its_pieces_is_refused() -> None:
    with pytest.raises(RingError):
        netif.frame_pieces([netif.TxRequest(1, 0, 4, 0, 40), netif.TxRequest(2, 0, 0, 1, 40)])
