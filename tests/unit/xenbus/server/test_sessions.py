from __future__ import annotations

import pytest

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Guest
from xenbus import wire
from xenbus.server.engine import Engine

OK = wire.OK


def test_the_first_event_is_behind_the_reply_and_others_before(dom0: RawClient) -> None:
    assert dom0.watch("/a") == OK
    assert dom0.events() == [(b"/a", b"t")]
    dom0.write("/a/b")
    assert dom0.order == ["WATCH", "WATCH_EVENT", "WATCH_EVENT", "WRITE"]
    assert dom0.events() == [(b"/a/b", b"t")]


def test_what_fires(engine: Engine, dom0: RawClient) -> None:
    other = RawClient(engine)
    for path in ("/", "/a", "/a/b", "/a/b/c", "/a/b/c/d"):
        dom0.watch(path, path)
    dom0.events()
    other.write("/a/b/c/d")
    assert dom0.events() == [(b"/a/b/c/d", token) for token in (b"/", b"/a", b"/a/b", b"/a/b/c", b"/a/b/c/d")]
    other.chmod("/a/b", "n0")
    assert dom0.events() == [(b"/a/b", token) for token in (b"/", b"/a", b"/a/b")]
    other.mkdir("/a/b")
    other.rm("/a/none")
    assert dom0.events() == []
    other.rm("/a/b")
    gone = [(b"/a/b/c/d", b"/a/b/c/d"), (b"/a/b/c", b"/a/b/c")]
    assert dom0.events() == [*gone, *((b"/a/b", token) for token in (b"/", b"/a", b"/a/b"))]


def test_depth(dom0: RawClient) -> None:
    assert dom0.watch("/a", "t", "-1") == dom0.watch("/a", "t", "1", "2") == "EINVAL"
    assert dom0.watch("/a", "t", "1") == OK
    dom0.events()
    dom0.write("/a/b")
    dom0.write("/a/b/c")
    assert dom0.events() == [(b"/a/b", b"t")]


def test_depth_is_a_feature(engine: Engine, dom0: RawClient) -> None:
    assert dom0.ask(wire.SET_FEATURE, "5", "0") == OK
    assert RawClient(engine, 5).watch("x", "t", "1") == "EINVAL"


def test_names_of_watches(dom0: RawClient) -> None:
    assert dom0.watch("name") == OK
    assert dom0.watch("name") == dom0.watch("/local/domain/0/name") == "EEXIST"
    assert dom0.watch("name", b"\xff") == dom0.watch("@none") == OK
    assert dom0.events() == [(b"name", b"t"), (b"name", b"\xff"), (b"@none", b"t")]
    assert dom0.ask(wire.UNWATCH, "/local/domain/0/name", "t") == OK
    assert dom0.ask(wire.UNWATCH, "name", "t") == "ENOENT"
    assert dom0.ask(wire.UNWATCH, "name") == dom0.ask(wire.WATCH, "name") == dom0.watch("/a/") == "EINVAL"
    dom0.write("name")
    assert dom0.events() == [(b"name", b"\xff")]


def test_the_same_event_waits_once(engine: Engine, dom0: RawClient) -> None:
    other = RawClient(engine)
    dom0.watch("/a")
    dom0.watch("@releaseDomain", "r")
    dom0.events()
    for _turn in range(3):
        other.write("/a/b")
        engine.introduce(5, 1, 1)
        engine.release(5)
    assert dom0.events() == [(b"/a/b", b"t"), *[(b"@releaseDomain", b"r")] * 3]
    other.write("/a/b")
    assert dom0.events() == [(b"/a/b", b"t")]


def test_quota_of_watches(guest: Guest) -> None:
    five = guest(5)
    replies = [five.watch("x", str(number)) for number in range(140)]
    assert replies.count(OK) == replies.index("E2BIG") == 129
    five.ask(wire.UNWATCH, "x", "7")
    assert five.watch("x", "again") == OK


def test_ids(engine: Engine, dom0: RawClient) -> None:
    assert [dom0.begin(), dom0.begin()] == [1, 2]
    assert dom0.end(1) == OK
    assert dom0.begin() == 3
    assert RawClient(engine).begin() == 1
    assert dom0.raw(wire.TRANSACTION_START, b"\0", tx=2) == "EBUSY"
    assert dom0.read("/", tx=9) == dom0.end(9) == dom0.raw(wire.TRANSACTION_START, b"", tx=9) == "ENOENT"
    assert dom0.end(0) == "ENOENT"
    assert dom0.end(2, "X") == dom0.raw(wire.TRANSACTION_END, b"", tx=2) == "EINVAL"
    assert dom0.end(2, "F") == OK
    assert dom0.ask(wire.WATCH, "/a", "t", tx=99) == OK


def test_ids_wrap(dom0: RawClient) -> None:
    dom0.begin()
    dom0.connection.last_transaction = 0xFFFFFFFF
    assert dom0.begin() == 2


def test_quota_of_transactions(guest: Guest) -> None:
    five = guest(5)
    replies = [five.raw(wire.TRANSACTION_START, b"") for _number in range(12)]
    assert replies[-1] == "ENOSPC"
    assert replies.count("ENOSPC") == 1
    five.end(1, "F")
    assert five.begin() == 12


def test_a_transaction_of_too_many_nodes(guest: Guest) -> None:
    five = guest(5)
    tx = five.begin()
    replies = [five.read(f"{number}", tx) for number in range(1100)]
    assert 1000 < replies.count("ENOENT") <= 1024
    assert replies[-1] == "ENOSPC"
    assert five.end(tx) == "ENOMEM"


def test_a_transaction_of_too_much_memory(dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    dom0.ask(wire.SET_QUOTA, "5", "memory", "5000")
    tx = five.begin()
    replies = [five.write("x", bytes(1000), tx) for _number in range(6)]
    assert replies[0] == OK
    assert replies[-1] == "ENOMEM"
    assert five.end(tx) == "ENOMEM"
    assert five.write("x", bytes(1000)) == OK


def test_reset(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    five.watch("x")
    tx = five.begin()
    five.write("x", b"", tx)
    assert five.raw(wire.RESET_WATCHES, b"\0") == OK
    five.events()
    five.write("x")
    assert five.events() == []
    assert five.end(tx) == "ENOENT"
    domain = engine.domains.find(5)
    assert domain and domain.watches == domain.transactions == domain.buffers == 0


def test_events_of_a_commit(engine: Engine, dom0: RawClient) -> None:
    other = RawClient(engine)
    other.write("/old/x")
    dom0.watch("/")
    dom0.watch("/old/x", "exact")
    dom0.events()
    tx = other.begin()
    other.write("/b", b"1", tx)
    other.write("/a/x", b"1", tx)
    other.write("/b", b"2", tx)
    other.rm("/old", tx)
    other.write("/gone", b"", tx)
    other.rm("/gone", tx)
    assert dom0.events() == []
    other.end(tx)
    events = [(b"/b", b"t"), (b"/a/x", b"t"), (b"/old", b"t"), (b"/old/x", b"exact")]
    assert dom0.events() == events
    assert other.order[-1] == "TRANSACTION_END"


@pytest.mark.parametrize("word", ["T", "F"])
def test_a_transaction_is_over_whatever_came_of_it(dom0: RawClient, word: str) -> None:
    dom0.write("/a", b"0")
    tx = dom0.begin()
    dom0.read("/a", tx)
    dom0.write("/a", b"1")
    assert dom0.end(tx, word) == ("EAGAIN" if word == "T" else OK)
    assert dom0.end(tx) == "ENOENT"
