from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.support.fakestore import FakeStore
from tests.unit.cli.conftest import Xenvm
from xenbus.perm import Perm, format_perms


def test_write(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "write", "/a/b", "x\\n\\000", "/c", "ü") == (0, "", "")
    assert (fake.get("/a/b"), fake.get("/c")) == (b"x\n\0", "ü".encode())
    assert fake.ops["TRANSACTION_END"] == 1, "all or none"
    assert xenvm("store", "write", "-R", "/c", "\\n")[0] == 0
    assert fake.get("/c") == b"\\n"
    assert xenvm("store", "write", "--", "/c", "-1")[0] == 0
    assert fake.get("/c") == b"-1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["write", "/a"], "pairs of a path and a value"),
        (["write", "/a", "\\q"], "begins no escape"),
        (["write", "/a/", "x"], "is not a store path"),
        (["chmod", "/local", "x5"], "is not a permission"),
        (["chmod", "/none", "n0"], "/none: it does not exist"),
        (["rm", "/none/at/all"], "it does not exist"),
        (["rm", "-y", "/"], "invalid request"),
    ],
)
def test_what_is_refused(fake: FakeStore, xenvm: Xenvm, words: list[str], message: str) -> None:
    before = fake.dump()
    code, out, err = xenvm("store", *words)
    assert (code, out) == (1, "") and message in err
    assert fake.dump() == before


def test_mkdir_and_rm(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "mkdir", "/a/b", "/a/c")[0] == 0
    assert fake.children("/a") == ["b", "c"]
    assert xenvm("store", "rm", "/a/b", "/none")[0] == 0
    assert fake.children("/a") == ["c"]


def test_rm_tidies(fake: FakeStore, xenvm: Xenvm) -> None:
    fake.put("/t/keep", "1")
    fake.put("/t/a/b/c", "1")
    assert xenvm("store", "rm", "-t", "/t/a/b/c")[0] == 0
    assert fake.children("/t") == ["keep"]
    fake.put("/t", "value")
    assert xenvm("store", "rm", "-t", "/t/keep")[0] == 0
    assert fake.get("/t") == b"value"


LIVING = ("/local/domain/5", "/local", "/local/domain/5/device/vbd", "/local/domain/0/backend/vbd/5/51712")


@pytest.mark.parametrize("path", LIVING)
def test_a_script_has_to_mean_it(fake: FakeStore, xenvm: Xenvm, path: str) -> None:
    fake.put("/local/domain/0/backend/vbd/5/51712/state", "4")
    fake.introduced[5] = 1, 1
    before = fake.dump()
    code, out, err = xenvm("store", "rm", "/harmless", path)
    assert (code, out) == (1, "") and fake.dump() == before
    assert err.startswith(f"xenvm: {path} is ") and "nothing was removed; `rm --yes` removes it without" in err
    assert xenvm("store", "rm", "--yes", path) == (0, "", "")
    assert fake.get(path) is None


def test_a_script_may_clear_away_dead_domains(fake: FakeStore, xenvm: Xenvm) -> None:
    assert xenvm("store", "rm", "/local/domain/5/device/vbd/51712", "/local/domain/5") == (0, "", "")
    assert fake.get("/local/domain/5") is None


def test_who_may_not_ask_is_asked(fake: FakeStore, xenvm: Xenvm) -> None:
    fake.inject(1, "EACCES")
    assert "which lives: nothing was removed" in xenvm("store", "rm", "/local/domain/5")[2]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1), ("yo\n", 1)])
def test_a_terminal_is_asked(
    fake: FakeStore, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    fake.introduced[5] = 1, 1
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    got, out, err = xenvm("store", "rm", "/local/domain/5")
    assert (got, out) == (code, "")
    assert err.startswith("/local/domain/5 is all that is known of domain 5, which lives.\nGo on? [y/N] ")
    assert (fake.get("/local/domain/5") is None) == (code == 0)


def perms(fake: FakeStore, path: str) -> str:
    return format_perms(fake.tree[path][1])


def test_chmod(fake: FakeStore, xenvm: Xenvm) -> None:
    fake.put("/t/a/b")
    assert xenvm("store", "chmod", "/t/a", "n0", "r5")[0] == 0
    assert [perms(fake, path) for path in ("/t", "/t/a", "/t/a/b")] == ["n0", "n0,r5", "n0"]
    assert xenvm("store", "chmod", "-r", "/t/a", "n5,b0")[0] == 0
    assert [perms(fake, path) for path in ("/t", "/t/a", "/t/a/b")] == ["n0", "n5,b0", "n5,b0"]
    assert xenvm("store", "chmod", "-u", "/t/a/b", "n1")[0] == 0
    assert [perms(fake, path) for path in ("/", "/t", "/t/a", "/t/a/b")] == ["n0", "n1", "n1", "n1"]
    assert fake.tree["/t"][1] == (Perm(1),)


def test_an_owner_that_does_not_exist(folder: Path, xenvm: Xenvm) -> None:
    assert xenvm("store", "write", "/a", "1")[0] == 0
    code, _out, err = xenvm("store", "chmod", "/a", "n7")
    assert (code, err) == (1, "xenvm: there is no domain 7 that could own /a\n")
    assert xenvm("store", "ls", "-fp", "-d", "1")[1].splitlines()[-1] == '/a = "1"   (n0)'
