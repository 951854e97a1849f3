"""getopt_long's rules, also beside Python's own port of them."""

from __future__ import annotations

import getopt as python

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.cli.xl.getopt import UnknownOption, parse

LONGS = {"all": "a", "wait": "w", "waste": "x", "file": "f"}


@pytest.mark.parametrize(
    ("words", "given", "operands"),
    [
        ("g -aw h", [("a", ""), ("w", "")], ["g", "h"]),
        ("-fx -f y", [("f", "x"), ("f", "y")], []),
        ("-wfx g", [("w", ""), ("f", "x")], ["g"]),
        ("--wai --file=x --fi y", [("w", ""), ("f", "x"), ("f", "y")], []),
        ("-a -- -w", [("a", "")], ["-w"]),
        ("- -a", [("a", "")], ["-"]),
    ],
)
def test_words(words: str, given: list[tuple[str, str]], operands: list[str]) -> None:
    assert parse(words.split(), "awxf:", LONGS) == (given, operands)


@pytest.mark.parametrize(
    ("words", "letter"), [("-q", "q"), ("-aq", "q"), ("-:", ":"), ("-f", "f"), ("--file", "f"), ("--all=1", "a"),
                          ("--was=1", "x"), ("--wa", ""), ("--no", "")]
)  # fmt: skip
def test_what_is_no_option(words: str, letter: str) -> None:
    with pytest.raises(UnknownOption) as caught:
        parse(words.split(), "awxf:", LONGS)
    assert str(caught.value) == letter


def test_options_end_at_the_first_word_if_they_must() -> None:
    assert parse(["-a", "list", "-w"], "aw", {}, permute=False) == ([("a", "")], ["list", "-w"])


WORDS = ["-a", "-w", "-aw", "-f", "-fv", "-q", "--all", "--wait", "--file", "--file=v", "--fi", "--", "-", "g", "h=i"]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_as_pythons_own(words: list[str]) -> None:
    try:
        options, operands = python.gnu_getopt(words, "awxf:", ["all", "wait", "waste", "file="])
    except python.GetoptError:
        with pytest.raises(UnknownOption):
            parse(words, "awxf:", LONGS)
        return
    wanted = [(LONGS[name[2:]] if name.startswith("--") else name[1:], value) for name, value in options]
    assert parse(words, "awxf:", LONGS) == (wanted, operands)
