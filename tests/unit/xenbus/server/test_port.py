"""The library's own client on an engine, and the port between them."""

from __future__ import annotations

import time

import pytest

from xenbus.client import Store
from xenbus.errors import Conflict, Exists, NotFound, StoreClosed, StoreTimeout, Unsupported
from xenbus.link import Link
from xenbus.perm import Perm
from xenbus.request import Discard, Introduce, Mkdir, Read, Remove, SetPerms, Watch, Write
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.transaction import Transaction


def another(engine: Engine) -> Store:
    return Store(Link(EnginePort(engine.connect())), timeout=1)


def test_values(store: Store) -> None:
    for value in (b"", b"x", bytes(range(256)), b"x" * 4000):
        store.write("/a/b", value)
        assert store.read("/a/b") == value
    assert store.read_or_none("/none") is None


def test_nodes(store: Store) -> None:
    for name in ("10", "9", "b"):
        store.mkdir(f"/a/{name}")
    store.remove("/a/9")
    store.remove("/a/9")
    assert store.list("/a") == ("10", "b")
    with pytest.raises(NotFound, match="/x/y"):
        store.remove("/x/y")
    store.write("name", "guest")
    assert store.read("/local/domain/0/name") == b"guest"
    assert store.batch([Discard("/no/such"), Discard("/a")]) == [None, None]


def test_perms(store: Store) -> None:
    store.mkdir("/a")
    store.set_perms("/a", (Perm(5), Perm(0, read=True)))
    store.mkdir("/a/b")
    assert store.get_perms("/a/b") == (Perm(5), Perm(0, read=True))


def test_any_number_of_children(store: Store) -> None:
    names = tuple(f"child-{number}" for number in range(1500))
    store.batch_checked([Mkdir(f"/a/{name}") for name in names])
    assert store.list("/a") == names
    with store.transaction() as tx:
        assert tx.list("/a") == names


def test_domains(store: Store) -> None:
    assert store.domain_path(5) == "/local/domain/5"
    store.introduce(5, 0x39001, 1)
    store.introduce(6, 0x39001, 1)
    assert store.is_introduced(5)
    store.set_target(5, 6)
    store.resume(5)
    store.release(5)
    with pytest.raises(NotFound, match="release 5"):
        store.release(5)
    assert "quota" in store.control("help")
    with pytest.raises(Unsupported):
        store.call(Odd("/a"))


class Odd(Read):
    op = 20


def test_transactions(engine: Engine, store: Store) -> None:
    other = another(engine)
    with store.transaction() as tx:
        tx.write("/a/b", "1")
        tx.set_perms("/a", (Perm(5),))
        assert other.read_or_none("/a/b") is None
    assert other.read("/a/b") == b"1"
    with pytest.raises(RuntimeError), store.transaction() as tx:
        tx.write("/a", "lost")
        raise RuntimeError
    with pytest.raises(Conflict), store.transaction() as tx:
        other.write("/n", "5")
        tx.write("/n", "2")
        other.write("/n", "6")
    assert (store.read("/a"), store.read("/n")) == (b"", b"6")


def test_retry(engine: Engine, store: Store) -> None:
    other = another(engine)
    store.write("/n", "0")

    def add_one(tx: Transaction) -> int:
        number = int(tx.read("/n")) + 1
        if number < 4:
            other.write("/n", str(number))
        tx.write("/n", str(number))
        return number

    assert store.retry(add_one) == 4
    assert store.read("/n") == b"4"


@pytest.mark.parametrize("checked", [True, False])
def test_transact(store: Store, checked: bool) -> None:
    store.write("/a/old", "1")
    body = [Remove("/a"), Write("/a/b", "1"), SetPerms("/a", (Perm(5),)), Read("/a/b")]
    then = [Introduce(5, 0x39001, 1), Watch("/a", "t"), Read("/a/b")]
    assert store.transact(body, then=then, checked=checked) == [None, None, None, b"1", None, None, b"1"]
    assert store.list("/a") == ("b",)
    assert store.is_introduced(5)


def test_events(engine: Engine, store: Store) -> None:
    other = another(engine)
    store.watch("device", "t")
    with pytest.raises(Exists):
        store.watch("device", "t")
    assert store.next_event(0) == ("device", "t")
    for number in range(100):
        other.write(f"device/{number}", "")
    assert [store.next_event(0) for _number in range(100)] == [(f"device/{number}", "t") for number in range(100)]
    store.unwatch("device", "t")
    other.write("device/vbd", "")
    assert store.next_event(0) is None


def test_follow(engine: Engine, store: Store) -> None:
    other = another(engine)
    with store.follow(["/state"]) as states:
        assert states.values == {"/state": None}
        other.write("/state", "4")
        assert states.wait(lambda values: values["/state"], time.monotonic() + 1, "a state") == b"4"


def test_others_run_while_one_waits(engine: Engine) -> None:
    peer = another(engine)
    left: list[float | None] = []

    def idle(seconds: float | None) -> bool:
        left.append(seconds)
        if len(left) == 3:
            peer.write("/state", "2")
        return True

    store = Store(Link(EnginePort(engine.connect(), idle)), timeout=1)
    store.watch("/state", "t")
    assert store.next_event(0) == ("/state", "t")
    assert not left
    assert store.next_event(None) == ("/state", "t")
    assert len(left) == 3


def test_time_passes_where_nobody_runs(engine: Engine, store: Store) -> None:
    start = time.monotonic()
    assert store.next_event(start + 0.02) is None
    assert time.monotonic() - start >= 0.02
    blocked = EnginePort(engine.connect(), lambda _left: False)
    blocked.wait_for_room(0)
    assert blocked.receive(0) is None


def test_a_guest_that_must_wait_is_told_so(engine: Engine) -> None:
    """Its events are not taken: its requests have to wait, and time out."""
    engine.introduce(5, 1, 1)
    engine.introduce(6, 1, 1)
    dom0 = another(engine)
    dom0.mkdir("/local/domain/5")
    dom0.set_perms("/local/domain/5", [Perm(5), Perm(6, read=True)])
    lazy = engine.connect(6)
    Store(Link(EnginePort(lazy))).watch("/local/domain/5", "t")
    guest = Store(Link(EnginePort(engine.connect(5))), timeout=0.02)
    with pytest.raises(StoreTimeout):
        for number in range(30):
            guest.write(f"{number}", "")
    lazy.take()
    assert guest.read("0") == b""


def test_more_than_the_server_takes_at_once(engine: Engine, store: Store) -> None:
    store.write("/a", bytes(4000))
    assert store.batch([Read("/a")] * 2000) == [bytes(4000)] * 2000


def test_closing(engine: Engine, store: Store) -> None:
    engine.connect()
    connections = len(engine.connections)
    store.close()
    assert len(engine.connections) == connections - 1
    with pytest.raises(StoreClosed, match="the engine in this process"):
        store.read("/")


def test_a_server_that_ends_it(engine: Engine) -> None:
    connection = engine.connect(5)
    store = Store(Link(EnginePort(connection)), timeout=1)
    store.watch("x", "t")
    engine.release(5)
    with pytest.raises(StoreClosed):
        store.read("/")
    with pytest.raises(OSError, match="no descriptor"):
        store.fileno()
    port = EnginePort(connection)
    assert port.receive(1) == b""
    with pytest.raises(OSError, match="its domain is gone"):
        port.send(b"x")
