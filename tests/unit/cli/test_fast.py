"""The fast path and click understand every command line alike, or the fast path leaves it to click."""

from __future__ import annotations

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.cli import app, fast, table

WORDS = ["-p", "-c", "-pc", "-n", "-f", "--json", "--timing", "-w", "-a", "-o", "--gpaddr-bits", "40", "x", "guest.cfg",
         "a=1", "--", "-", "", "-h", "--no-such", "--json=1", "5", "-e", "^]", "--dts", "vif=['bridge=b']"]  # fmt: skip


PLAIN = [(row.name,) for row in table.COMMANDS if not row.commands and not row.raw]
PLAIN += [(group.name, row.name) for group in table.COMMANDS for row in group.commands if not row.raw]


def by_click(names: tuple[str, ...], words: list[str]) -> dict[str, object] | None:
    row, name = table.find(names[0]), names[-1]
    row = row if row is None or len(names) == 1 else table.find(name, row.commands)
    assert row is not None
    command = app.build(row)
    seen: dict[str, object] = {}
    command.callback = seen.update
    try:
        command.main([*words], prog_name=name, standalone_mode=False)
    except click.ClickException:
        return None
    return seen


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PLAIN),
    st.lists(st.sampled_from(WORDS), max_size=5),
)
def test_the_same_values(names: tuple[str, ...], words: list[str]) -> None:
    plain = fast.parse([*names, *words])
    if plain is not None:
        assert plain[1] == by_click(names, words)


@pytest.mark.parametrize(
    "words",
    [["list"], ["create", "guest.cfg"], ["create", "-p", "guest.cfg", "vcpus=2"], ["destroy", "g"], ["des", "g"],
     ["list", "--json"], ["domid", "g"], ["pause", "3"], ["dtb", "--xen", "4.17", "g.cfg"],
     ["store", "ls", "-fp"], ["store", "write", "--", "/a", "-1"], ["lab", "up"]],
)  # fmt: skip
def test_what_must_be_fast_is(words: list[str]) -> None:
    assert fast.parse(words) is not None


def test_xl_gets_its_words_as_they_are() -> None:
    words = ["-N", "create", "--", "-h"]
    plain = fast.parse(["xl", *words])
    assert plain is not None and plain[1] == {"words": tuple(words)}


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["list", "--help"], ["no-such"], ["d"], ["destroy"], ["lab"], ["lab", "exec", "ls"],
     ["store"], ["store", "read"], ["store", "ls", "-fx"]],
)  # fmt: skip
def test_what_click_must_say(words: list[str]) -> None:
    assert fast.parse(words) is None


def test_prefixes_are_those_of_xl() -> None:
    assert table.find("cons") is table.find("console")
    assert table.find("do") is None, "domid or domname"
    assert table.find("list") is not None
    assert table.find("") is None
