"""Messages of 9P2000.L: whatever bytes come, they are a request or refused."""

from __future__ import annotations

from errno import EOPNOTSUPP, EPROTO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.host.p9.client import TYPES, message
from xenvm.host.p9 import wire

FIELDS = {
    "b": st.integers(0, 0xFF),
    "h": st.integers(0, 0xFFFF),
    "i": st.integers(0, 0xFFFFFFFF),
    "q": st.integers(0, 2**64 - 1),
    "s": st.binary(max_size=20),
    "d": st.binary(max_size=20),
    "n": st.lists(st.binary(max_size=9), max_size=wire.WALK_MAX),
}
REQUESTS = st.sampled_from(sorted(TYPES)).flatmap(
    lambda name: st.tuples(st.just(name), st.tuples(*(FIELDS[letter] for letter in TYPES[name][1])))
)


@settings(max_examples=100)
@given(REQUESTS)
def test_what_was_put_together_is_taken_apart(request: tuple[str, tuple[object, ...]]) -> None:
    name, values = request
    assert wire.parse(message(name, *values)) == (name, list(values))


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=64), REQUESTS.map(lambda each: message(each[0], *each[1]))), st.data())
def test_anything_else_is_refused(raw: bytes, data: st.DataObject) -> None:
    cut = raw[: data.draw(st.integers(0, len(raw)))] + data.draw(st.binary(max_size=4))
    if data.draw(st.booleans()) and len(cut) >= 5:
        cut = len(cut).to_bytes(4, "little") + data.draw(st.sampled_from(sorted(wire.REQUESTS))).to_bytes(1) + cut[5:]
    try:
        name, values = wire.parse(cut)
    except wire.WireError as error:
        assert error.errno in (EPROTO, EOPNOTSUPP)
    else:
        assert message(name, *values)[7:] == cut[7:]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", EPROTO),
        (message("clunk", 1)[:-1], EPROTO),
        (message("clunk", 1) + b"!", EPROTO),
        (b"\x0c\0\0\0\x78\x07\0" + bytes(5), EPROTO),
        (b"\x07\0\0\0\x06\x07\0", EOPNOTSUPP),
        (message("walk", 1, 2, [b"a"] * 17), EPROTO),
        (b"\x0d\0\0\0\x64\x07\0" + b"\xff" * 6, EPROTO),
    ],
)
def test_refusals(raw: bytes, why: int) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.parse(raw)
    assert caught.value.errno == why


def test_answers() -> None:
    request = message("getattr", 1, 2, tag=0x1234)
    assert wire.answer(request, b"xy") == b"\x09\0\0\0\x19\x34\x12xy"
    assert wire.refusal(request, 5) == b"\x0b\0\0\0\x07\x34\x12\x05\0\0\0"
    assert wire.text(b"ab") == b"\x02\0ab" and wire.data(b"ab") == b"\x02\0\0\0ab"
