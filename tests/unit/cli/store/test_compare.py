from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.fakestore import FakeStore
from tests.unit.cli.conftest import Xenvm
from tests.unit.cli.store.conftest import FRONT


@pytest.fixture
def saved(fake: FakeStore, xenvm: Xenvm, tmp_path: Path) -> str:
    path = str(tmp_path / "saved.json")
    assert xenvm("store", "export", "-o", path, "/local/domain/5") == (0, "", "")
    return path


def test_there_and_back(fake: FakeStore, xenvm: Xenvm, saved: str) -> None:
    before = fake.dump("/local/domain/5")
    assert os.stat(saved).st_mode & 0o777 == 0o600
    fake.drop("/local/domain/5")
    assert xenvm("store", "import", saved) == (0, "", "")
    assert fake.dump("/local/domain/5") == before
    assert xenvm("store", "export", "/local/domain/5")[1] == Path(saved).read_text()


def test_import_elsewhere(fake: FakeStore, xenvm: Xenvm, saved: str) -> None:
    assert xenvm("store", "import", saved, "/copy", "--no-perms")[0] == 0
    assert fake.get("/copy/odd") == b"a\0b\n\xff"
    assert "(n0,r5)" not in fake.dump("/copy")


def test_a_file_that_is_no_snapshot(fake: FakeStore, xenvm: Xenvm, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"\xff\xfe")
    assert "is no text" in xenvm("store", "import", str(tmp_path / "junk"))[2]
    assert "No such file" in xenvm("store", "import", str(tmp_path / "none"))[2]


def test_diff_with_now(fake: FakeStore, xenvm: Xenvm, saved: str) -> None:
    assert xenvm("store", "diff", saved) == (0, "", "")
    fake.put(f"{FRONT}/state", "6")
    fake.put("/local/domain/5/new", "1")
    fake.drop("/local/domain/5/odd")
    fake.put("/elsewhere", "1")
    code, out, _err = xenvm("store", "diff", saved)
    assert code == 1
    assert out.splitlines() == [
        f'- {FRONT}/state = "4"   (n0)',
        f'+ {FRONT}/state = "6"   (n0)',
        '+ /local/domain/5/new = "1"   (n0)',
        '- /local/domain/5/odd = "a\\000b\\n\\xff"   (n0)',
    ]
    assert xenvm("store", "diff", "-", saved)[1].splitlines()[0] == f'- {FRONT}/state = "6"   (n0)'


def test_diff_of_files_needs_no_store(
    fake: FakeStore, xenvm: Xenvm, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = saved + ".2"
    Path(other).write_text(Path(saved).read_text().replace("n0,r5", "n0,b5"))
    monkeypatch.setenv("XENSTORED_PATH", "/no/such")
    assert xenvm("store", "diff", saved, other) == (1, "! /local/domain/5/name  (n0,r5) -> (n0,b5)\n", "")
    found = json.loads(xenvm("store", "diff", "--json", saved, other)[1])
    assert found["changes"][0]["before"]["perms"] == "n0,r5"
    assert "no store answers" in xenvm("store", "diff", saved)[2]


def test_a_place_that_is_gone(fake: FakeStore, xenvm: Xenvm, saved: str) -> None:
    fake.drop("/local/domain/5")
    out = xenvm("store", "diff", saved)[1].splitlines()
    assert len(out) == 8 and all(line.startswith("- ") for line in out)


def test_now_with_now_makes_no_sense(fake: FakeStore, xenvm: Xenvm) -> None:
    assert "diff takes a snapshot's file" in xenvm("store", "diff", "-")[2]
