from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus import blkif
from xenbus.errors import RingError

u64 = st.integers(0, 2**64 - 1)
u16 = st.integers(0, 2**16 - 1)
segment = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 7), st.integers(0, 7)).map(
    lambda each: blkif.Segment(each[0], min(each[1:]), max(each[1:]))
)
requests = st.builds(
    blkif.Request, st.integers(0, 4), u64, u64, st.lists(segment, max_size=11).map(tuple), u16
) | st.builds(blkif.Discard, u64, u64, u64, st.booleans(), u16)


@given(requests)
@settings(max_examples=100, deadline=None)
def test_requests_round_trip(request: blkif.Request | blkif.Discard) -> None:
    packed = request.pack().ljust(blkif.SLOT_SIZE, b"\xee")
    assert len(packed) == blkif.SLOT_SIZE
    assert blkif.parse_request(packed) == request
    assert blkif.request_id(packed) == (request.id, request.operation)


@given(u64, st.integers(0, 255), st.sampled_from((0, -1, -2)))
@settings(max_examples=50, deadline=None)
def test_responses_round_trip(number: int, operation: int, status: int) -> None:
    response = blkif.Response(number, operation, status)
    assert len(response.pack()) == blkif.RESPONSE_SIZE
    assert blkif.parse_response(response.pack()) == response


@given(st.binary(min_size=112, max_size=112))
@settings(max_examples=100, deadline=None)
def test_any_slot_is_a_request_in_bounds_or_an_error(untrusted: bytes) -> None:
    try:
        request = blkif.parse_request(untrusted)
    except RingError:
        return
    assert isinstance(request, blkif.Discard) or request.sectors <= 88


def test_the_layout_is_that_of_the_header() -> None:
    packed = blkif.Request(blkif.WRITE, 0x1122, 7, (blkif.Segment(9, 1, 2),), 0xCA00).pack()
    assert packed[:4] == b"\1\1\0\xca"
    assert packed[8:10] == b"\x22\x11" and packed[16] == 7 and packed[24:32] == b"\x09\0\0\0\1\2\0\0"


@pytest.mark.parametrize("first, last", [(3, 2), (0, 8), (255, 255)])
def test_segments_outside_their_page_are_refused(first: int, last: int) -> None:
    packed = blkif.Request(blkif.READ, 1, 0, (blkif.Segment(1, first, last),)).pack().ljust(112, b"\0")
    with pytest.raises(RingError, match="sectors"):
        blkif.parse_request(packed)


def test_too_many_segments_are_refused() -> None:
    with pytest.raises(RingError, match="12 segments"):
        blkif.parse_request(bytes((0, 12)) + bytes(110))
