"""gc on the command line: what it prints, asks and answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Xenvm
from xenvm.host.sim.host import open_world

OTHER = "99999999-2222-3333-4444-555555555555"


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simulated host where three things are left over."""
    folder = tmp_path / "world"
    monkeypatch.setenv("XENVM_HOST", f"sim:{folder}")
    with open_world(str(folder)) as host:
        host.store.write("/libxl/77/type", "pvh")
        host.store.write(f"/vm/{OTHER}/uuid", OTHER)
        host.world.plumbing.block.loops["/dev/simloop7"] = "/old.img", False
    return folder


def test_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xenvm: Xenvm) -> None:
    monkeypatch.setenv("XENVM_HOST", f"sim:{tmp_path}/world")
    assert xenvm("gc") == (0, "", "")
    assert json.loads(xenvm("gc", "--json")[1]) == {"version": 1, "found": [], "removed": [], "troubles": []}
    assert xenvm("gc", "--remove", "--all")[0] == 0


def test_shows_and_changes_nothing(left: Path, xenvm: Xenvm) -> None:
    code, out, err = first = xenvm("gc")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "nodes:/libxl/77",
        "    /libxl/77 is of domain 77, which does not exist",
        "    to remove it: xenvm gc --remove nodes:/libxl/77",
        f"nodes:/vm/{OTHER}",
        f"    /vm/{OTHER} is of a domain that does not exist",
        f"    to remove it: xenvm gc --remove nodes:/vm/{OTHER}",
        "loop:/dev/simloop7",
        "    /dev/simloop7 has /old.img, and no back end uses it",
        "    to remove it: xenvm gc --remove loop:/dev/simloop7",
    ]
    assert xenvm("gc") == first


def test_json(left: Path, xenvm: Xenvm) -> None:
    code, out, _ = xenvm("gc", "--json")
    found = json.loads(out)["found"]
    assert code == 1 and [row["kind"] for row in found] == ["nodes", "nodes", "loop"]
    assert found[2] == {
        "id": "loop:/dev/simloop7",
        "kind": "loop",
        "name": "/dev/simloop7",
        "sentence": "/dev/simloop7 has /old.img, and no back end uses it",
        "remedy": "xenvm gc --remove loop:/dev/simloop7",
        "sure": True,
        "holders": [],
    }


def test_removes_by_kind_and_by_id(left: Path, xenvm: Xenvm) -> None:
    assert xenvm("gc", "--remove", "loop") == (0, "removed loop:/dev/simloop7\n", "")
    assert xenvm("gc", "-r", "nodes:/libxl/77") == (0, "removed nodes:/libxl/77\n", "")
    assert xenvm("gc", "--remove", "nodes:/libxl/77")[0] == 1
    code, out, _ = xenvm("gc", "--remove", "--all", "--json")
    assert (code, json.loads(out)["removed"]) == (0, [f"nodes:/vm/{OTHER}"])
    assert xenvm("gc") == (0, "", "")


@pytest.mark.parametrize("words", [("loop",), ("-y",), ("--all", "loop")])
def test_a_choice_without_remove(left: Path, xenvm: Xenvm, words: tuple[str, ...]) -> None:
    code, out, err = xenvm("gc", *words)
    assert (code, out) == (2, "") and "--remove removes it" in err


def test_asks_on_a_terminal(left: Path, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["", "y", "nonsense"])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _question: next(answers))
    code, out, _ = xenvm("gc", "--remove")
    assert code == 0 and out.endswith(f"removed nodes:/vm/{OTHER}\n")
    assert xenvm("gc")[1].count("to remove it") == 2


def test_does_not_ask_without_a_terminal(left: Path, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert xenvm("gc", "--remove") == (2, "", "xenvm: say what to remove: kinds, ids, or --all\n")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert xenvm("gc", "--remove", "--json")[0] == 2
