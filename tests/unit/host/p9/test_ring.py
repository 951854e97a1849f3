"""The ring of a shared folder: requests and answers across the ends of pages and of the ring, and a hostile guest."""

from __future__ import annotations

from struct import pack_into

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.host.p9.client import message
from tests.unit.host.p9.front import Front
from xenbus.errors import DeviceFault, RingError
from xenvm.host.p9.ring import ORDER_MAX, FolderRing, references


def pages(count: int) -> list[memoryview]:
    return [memoryview(bytearray(4096)) for _ in range(count)]


def pair(order: int = 1, start: int = 0) -> tuple[Front, FolderRing]:
    page, data = pages(1)[0], pages(1 << order)
    front = Front(page, data)
    for at in (0, 4, 64, 68):
        front.set(at, start)
    return front, FolderRing(page, data)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=12), st.sampled_from([0, 4000, 8190, 0xFFFFF000, 0xFFFFFFFE]))
def test_requests_and_answers(sizes: list[int], start: int) -> None:
    front, ring = pair(2, start)
    for number, size in enumerate(sizes):
        request = message("write", number, 0, bytes((number,)) * size)
        front.say(request[:20])
        assert ring.take(4096) is None, "it is not whole"
        front.say(request[20:])
        assert ring.take(4096) == ring.take(4096) == request
        ring.answer(request, request[::-1])
        assert ring.take(4096) is None and front.hear() == request[::-1]
    assert front.index(64) == front.index(68) and ring.has_room(8192)


def test_room() -> None:
    front, ring = pair(1)
    request = message("clunk", 1)
    for _ in range(2):
        front.say(request)
        assert ring.has_room(2000)
        ring.answer(request, bytes(2000))
    assert not ring.has_room(97) and ring.has_room(96)
    assert len(front.hear()) == 4000 and ring.has_room(4096)


@pytest.mark.parametrize("size", [0, 6, 4097, 0xFFFFFFFF])
def test_sizes_that_cannot_be(size: int) -> None:
    front, ring = pair()
    front.say(size.to_bytes(4, "little") + bytes(20))
    with pytest.raises(RingError, match=f"a request has {size} bytes, where 7 to 4096 are possible"):
        ring.take(4096)


@pytest.mark.parametrize("index", [4097, 0x80000000, 0xFFFFE000])
def test_indexes_that_cannot_be(index: int) -> None:
    front, ring = pair()
    front.set(68, index)
    with pytest.raises(RingError, match="a ring of 4096 bytes says that it holds"):
        ring.take(4096)
    front.set(0, ~index)
    with pytest.raises(RingError):
        ring.has_room(1)


def test_own_indexes_are_not_read_back() -> None:
    front, ring = pair()
    request = message("clunk", 1)
    front.say(request)
    front.set(64, 77)
    front.set(4, 99)
    assert ring.take(100) == request
    ring.answer(request, b"answer")
    assert front.index(4) == 6 and front.index(64) == len(request)


def test_a_size_that_changes_counts_once() -> None:
    front, ring = pair()
    front.say(message("clunk", 1))
    get = ring._get

    def changing(size: int) -> bytes:
        found = get(size)
        front.data[1][0] = 0xFF
        return found

    ring._get = changing  # type: ignore[method-assign]
    assert ring.take(100) == message("clunk", 1)


def test_references() -> None:
    (page,) = pages(1)
    for order in (0, ORDER_MAX + 1, 0xFFFFFFFF):
        pack_into("<I", page, 128, order)
        with pytest.raises(DeviceFault, match=f"order {order} is not possible"):
            references(page)
    pack_into("<5I", page, 128, 2, 9, 8, 7, 6)
    assert references(page) == [9, 8, 7, 6]


def test_nothing_is_kept() -> None:
    page, data = pages(1)[0], pages(2)
    FolderRing(page, data).close()
    page.release()
    for each in data:
        each.release()
