from __future__ import annotations

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
        (["rm", "/"], "invalid request"),
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
