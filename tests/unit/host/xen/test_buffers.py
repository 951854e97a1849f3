from __future__ import annotations

import pytest

from xenvm.host.xen.buffers import DATA, PAGES, Buffers


@pytest.fixture
def made() -> list[int]:
    return []


@pytest.fixture
def buffers(made: list[int]) -> Buffers:
    def allocate(pages: int) -> tuple[int, memoryview]:
        made.append(pages)
        return 0x1000 * len(made), memoryview(bytearray(pages * 4096))

    return Buffers(allocate)


def test_one_piece_serves_call_after_call(buffers: Buffers, made: list[int]) -> None:
    for _ in range(3):
        with buffers.lend():
            pass
    assert made == [PAGES]


def test_two_at_a_time_are_two(buffers: Buffers, made: list[int]) -> None:
    with buffers.lend() as one, buffers.lend() as other:
        assert one.address != other.address
    assert len(made) == 2


def test_an_error_gives_it_back(buffers: Buffers, made: list[int]) -> None:
    with pytest.raises(KeyError), buffers.lend():
        raise KeyError
    with buffers.lend():
        pass
    assert len(made) == 1


def test_put_and_get(buffers: Buffers) -> None:
    with buffers.lend() as buffer:
        assert buffer.put(b"abc", DATA) == buffer.data == buffer.address + DATA
        assert buffer.get(3, DATA) == b"abc"


def test_drain_hands_out_what_is_not_lent(buffers: Buffers) -> None:
    with buffers.lend():
        with buffers.lend() as idle:
            pass
        assert buffers.drain() == [idle]
        assert buffers.drain() == []
