from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.errors import RingError
from xenbus.ring import BackRing, FrontRing, slots_for


def pair(slot: int = 12) -> tuple[FrontRing, BackRing, bytearray]:
    page = bytearray(4096)
    return FrontRing(memoryview(page), slot), BackRing(memoryview(page), slot), page


@pytest.mark.parametrize("slot, slots", [(112, 32), (12, 256), (8, 256)])
def test_the_slots_of_the_known_protocols(slot: int, slots: int) -> None:
    assert slots_for(4096, slot) == slots


def test_a_page_too_small_has_no_slots() -> None:
    with pytest.raises(ValueError):
        slots_for(64, 8)


def test_a_new_page_asks_for_the_first_event() -> None:
    page = bytearray(b"\xff" * 4096)
    FrontRing(memoryview(page), 12)
    assert page[:16] == bytes((0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0))
    assert not any(page[16:])


def test_requests_are_seen_after_the_push_only() -> None:
    front, back, _page = pair()
    front.put(b"a" * 12)
    assert list(back.requests()) == []
    assert front.push()
    assert list(back.requests()) == [b"a" * 12]
    assert not front.push()


def test_the_other_end_is_told_once_until_it_asks_again() -> None:
    front, back, _page = pair()
    front.put(b"1")
    assert front.push()
    front.put(b"2")
    assert not front.push(), "it was told already, and has not looked"
    assert len(list(back.requests())) == 2
    front.put(b"3")
    assert front.push()


def test_a_front_end_goes_on_with_an_old_page() -> None:
    front, back, page = pair()
    front.put(b"x")
    front.push()
    again = FrontRing(memoryview(page), 12, fresh=False)
    assert again.free == front.free
    back.put(next(back.requests())[:4])
    back.push()
    assert [each[:1] for each in again.responses(4)] == [b"x"]


def test_no_response_without_a_request() -> None:
    _front, back, _page = pair()
    with pytest.raises(ValueError):
        back.put(b"")


@given(st.lists(st.integers(1, 256), max_size=20), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_all_that_goes_in_comes_out_in_order(bursts: list[int], start: int) -> None:
    page = bytearray(4096)
    view = memoryview(page).cast("I")
    view[0] = view[2] = start
    view[1] = view[3] = (start + 1) & 0xFFFFFFFF
    front, back = FrontRing(memoryview(page), 12, fresh=False), BackRing(memoryview(page), 12)
    for burst in bursts:
        sent = [bytes([n & 0xFF]) * 12 for n in range(burst)]
        for request in sent:
            front.put(request)
        assert front.free == 256 - burst
        assert front.push()
        for request in back.requests():
            back.put(request[:4])
        assert back.push()
        assert list(front.responses(12)) == sent
        assert front.free == 256


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_wild_request_index_is_an_error_or_bounded(prod: int) -> None:
    _front, back, page = pair()
    memoryview(page).cast("I")[0] = prod
    if prod <= 256:
        assert len(list(back.requests())) == prod
    else:
        with pytest.raises(RingError, match="256 slots"):
            list(back.requests())


@given(st.integers(1, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_responses_to_nothing_are_an_error(prod: int) -> None:
    front, _back, page = pair()
    memoryview(page).cast("I")[2] = prod
    with pytest.raises(RingError, match="responses"):
        list(front.responses(4))


def test_a_back_end_refuses_a_page_that_is_wild_from_the_start() -> None:
    page = memoryview(bytearray(b"\x99" * 4 + b"\0" * 4092))
    with pytest.raises(RingError):
        BackRing(page, 12)


def test_requests_cannot_go_backwards() -> None:
    front, back, page = pair()
    for _ in range(3):
        front.put(b"r")
    front.push()
    assert len(list(back.requests())) == 3
    memoryview(page).cast("I")[0] = 1
    with pytest.raises(RingError):
        list(back.requests())


def test_a_closed_ring_lets_go_of_its_page() -> None:
    page = memoryview(bytearray(4096))
    back = BackRing(page, 12)
    back.close()
    page.release()
