from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus import wire

PACKETS = st.lists(
    st.tuples(
        st.integers(0, 26), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=wire.PAYLOAD_MAX)
    ),
    max_size=5,
)


@pytest.mark.skipif(sys.byteorder != "little", reason="the words are in the machine's order")
def test_a_packet_byte_for_byte() -> None:
    packet = wire.pack(wire.WRITE, 7, 0x01020304, b"/a\0x")
    assert packet == bytes.fromhex("0b000000 07000000 04030201 04000000 2f610078")


def test_names_follow_the_numbers() -> None:
    assert len(wire.OP_NAMES) == 27
    for name in ("CONTROL", "WRITE", "ERROR", "IS_DOMAIN_INTRODUCED", "RESTRICT", "DIRECTORY_PART", "SET_QUOTA"):
        assert wire.op_name(getattr(wire, name)) == name
    assert wire.op_name(99) == "99"


@settings(max_examples=50)
@given(PACKETS, st.data())
def test_any_cut_of_the_stream_gives_the_packets(packets: list[wire.Packet], data: st.DataObject) -> None:
    stream = b"".join(wire.pack(*packet) for packet in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder, seen = wire.Decoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        seen += decoder.feed(stream[start:end])
    assert seen == packets


def test_byte_by_byte() -> None:
    decoder, seen = wire.Decoder(), []
    for byte in wire.pack(2, 1, 0, b"abc") + wire.pack(15, 0, 0, b""):
        seen += decoder.feed(bytes([byte]))
    assert seen == [(2, 1, 0, b"abc"), (15, 0, 0, b"")]


def test_the_longest_payload_and_one_more() -> None:
    decoder = wire.Decoder()
    assert decoder.feed(wire.pack(2, 1, 0, bytes(4096)))[0][3] == bytes(4096)
    with pytest.raises(wire.PacketError, match="4097 bytes"):
        decoder.feed(wire.HEADER.pack(2, 1, 0, 4097))


@pytest.mark.parametrize(
    ("payload", "name"),
    [(b"ENOENT\0", "ENOENT"), (b"E2BIG", "E2BIG"), (b"EQUOTA\0", "EINVAL"), (b"\xff", "EINVAL"), (b"", "EINVAL")],
)
def test_error_names(payload: bytes, name: str) -> None:
    assert wire.error_name(payload) == name


def test_strings() -> None:
    assert wire.split_strings(b"") == []
    assert wire.split_strings(b"a\0\0b\0") == ["a", "", "b"]
    assert wire.split_strings(b"a\0b") == ["a", "b"]
    assert wire.join_strings(wire.split_strings(b"\xff\x80\0")) == b"\xff\x80\0"
