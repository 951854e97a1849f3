"""JSON without the json package."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.guest.jsontext import parse, text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=100)
def test_there_and_back(value: object) -> None:
    assert json.loads(text(value)) == value  # type: ignore[arg-type]
    assert parse(text(value)) == value  # type: ignore[arg-type]


def test_the_layout_is_that_of_libxl() -> None:
    assert text({"a": [1, True], "b": {}}) == '{\n    "a": [\n        1,\n        true\n    ],\n    "b": {}\n}'


@pytest.mark.parametrize("bad", ["", "x", "{", "[1,", '{"a"}', "1 2", '"\\x"', "[" * 100_000])
def test_what_is_none(bad: str) -> None:
    with pytest.raises(ValueError):
        parse(bad)
