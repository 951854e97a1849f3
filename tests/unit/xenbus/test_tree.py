from __future__ import annotations

import pytest

from tests.support.fakestore import FakeStore
from xenbus import wire
from xenbus.client import Store
from xenbus.errors import AccessDenied, NotFound, StoreClosed, StoreError
from xenbus.perm import Perm
from xenbus.tree import NODES_A_WRITE, Change, Node, differences, matching, owners, walk


def test_a_tree_in_the_order_of_its_creation(store: Store, fake: FakeStore) -> None:
    for path in ("/b/y/1", "/a", "/b/x"):
        fake.put(path, path[-1])
    assert list(walk(store)) == ["/", "/b", "/b/y", "/b/y/1", "/b/x", "/a"]
    assert walk(store, "/b/y") == {"/b/y": Node(b""), "/b/y/1": Node(b"1")}


def test_permissions_and_depth(store: Store, fake: FakeStore) -> None:
    fake.put("/a/b/c", "1")
    store.set_perms("/a/b", [Perm(5), Perm(0, read=True)])
    assert walk(store, "/a", perms=True, depth=1) == {
        "/a": Node(b"", (Perm(0),)),
        "/a/b": Node(b"", (Perm(5), Perm(0, read=True))),
    }
    before = fake.ops["DIRECTORY"]
    assert list(walk(store, "/a", depth=0)) == ["/a"]
    assert fake.ops["DIRECTORY"] == before


def test_round_trips_are_few(store: Store, fake: FakeStore) -> None:
    for number in range(300):
        fake.put(f"/t/{number}", "x")
    before = store.waits
    assert len(walk(store, "/t", perms=True)) == 301
    assert store.waits - before == 1 + -(-300 // NODES_A_WRITE)


def test_a_directory_that_no_packet_holds(store: Store, fake: FakeStore) -> None:
    names = [f"a-rather-long-name-{number}" for number in range(300)]
    for name in names:
        fake.put(f"/t/{name}")
    assert list(walk(store, "/t"))[1:] == [f"/t/{name}" for name in names]


@pytest.mark.parametrize("request_number", [7, 8, 9])
def test_a_node_that_vanishes_is_passed_over(store: Store, fake: FakeStore, request_number: int) -> None:
    """Of /t and its children a, b with three requests each, those of b: its value, permissions, children."""
    fake.put("/t/a", "1")
    fake.put("/t/b", "2")
    fake.inject(request_number, "ENOENT")
    found = walk(store, "/t", perms=True)
    assert "/t/a" in found
    assert ("/t/b" in found) == (request_number == 9)


def test_what_is_closed_is_empty(store: Store, fake: FakeStore) -> None:
    fake.put("/t/a/hidden", "1")
    fake.inject(3, "EACCES")
    fake.inject(4, "EACCES")
    assert walk(store, "/t") == {"/t": Node(b""), "/t/a": Node(None)}


def test_errors(store: Store, fake: FakeStore) -> None:
    with pytest.raises(NotFound, match="list /none"):
        walk(store, "/none")
    fake.inject(fake.count + 1, "EACCES")
    fake.inject(fake.count + 2, "EACCES")
    with pytest.raises(AccessDenied):
        walk(store, "/")
    fake.inject(fake.count + 1, "EIO")
    with pytest.raises(StoreError, match="EIO"):
        walk(store, "/")
    fake.inject(fake.count + 1, "close")
    with pytest.raises(StoreClosed):
        walk(store, "/")


def test_a_name_that_the_protocol_does_not_know_is_passed_over(store: Store, fake: FakeStore) -> None:
    fake.inject(2, lambda packet: wire.pack(packet[0], packet[1], packet[2], b"a+b\0"))
    assert list(walk(store, "/")) == ["/"]


def test_differences() -> None:
    mine, other = (Perm(0),), (Perm(5),)
    before = {"/a": Node(b"1", mine), "/b": Node(b"", mine), "/c": Node(b""), "/d": Node(b"x")}
    after = {"/a": Node(b"2", mine), "/b": Node(b"", other), "/c": Node(b"", mine), "/b/x": Node(b"")}
    assert differences(before, after) == [
        Change("/a", before["/a"], after["/a"]),
        Change("/b", before["/b"], after["/b"]),
        Change("/b/x", None, after["/b/x"]),
        Change("/d", before["/d"], None),
    ]
    assert differences(before, before) == []


def test_matches_and_counts() -> None:
    snapshot = {"/a": Node(b"one", (Perm(5),)), "/a/state": Node(b"4", (Perm(0),)), "/ab": Node(None, (Perm(5),))}
    assert owners(snapshot) == {5: 2, 0: 1}
    assert list(matching(snapshot, name="a*")) == ["/a", "/ab"]
    assert list(matching(snapshot, name="/a/*")) == ["/a/state"]
    assert list(matching(snapshot, value=b"n")) == ["/a"]
    assert list(matching(snapshot, owner=5, name="ab")) == ["/ab"]
    assert list(matching({"/a": Node(b"")}, owner=0)) == []
