"""The store's connections inside of a simulated host."""

from __future__ import annotations

import pytest

from xenbus.client import Store
from xenbus.errors import StoreClosed, StoreTimeout
from xenbus.link import Link
from xenbus.server.engine import Engine
from xenvm.host.sim.port import WorldPort


class Time:
    """A clock that the waiting moves on."""

    now = 100.0
    idled = 0

    def clock(self) -> float:
        return self.now

    def idle(self, left: float | None) -> None:
        self.idled += 1
        self.now += 1.0 if left is None else min(left, 1.0)


def test_answers_are_there_at_once() -> None:
    time = Time()
    store = Store(Link(WorldPort(Engine().connect(0), time.clock, time.idle)))
    store.write("/a", "1")
    assert store.read("/a") == b"1" and time.idled == 0
    with pytest.raises(OSError, match="no descriptor"):
        store.fileno()


def test_waiting_is_virtual() -> None:
    time = Time()
    store = Store(Link(WorldPort(Engine().connect(0), time.clock, time.idle)))
    assert store.clock() == 100.0
    with store.follow(["/a"]) as follower, pytest.raises(StoreTimeout):
        follower.wait(lambda values: values["/a"], store.clock() + 1000, "a node")
    assert time.now >= 1100.0 and time.idled >= 1000


def test_what_was_taken_early_is_not_lost() -> None:
    time, engine = Time(), Engine()
    port = WorldPort(engine.connect(0), time.clock, time.idle)
    store, other = Store(Link(port)), Store(Link(WorldPort(engine.connect(0), time.clock, time.idle)))
    store.watch("/a", "token")
    assert store.next_event(0) == ("/a", "token")
    other.write("/a", "1")
    port.prefetch()
    assert not port.connection.pending
    assert store.next_event(0) == ("/a", "token") and store.next_event(0) is None


def test_a_connection_that_the_server_ended() -> None:
    time, engine = Time(), Engine()
    store = Store(Link(WorldPort(engine.connect(0), time.clock, time.idle)))
    store.link._port.connection.end("enough")  # type: ignore[attr-defined]
    with pytest.raises(StoreClosed):
        store.read("/a")
    store.close()
