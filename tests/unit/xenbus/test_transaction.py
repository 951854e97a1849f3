from __future__ import annotations

import pytest

from tests.support.fakestore import FakeStore
from xenbus.client import Store
from xenbus.errors import Conflict, NotFound, StoreClosed
from xenbus.perm import Perm
from xenbus.request import Introduce, Read, Remove, Request, SetPerms, Watch, Write
from xenbus.transaction import Transaction


def test_nothing_is_seen_before_the_end(store: Store, fake: FakeStore) -> None:
    with store.transaction() as tx:
        tx.write("/a/b", "1")
        tx.set_perms("/a", (Perm(5),))
        assert tx.read("/a/b") == b"1"
        assert store.read_or_none("/a/b") is None
    assert store.read("/a/b") == b"1"
    assert fake.ops["TRANSACTION_END"] == 1


def test_an_exception_drops_the_changes(store: Store, fake: FakeStore) -> None:
    with pytest.raises(RuntimeError), store.transaction() as tx:
        tx.write("/a", "1")
        raise RuntimeError
    assert store.read_or_none("/a") is None
    assert fake.ops["TRANSACTION_END"] == 1


def test_what_went_wrong_matters_more_than_the_abort(store: Store, fake: FakeStore) -> None:
    fake.inject(2, "close")
    with pytest.raises(StoreClosed, match="the server ended it"), store.transaction() as tx:
        tx.read("/a")


def test_a_conflict_is_raised_at_the_end(store: Store, fake: FakeStore) -> None:
    fake.put("/n", "1")
    with pytest.raises(Conflict, match="another client changed the same nodes"), store.transaction() as tx:
        fake.put("/n", "5")
        tx.write("/n", "2")
    assert store.read("/n") == b"5"


def test_retry_does_a_read_modify_write_until_it_is_alone(store: Store, fake: FakeStore) -> None:
    fake.put("/n", "0")

    def add_one(tx: Transaction) -> int:
        number = int(tx.read("/n")) + 1
        if number < 4:
            fake.put("/n", str(number))
        tx.write("/n", str(number))
        return number

    assert store.retry(add_one) == 4
    assert store.read("/n") == b"4"


def test_retry_gives_up(store: Store, fake: FakeStore) -> None:
    tries = []

    def disturbed(tx: Transaction) -> None:
        tries.append(tx.id)
        tx.write("/n", "1")
        fake.put("/n", "2")

    with pytest.raises(Conflict):
        store.retry(disturbed, attempts=3)
    assert len(tries) == 3


@pytest.mark.parametrize(("checked", "waits"), [(True, 3), (False, 2)])
def test_transact_waits_as_seldom_as_it_can(store: Store, fake: FakeStore, checked: bool, waits: int) -> None:
    before = store.waits
    body = [Write("/a/b", "1"), SetPerms("/a", (Perm(5),)), Read("/a/b")]
    then = [Introduce(5, 0x39001, 1), Watch("/a", "t"), Read("/a/b")]
    assert store.transact(body, then=then, checked=checked) == [None, None, b"1", None, None, b"1"]
    assert store.waits - before == waits
    assert fake.dump("/a") == "/a = b''   (n5)\n/a/b = b'1'   (n0)\n"
    assert fake.introduced == {5: (0x39001, 1)}


def test_a_checked_body_that_is_refused_changes_nothing(store: Store, fake: FakeStore) -> None:
    with pytest.raises(NotFound, match="read /none"):
        store.transact([Write("/a", "1"), Read("/none"), Write("/b", "1")], then=[Write("/c")])
    assert store.list("/") == ()
    assert fake.log[-2:] == [("TRANSACTION_END", "F"), ("DIRECTORY", "/")]


def test_an_unchecked_body_that_is_refused_is_done_for_the_rest(store: Store, fake: FakeStore) -> None:
    with pytest.raises(NotFound, match="read /none"):
        store.transact([Write("/a", "1"), Read("/none"), Write("/b", "1")], then=[Write("/c")], checked=False)
    assert store.list("/") == ("a", "b", "c")


@pytest.mark.parametrize("checked", [True, False])
def test_transact_does_it_anew_on_conflict(store: Store, fake: FakeStore, checked: bool) -> None:
    fake.put("/n", "0")
    bodies = []

    def body(tx: Transaction) -> list[Request]:
        bodies.append(int(tx.read("/n")) + 1)
        if len(bodies) < 3:
            fake.put("/n", str(10 * len(bodies)))
        return [Write("/n", str(bodies[-1]))]

    values = store.transact(body, checked=checked, then=[Watch("/n", "t"), Read("/n")])
    assert values == [None, None, b"21"]
    assert bodies == [1, 11, 21]


def test_transact_gives_up(store: Store, fake: FakeStore) -> None:
    for attempt in range(3):
        fake.inject(3 * attempt + 3, "EAGAIN")
    with pytest.raises(Conflict, match="end a transaction"):
        store.transact([Write("/n", "1")], attempts=3)
    assert fake.ops["TRANSACTION_START"] == 3


def test_an_error_behind_the_commit_is_raised(store: Store, fake: FakeStore) -> None:
    with pytest.raises(NotFound, match="read /none"):
        store.transact([Write("/a", "1")], then=[Read("/none")])
    assert fake.get("/a") == b"1"


def test_a_watch_that_exists_is_an_error_in_the_first_attempt(store: Store) -> None:
    store.watch("/a", "t")
    with pytest.raises(Exception, match="watch /a: it exists already"):
        store.transact([], then=[Watch("/a", "t")])


def test_remove_and_make_anew_in_one_transaction(store: Store, fake: FakeStore) -> None:
    fake.put("/a/old", "1")
    store.transact([Remove("/a"), Write("/a/new", "2")])
    assert store.list("/a") == ("new",)
