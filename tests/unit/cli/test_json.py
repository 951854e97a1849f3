"""docs/json.md has a section for each command with --json, and names each field that the command prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Xenvm
from xenvm.cli.table import COMMANDS

PAGE = (Path(__file__).resolve().parents[3] / "docs/json.md").read_text()
SECTIONS = {
    name: text
    for heading, text in re.findall(r"^## (`.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    for name in re.findall("`([a-z0-9-]+)`", heading)
}
TABLES = [command.name for command in COMMANDS if any("--json" in option.flags for option in command.options)]
ELSEWHERE = {"create", "plan", "replay", "top"}
"""Described on pages of their own."""
WORDS = {"explain": ["g"], "check": ["g.cfg"], "xenstore-quota-get": ["-g"]}
"""What commands need; lists of devices need a guest."""


def fields(found: object) -> Iterator[str]:
    """Names of all fields; those of `info` are xl's."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield key
            yield from () if key == "host" else fields(value)
    elif isinstance(found, list):
        for value in found:
            yield from fields(value)


def test_each_command_has_its_section() -> None:
    assert set(TABLES) - ELSEWHERE == SECTIONS.keys() - {"store"}


def test_commands_with_lists_have_json() -> None:
    lists = {
        command.name for command in COMMANDS if command.name.endswith("list") or command.name in ("uptime", "claims")
    }
    assert lists <= set(TABLES)


def test_each_verb_of_the_store_is_there() -> None:
    (store,) = (command for command in COMMANDS if command.name == "store")
    for verb in store.commands:
        if any("--json" in option.flags for option in verb.options):
            assert re.search(rf"^\|[^|]*`{verb.name}`", SECTIONS["store"], re.MULTILINE), verb.name


@pytest.mark.parametrize("name", sorted(set(TABLES) - ELSEWHERE - {"events"}))
def test_each_field_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, xenvm: Xenvm, name: str) -> None:
    assert xenvm("create", "-q", str(folder / "g.cfg"))[0] == 0
    monkeypatch.chdir(folder)
    (folder / "g.cfg").write_text("memroy = 1\n")
    words = WORDS.get(name, ["g"] if name.endswith("-list") and name not in ("vm-list", "cpupool-list") else [])
    found = json.loads(xenvm(name, "--json", *words)[1])
    assert found["version"] == 1
    text = SECTIONS[name] + (SECTIONS["block-list"] + SECTIONS["network-list"] if name.endswith("-list") else "")
    assert {key for key in fields(found) if f"`{key}`" not in text} - {"version"} == set()
