"""The documents against the code: what they list, they list completely."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from xenvm.cli import run
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
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for name, options in re.findall(r"\bxenvm ([a-z][a-z-]*)((?: -{1,2}[a-z-]+)+)", text):
        command = find(name)
        assert command is not None and (command.commands or set(options.split()) <= {*_options(command), "--help"})


def test_every_advisory_of_the_store_has_its_test() -> None:
    listed = re.findall(r"^\| XSA-([\d, ]+) \|.*\|(.*)\|$", (TOP / "docs/store-server.md").read_text(), re.MULTILINE)
    tests = (TOP / "tests/unit/xenbus/server/test_advisories.py").read_text()
    assert len(listed) > 20
    for numbers, named in listed:
        for number in numbers.split(", "):
            assert re.search(rf"def test_xsa_(\d+_)*(and_)?{number}_", tests), number
        assert all(f"def {name}" in tests for name in re.findall(r"`(test_xsa_\w+?_)\.\.\.`", named)), named
