"""Modules that are imported without the heavy ones that they do not need here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from xenbus import frugal


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``lib`` whose module ``lib.part`` imports ``heavy`` and, from it, one name."""
    package = tmp_path / "lib"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('the whole package was imported')")
    (package / "part.py").write_text("import heavy\nfrom heavy import light\n\ndef use():\n    return heavy.weight\n")
    (tmp_path / "heavy.py").write_text("light = 'from heavy'\nweight = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("lib", "lib.part", "heavy"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return tmp_path


def load(private: bool = False) -> object:
    stand_ins = {"lib": frugal.bare_package("lib"), "heavy": frugal.Deferred("heavy", light="at hand")}
    return frugal.load("lib.part", stand_ins, private)


def test_a_stand_in_answers_until_more_is_wanted(library: Path) -> None:
    part = load()
    assert "heavy" not in sys.modules
    assert part.light == "at hand"  # type: ignore[attr-defined]
    assert part.use() == 7  # type: ignore[attr-defined]
    assert sys.modules["heavy"].light == "from heavy"


def test_what_is_wanted_during_the_import_is_fetched_at_once(library: Path) -> None:
    stand_ins = {"lib": frugal.bare_package("lib"), "heavy": frugal.Deferred("heavy")}
    assert frugal.load("lib.part", stand_ins).light == "from heavy"


def test_modules_that_are_there_are_used(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = type(sys)("heavy")
    heavy.light = "there before"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "heavy", heavy)
    assert load().light == "there before"  # type: ignore[attr-defined]
    assert sys.modules["heavy"] is heavy


@pytest.mark.parametrize("private", [True, False])
def test_privately_nothing_is_left_for_others(library: Path, private: bool) -> None:
    load(private)
    assert ("lib.part" in sys.modules) is not private
    assert "lib" not in sys.modules


def test_an_import_that_fails_leaves_no_stand_in(library: Path) -> None:
    (library / "lib" / "part.py").write_text("import heavy\nimport no_such_module\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load()
    assert not {"lib", "lib.part", "heavy"} & set(sys.modules)


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package is not installed"):
        frugal.bare_package("no_such_package")
