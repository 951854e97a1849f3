"""The documents against the code: what they list, they list completely."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from xenvm.cli import app, run
from xenvm.cli.rows import Command
from xenvm.cli.table import COMMANDS, find

TOP = Path(__file__).resolve().parents[2]
PAGES = [*sorted(TOP.glob("*.md")), *sorted((TOP / "docs").glob("*.md"))]


def test_settings_are_those_of_the_table() -> None:
    made = runpy.run_path(str(TOP / "docs/make_configuration.py"))["lines"]()
    hint = "stale: python3 docs/make_configuration.py >docs/settings.md"
    assert (TOP / "docs/settings.md").read_text() == "\n".join(made) + "\n", hint


def test_xls_commands_are_those_of_the_table() -> None:
    made = runpy.run_path(str(TOP / "docs/make_xl.py"))["lines"]()
    assert (TOP / "docs/xl.md").read_text() == "\n".join(made) + "\n", "stale: python3 docs/make_xl.py >docs/xl.md"


def test_the_readme_lists_all_commands() -> None:
    rows = "".join(line for line in (TOP / "README.md").read_text().splitlines() if line.startswith("| `"))
    assert {command.name for command in COMMANDS} <= set(re.findall(r"`([a-z0-9-]+)", rows))


def test_the_readme_leads_to_every_page() -> None:
    text = (TOP / "README.md").read_text()
    assert [page.name for page in (TOP / "docs").glob("*.md") if f"(docs/{page.name}" not in text] == []


@pytest.mark.parametrize("name", ["lab", "store"])
def test_a_groups_page_lists_all_verbs_and_options(name: str) -> None:
    text = (TOP / f"docs/{name}.md").read_text()
    group = find(name)
    assert group is not None
    for verb in group.commands:
        assert f"| `{verb.name}" in text
        assert all(any(f"`{flag}" in text for flag in option.flags) for option in verb.options), verb.name


@pytest.mark.parametrize("code", [*{code for _, code in run._CODES}, run.OK, run.FAILED, run.USAGE, 130])
def test_exit_codes_are_documented(code: int) -> None:
    assert f"\n| {code} | " in (TOP / "docs/exit-codes.md").read_text()


def _options(command: Command) -> set[str]:
    return {flag for option in command.options for flag in option.flags}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_links_and_options(page: Path) -> None:
    text = page.read_text()
    assert [line for line in text.splitlines() if len(line) > 120] == []
    for target, place in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not place or place in _places(there), f"{target}#{place}"
    for name, options in re.findall(r"\bxenvm ([a-z][a-z-]*)((?: -{1,2}[a-z-]+)+)", text):
        command = find(name)
        assert command is not None and (command.commands or set(options.split()) <= {*_options(command), "--help"})


def _places(page: Path) -> set[str]:
    """What links can name of a page: its headings in small letters, hyphens for spaces, without punctuation."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def _typed(text: str) -> list[list[str]]:
    """The words behind `xenvm` of each command line in a page's blocks, up to what is the shell's."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks = "\n".join([*fenced, *re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)])
    found = []
    for line in re.findall(r"^ *(?:[#$] |/\S*> )?((?:\w+=\S+ )*xenvm .*)$", blocks, re.MULTILINE):
        words = shlex.split(line, comments=True)
        words = words[words.index("xenvm") + 1 :]
        found.append(words[: next((at for at, word in enumerate(words) if word[0] in "|<>&;"), None)])
    return found


def _accept(words: list[str]) -> None:
    """Reads a command line as the command itself does; click's error if it would refuse it."""
    rest = words[2:] if words[0] == "--host" else words
    row = find(rest[0])
    while row is not None and row.commands and len(rest) > 1:
        rest = rest[1:]
        row = find(rest[0], row.commands)
    assert row is not None, words
    if not row.commands:
        app.build(row).make_context(row.name, rest[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_reader_is_to_type_is_a_command_line(page: Path) -> None:
    for words in _typed(page.read_text()):
        _accept(words)


def test_every_advisory_of_the_store_has_its_test() -> None:
    listed = re.findall(r"^\| XSA-([\d, ]+) \|.*\|(.*)\|$", (TOP / "docs/store-server.md").read_text(), re.MULTILINE)
    tests = (TOP / "tests/unit/xenbus/server/test_advisories.py").read_text()
    assert len(listed) > 20
    for numbers, named in listed:
        for number in numbers.split(", "):
            assert re.search(rf"def test_xsa_(\d+_)*(and_)?{number}_", tests), number
        assert all(f"def {name}" in tests for name in re.findall(r"`(test_xsa_\w+?_)\.\.\.`", named)), named
