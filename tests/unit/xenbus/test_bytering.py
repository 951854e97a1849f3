from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.bytering import (
    CONSOLE_IN,
    CONSOLE_OUT,
    STORE_REPLIES,
    STORE_REQUESTS,
    ByteReader,
    ByteWriter,
    Layout,
)
from xenbus.errors import RingError

ALL = (CONSOLE_IN, CONSOLE_OUT, STORE_REQUESTS, STORE_REPLIES)


def pair(layout: Layout, start: int = 0) -> tuple[ByteWriter, ByteReader, memoryview]:
    page = memoryview(bytearray(4096))
    page[layout.cons : layout.cons + 4] = page[layout.prod : layout.prod + 4] = start.to_bytes(4, "little")
    return ByteWriter(page, layout), ByteReader(page, layout), page


@pytest.mark.parametrize("layout", ALL)
@given(st.lists(st.binary(max_size=3000), max_size=8), st.integers(0, 2**32 - 1), st.integers(1, 4000))
@settings(max_examples=25, deadline=None)
def test_bytes_pass_in_order(layout: Layout, chunks: list[bytes], start: int, limit: int) -> None:
    writer, reader, _page = pair(layout, start)
    for chunk in chunks:
        seen, rest = b"", chunk
        while rest:
            rest = rest[writer.write(rest) :]
            while some := reader.read(limit):
                seen += some
        assert seen == chunk


def test_a_full_ring_takes_nothing() -> None:
    writer, reader, _page = pair(CONSOLE_OUT)
    assert writer.write(bytes(3000)) == 2048
    assert writer.write(b"x") == 0
    assert reader.read(10) == bytes(10)
    assert writer.write(bytes(3000)) == 10


@pytest.mark.parametrize("layout", ALL)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_wild_indexes_are_an_error_or_bounded(layout: Layout, cons: int, prod: int) -> None:
    writer, reader, page = pair(layout)
    page[layout.cons : layout.cons + 4] = cons.to_bytes(4, "little")
    page[layout.prod : layout.prod + 4] = prod.to_bytes(4, "little")
    used = (prod - cons) % 2**32
    if used <= layout.size:
        assert len(reader.read()) == used
    else:
        with pytest.raises(RingError):
            reader.read()
        with pytest.raises(RingError):
            writer.write(b"x")


def test_a_closed_ring_lets_go_of_its_page() -> None:
    writer, reader, page = pair(CONSOLE_IN)
    writer.close()
    reader.close()
    page.release()
