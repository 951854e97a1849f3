"""The page of ``--help`` that is made without click is click's own."""

from __future__ import annotations

import sys

import click
import pytest

from xenvm.cli import help as page
from xenvm.cli import main
from xenvm.cli.app import application


@pytest.mark.parametrize("columns", [1, 40, *range(52, 104), 200])
def test_it_is_what_click_says(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert page.columns() == columns
    group = application()
    assert page.page(columns) in (
        None,
        group.get_help(click.Context(group, None, "xenvm", **group.context_settings)) + "\n",
    )
    assert page.page(columns) is not None or columns < 60


@pytest.mark.parametrize("given", ["", "wide", "0", "-5"])
def test_a_width_that_makes_no_sense(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", given)
    monkeypatch.setattr(sys, "__stdout__", None)
    assert page.columns() == 80


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_no_click_is_imported(flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def left(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("xenvm.cli.run.leave", left)
    monkeypatch.setitem(sys.modules, "xenvm.cli.app", None)
    with pytest.raises(SystemExit) as caught:
        main([flag])
    assert caught.value.code == 0 and capsys.readouterr().out.startswith("Usage: xenvm [OPTIONS]")
