from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.fakestore import FakeStore
from tests.unit.cli.conftest import Xenvm
from tests.unit.cli.store.conftest import FRONT
from xenbus.perm import Perm
from xenbus.recording import END, HAVE, WATCHES, WRITE, Event, Header, Writer


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
    for names in (["-"], ["now"], ["-", "now"]):
        assert "diff takes the file of a snapshot or a recording" in xenvm("store", "diff", *names)[2]


# Recordings.


def written(folder: Path, name: str, *events: Event, domid: int | None = 5, watched: str = "/local/domain/5") -> str:
    with open(folder / name, "w") as file:
        writer = Writer(file, Header(WATCHES, 0.0, domid=domid, watched=(watched,)))
        for event in events:
            writer.put(event)
    return str(folder / name)


@pytest.fixture
def recorded(tmp_path: Path) -> str:
    return written(
        tmp_path,
        "a.rec",
        Event(0.1, HAVE, "/local/domain/5/name", b"guest", (Perm(0), Perm(5, read=True))),
        Event(1.5, WRITE, f"{FRONT}/state", b"1", (Perm(5),)),
        Event(1.5, WRITE, f"{FRONT}/ring-ref", b"8", (Perm(0),)),
        Event(1.6, WRITE, "/local/domain/5/odd", b"a\0b\n\xff"),
        Event(3.0, WRITE, f"{FRONT}/state", b"4", (Perm(0),)),
        Event(4.0, END),
    )


def test_a_recording_beside_now(fake: FakeStore, xenvm: Xenvm, recorded: str) -> None:
    fake.put("/elsewhere", "1")
    fake.put("/local/domain/6/name", "other")
    for names in (("now", recorded), (recorded, "now"), (recorded, "-"), (recorded,)):
        assert xenvm("store", "diff", *names) == (0, "", ""), names
    code, out, err = xenvm("store", "diff", f"{recorded}@2", "now")
    assert (code, err) == (1, "")
    assert out.splitlines() == [f'- {FRONT}/state = "1"   (n5)', f'+ {FRONT}/state = "4"   (n0)']


def test_recordings_and_snapshots(fake: FakeStore, xenvm: Xenvm, saved: str, recorded: str) -> None:
    assert xenvm("store", "diff", saved, recorded) == (0, "", "")
    assert xenvm("store", "diff", recorded, saved) == (0, "", "")
    out = xenvm("store", "diff", f"{recorded}@0.5", recorded)[1].splitlines()
    assert out == [
        f'+ {FRONT}/ring-ref = "8"   (n0)',
        f'+ {FRONT}/state = "4"   (n0)',
        '+ /local/domain/5/odd = "a\\000b\\n\\xff"',
    ]


def test_a_snapshot_of_a_part(fake: FakeStore, xenvm: Xenvm, recorded: str, tmp_path: Path) -> None:
    part = str(tmp_path / "part.json")
    assert xenvm("store", "export", "-o", part, "/local/domain/5/device")[0] == 0
    assert xenvm("store", "diff", part, recorded) == (0, "", "")
    assert xenvm("store", "diff", recorded, part) == (0, "", "")


def test_a_moment_as_a_store(xenvm: Xenvm, recorded: str) -> None:
    ls = ["store", "ls", "-f", "--socket"]
    assert xenvm(*ls, f"{recorded}@1", "/local/domain/5")[1] == '/local/domain/5/name = "guest"\n'
    assert f'{FRONT}/state = "1"\n' in xenvm(*ls, f"{recorded}@2.5", "/local/domain/5")[1]
    assert f'{FRONT}/state = "4"\n' in xenvm(*ls, recorded, "/local/domain/5")[1]


@pytest.mark.parametrize("moment", ["", "x", "-1", "nan", "inf"])
def test_what_is_no_moment(xenvm: Xenvm, recorded: str, moment: str) -> None:
    code, _, err = xenvm("store", "ls", "--socket", f"{recorded}@{moment}", "/")
    assert code == 1 and "is no number of seconds since the beginning of a recording" in err


def test_a_snapshot_has_one_moment(fake: FakeStore, xenvm: Xenvm, saved: str) -> None:
    assert "is a snapshot, of one moment only" in xenvm("store", "diff", f"{saved}@1", saved)[2]
    os.rename(saved, f"{saved}@1")
    assert xenvm("store", "diff", f"{saved}@1") == (0, "", "")  # a name with an @ in it


def test_recordings_of_two_domains(xenvm: Xenvm, recorded: str, tmp_path: Path) -> None:
    other = written(tmp_path, "b.rec", domid=7)
    code, out, err = xenvm("store", "diff", recorded, other)
    assert (code, out) == (1, "") and "the recordings are of domains 5 and 7: `xenvm replay" in err
