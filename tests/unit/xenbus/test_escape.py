from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.errors import InvalidValue
from xenbus.escape import escape, unescape


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"", ""), (b"a\0b", "a\\000b"), (b"\0011\x7fa\xff9", "\\0011\\x7fa\\xff9"), (b"\t\n\r\\", "\\t\\n\\r\\\\"),
     (b"\x08\x1f", "\\x08\\x1f"), (b'say "hi"', 'say "hi"'), ("grüße".encode(), "gr\\xc3\\xbc\\xc3\\x9fe")],
)  # fmt: skip
def test_as_the_tools_show_it(value: bytes, text: str) -> None:
    assert escape(value) == text
    assert unescape(text) == value


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_there_and_back(value: bytes) -> None:
    assert unescape(escape(value)) == value


def test_what_is_no_escape_of_ours_is_taken_too() -> None:
    assert unescape("\\7\\18ä") == b"\x07\x018" + "ä".encode()


@pytest.mark.parametrize("text", ["\\", "a\\q", "\\x4", "\\xgg", "\\777", "\\8"])
def test_a_lone_backslash_is_told(text: str) -> None:
    with pytest.raises(InvalidValue, match="begins no escape"):
        unescape(text)
