from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.fakestore import FakeStore
from xenbus.client import Store
from xenbus.errors import StoreError, XenbusError
from xenbus.perm import Perm
from xenbus.request import Introduce, Mkdir, Remove, Request, SetPerms, Write
from xenbus.undo import Journal


@pytest.mark.parametrize(
    "requests",
    [
        [Write("/t/a", b"2")],
        [Write("/t/new/and/deep", b"2")],
        [Mkdir("/t/new/and")],
        [Mkdir("/t/a")],
        [Remove("/t")],
        [Remove("/t/none")],
        [SetPerms("/t/a", [Perm(7)])],
        [Write("/t/a", b"2"), Remove("/t/a"), Mkdir("/t/a/b"), Write("/t/a", b"3"), SetPerms("/t", [Perm(3)])],
    ],
    ids=repr,
)
def test_a_change_is_taken_back(store: Store, fake: FakeStore, requests: Sequence[Request]) -> None:
    fake.put("/t/a", b"\xff\0")
    fake.put("/t/a/deep", "1")
    store.set_perms("/t/a", [Perm(5), Perm(0, read=True)])
    journal, before = Journal(), fake.dump()
    journal.do(store, "it", requests)
    if journal.steps:
        step = journal.undo(store)
        assert step is not None and step.what == "it"
    assert fake.dump() == before
    assert journal.undo(store) is None


def test_what_was_done_before_an_error_is_remembered(store: Store, fake: FakeStore) -> None:
    journal = Journal()
    with pytest.raises(StoreError):
        journal.do(store, "it", [Write("/a", b"1"), Remove("/none/at/all")])
    assert fake.get("/a") == b"1"
    assert journal.undo(store) is not None
    assert fake.get("/a") is None


def test_an_undo_that_fails_can_be_tried_again(store: Store, fake: FakeStore) -> None:
    journal = Journal()
    journal.do(store, "it", [Write("/a", b"1")])
    fake.inject(fake.count + 1, "EIO")
    with pytest.raises(StoreError):
        journal.undo(store)
    assert journal.undo(store) is not None


def test_transactions(store: Store, fake: FakeStore) -> None:
    journal = Journal()
    journal.do(store, "first", [Write("/a", b"1")])
    journal.begin()
    with store.transaction() as tx:
        journal.do(tx, "second", [Write("/a", b"2")])
        journal.do(tx, "third", [Write("/a", b"3")])
        assert journal.undo(tx) is not None
        journal.do(tx, "fourth", [Write("/b", b"4")])
    journal.end(True)
    assert (fake.get("/a"), fake.get("/b")) == (b"2", b"4")
    step = journal.undo(store)
    assert step is not None and step.what == "a transaction of 2 changes"
    assert (fake.get("/a"), fake.get("/b")) == (b"1", None)


def test_a_transaction_that_is_dropped_leaves_nothing_to_undo(store: Store) -> None:
    journal = Journal()
    journal.do(store, "first", [Write("/a", b"1")])
    journal.begin()
    assert journal.undo(store) is None, "what is before the transaction stays"
    tx = store.transaction()
    journal.do(tx, "second", [Write("/a", b"2")])
    tx.abort()
    journal.end(False)
    assert [step.what for step in journal.steps] == ["first"]
    journal.end(True)
    assert [step.what for step in journal.steps] == ["first"]


def test_what_cannot_be_undone_is_not_done(store: Store, fake: FakeStore) -> None:
    with pytest.raises(XenbusError, match="introduce 5 1 1 cannot be undone"):
        Journal().do(store, "it", [Introduce(5, 1, 1)])
    assert fake.introduced == {}
