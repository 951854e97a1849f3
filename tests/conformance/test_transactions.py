"""Transactions: isolation, conflicts, and what ends them."""

from __future__ import annotations

import pytest

from tests.conformance.worlds import World
from xenbus import wire

OK = wire.OK


def test_inside_and_outside(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    one.write("/a", b"old")
    tx = one.start()
    assert one.read("/a", tx) == b"old"
    assert one.write("/b", b"new", tx) == OK
    assert one.read("/b", tx) == b"new"
    assert two.read("/b") == one.read("/b") == "ENOENT"
    assert one.end(tx) == OK
    assert two.read("/b") == b"new"


def test_an_abort_leaves_nothing(world: World) -> None:
    dom0 = world.dom0()
    tx = dom0.start()
    dom0.write("/b", b"new", tx)
    assert dom0.end(tx, commit=False) == OK
    assert dom0.read("/b") == "ENOENT"
    assert dom0.end(tx) == "ENOENT"


def test_a_conflict_changes_nothing(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    one.write("/a", b"old")
    tx = one.start()
    assert one.read("/a", tx) == b"old"
    assert two.write("/a", b"theirs") == OK
    assert one.read("/a", tx) == b"old"
    assert one.write("/a", b"mine", tx) == OK
    assert one.write("/b", b"mine", tx) == OK
    assert one.end(tx) == "EAGAIN"
    assert (one.read("/a"), one.read("/b")) == (b"theirs", "ENOENT")


def test_a_missing_node_is_seen_too(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    tx = one.start()
    assert one.read("/a", tx) == "ENOENT"
    two.write("/a", b"theirs")
    assert one.read("/a", tx) == "ENOENT"
    one.write("/b", b"mine", tx)
    assert one.end(tx) == "EAGAIN"


def test_different_nodes_do_not_conflict(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    one.write("/a/x")
    one.write("/b/x")
    tx, other = one.start(), two.start()
    one.write("/a/x", b"1", tx)
    two.write("/b/x", b"2", other)
    assert one.end(tx) == two.end(other) == OK
    assert (one.read("/a/x"), one.read("/b/x")) == (b"1", b"2")


def test_new_children_of_one_parent(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    one.mkdir("/a")
    tx, other = one.start(), two.start()
    one.write("/a/x", b"1", tx)
    two.write("/a/y", b"2", other)
    assert one.end(tx) == OK
    assert two.end(other) == {"real": "EAGAIN"}.get(world.name, OK)  # on purpose: these do not touch the same node


def test_a_reader_does_not_conflict_with_readers(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    one.write("/a")
    tx, other = one.start(), two.start()
    assert one.read("/a", tx) == two.read("/a", other) == b""
    assert one.end(tx) == two.end(other) == OK


@pytest.mark.parametrize("op", [wire.READ, wire.WRITE, wire.RM, wire.DIRECTORY, wire.GET_PERMS, wire.TRANSACTION_END])
def test_unknown_transactions(world: World, op: int) -> None:
    dom0 = world.dom0()
    assert dom0.ask(op, "/", tx=12345) == "ENOENT"


def test_watches_do_not_care_for_transactions(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.ask(wire.WATCH, "/a", "t", tx=12345) == OK
    assert dom0.ask(wire.UNWATCH, "/a", "t", tx=12345) == OK


def test_nested_and_malformed(world: World) -> None:
    dom0 = world.dom0()
    tx = dom0.start()
    assert dom0.raw(wire.TRANSACTION_START, b"\0", tx) == "EBUSY"
    for payload in (b"", b"X\0", b"T", b"TT\0"):
        assert dom0.raw(wire.TRANSACTION_END, payload, tx) == "EINVAL"
    assert dom0.end(tx) == OK


def test_ids_are_of_the_connection(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    assert one.start() == two.start() == 1
    one.write("/a", b"1", 1)
    two.write("/b", b"2", 1)
    assert one.end(1) == OK
    assert two.read("/b", 1) == b"2"


def test_create_and_remove_in_one(world: World) -> None:
    dom0 = world.dom0()
    dom0.watch("/", "t")
    dom0.take_events()
    tx = dom0.start()
    dom0.write("/a/b/c", b"", tx)
    dom0.rm("/a", tx)
    assert dom0.end(tx) == OK
    assert dom0.read("/a") == "ENOENT"


def test_what_a_transaction_removed(world: World) -> None:
    dom0 = world.dom0()
    dom0.write("/a/b/c", b"old")
    tx = dom0.start()
    assert dom0.rm("/a/b", tx) == OK
    assert dom0.ls("/a", tx) == []
    assert dom0.read("/a/b/c", tx) == "ENOENT"
    assert dom0.read("/a/b/c") == b"old"
    assert dom0.write("/a/b", b"new", tx) == OK
    assert dom0.end(tx) == OK
    assert (dom0.read("/a/b"), dom0.ls("/a/b")) == (b"new", [])


def test_permissions_in_a_transaction(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    dom0.write("/a", b"x")
    tx = dom0.start()
    assert dom0.chmod("/a", "r0", tx=tx) == OK
    assert dom0.perms("/a", tx) == ["r0"]
    assert guest.read("/a") == "EACCES"
    dom0.end(tx)
    assert guest.read("/a") == b"x"


def test_a_transaction_dies_with_its_connection(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    tx = one.start()
    one.write("/a", b"x", tx)
    one.channel.close()
    assert two.read("/a") == "ENOENT"


def test_reset_watches_ends_transactions(world: World) -> None:
    dom0 = world.dom0()
    dom0.watch("/a", "t")
    tx = dom0.start()
    assert dom0.raw(wire.RESET_WATCHES, b"\0") == OK
    assert dom0.end(tx) == "ENOENT"
    assert dom0.ask(wire.UNWATCH, "/a", "t") == "ENOENT"


def test_reset_watches_inside_a_transaction(world: World) -> None:
    dom0 = world.dom0()
    tx = dom0.start()
    assert dom0.raw(wire.RESET_WATCHES, b"\0", tx) == OK
    assert dom0.end(tx) == "ENOENT"
