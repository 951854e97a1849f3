"""What scripts and fleets go by: manual pages, units of systemd, the shell's completion."""

from __future__ import annotations

import configparser
import re
import runpy
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from xenvm.cli import app
from xenvm.cli.fast import parse
from xenvm.cli.rows import Command
from xenvm.cli.table import COMMANDS

TOP = Path(__file__).resolve().parents[2]
MANUAL = runpy.run_path(str(TOP / "docs/make_manual.py"))
UNITS = sorted((TOP / "systemd").iterdir())


@pytest.mark.parametrize("name", sorted(MANUAL["pages"]()))
def test_the_manual_is_that_of_the_tables(name: str) -> None:
    assert (TOP / "man" / name).read_text() == MANUAL["pages"]()[name], "stale: python3 docs/make_manual.py"


def test_no_page_is_left_over() -> None:
    assert {path.name for path in (TOP / "man").iterdir()} == set(MANUAL["pages"]())


def test_an_installation_has_all_pages_and_units() -> None:
    """And its metadata names each Python that it may be installed for."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    pages = {f"man/{path.name}": f"share/man/man{path.suffix[1:]}/{path.name}" for path in (TOP / "man").iterdir()}
    assert shared == {**pages, "systemd": "lib/systemd/system"}
    oldest = re.fullmatch(r">=3\.(\d+)", project["project"]["requires-python"])
    versions = re.findall(r"Python :: 3\.(\d+)", "\n".join(project["project"]["classifiers"]))
    assert oldest is not None and oldest[1] == versions[0]


def test_the_global_options_are_clicks() -> None:
    told = {flag for option in MANUAL["GLOBAL"] for flag in option.flags}
    assert told - {"-h", "--help"} == {flag for param in app.application().params for flag in param.opts}


@pytest.mark.parametrize(
    ("plain", "roff"), [(".a", "\\&.a"), ("'a", "\\&'a"), ("--host", "\\-\\-host"), ("a\\b", "a\\eb"), ("`x`", "x")]
)
def test_text_for_roff(plain: str, roff: str) -> None:
    assert MANUAL["text"](plain) == roff


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_commands_of_a_unit_are_plain_ones(unit: Path) -> None:
    """Each is one that the fast path reads, so its options are those of the table."""
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    reader.optionxform = str  # type: ignore[assignment,method-assign]
    reader.read(unit)
    lines = [value for key, value in reader["Service"].items() if key.startswith("Exec")]
    assert lines
    for line in lines:
        words = shlex.split(line.lstrip("-").replace("%i", "guest"))
        assert words[0] == "/usr/bin/xenvm"
        assert parse(words[1:]) is not None, line


def _completed(words: list[str], incomplete: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("xenvm.cli.domains.live_names", lambda: ["Domain-0", "web", "weather"])
    shell = BashComplete(app.application(), {}, "xenvm", "_XENVM_COMPLETE")
    return [item.value for item in shell.get_completions(words, incomplete)]


def _of_domains() -> list[Command]:
    return [row for row in COMMANDS if row.arguments and row.arguments[0].complete == "domain"]


@pytest.mark.parametrize("row", _of_domains(), ids=lambda row: row.name)
def test_completion_knows_the_living(row: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _completed([row.name], "we", monkeypatch) == ["web", "weather"]


def test_completion_of_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"block-attach", "block-detach", "block-list"} <= set(_completed([], "block-", monkeypatch))


def test_several_domains_can_be_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _completed(["vcpu-list", "web"], "wea", monkeypatch) == ["weather"]


def test_xls_words_are_completed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _completed(["xl"], "pau", monkeypatch) == ["pause"]
    assert _completed(["xl", "pause"], "wea", monkeypatch) == ["weather"]
    assert _completed(["dt-overlay", "attach", "o.dtbo"], "wea", monkeypatch) == ["weather"]


def test_an_argument_that_is_completed_is_passed_on_as_it_is() -> None:
    assert app.DomainName().convert("web", None, None) == "web"
    assert isinstance(app.DomainName(), click.ParamType)
