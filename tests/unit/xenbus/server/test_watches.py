from __future__ import annotations

import pytest

from xenbus.server.engine import Engine
from xenbus.server.watches import Watch, WatchIndex


def index(*watches: tuple[bytes, int]) -> tuple[WatchIndex, list[Watch]]:
    connection, found = Engine().connect(), WatchIndex()
    made = [Watch(connection, path, b"%d" % number, depth, 0) for number, (path, depth) in enumerate(watches)]
    for watch in made:
        found.add(watch)
    return found, made


def tokens(watches: list[Watch]) -> list[bytes]:
    return [watch.token for watch in watches]


def test_a_change_reaches_its_node_and_those_above() -> None:
    watches, _made = index((b"/a/b", -1), (b"/", -1), (b"/a", -1), (b"/ab", -1), (b"/a/b/c", -1), (b"@x", -1))
    assert tokens(watches.covering(b"/a/b")) == [b"0", b"1", b"2"]
    assert tokens(watches.covering(b"/")) == [b"1"]
    assert tokens(watches.covering(b"@x/5")) == [b"5"]
    assert tokens(watches.exactly(b"/a")) == [b"2"]


def test_depth() -> None:
    watches, _made = index((b"/", 1), (b"/a", 0), (b"/a", 1), (b"/a", 2))
    assert tokens(watches.covering(b"/a")) == [b"0", b"1", b"2", b"3"]
    assert tokens(watches.covering(b"/a/b")) == [b"2", b"3"]
    assert tokens(watches.covering(b"/a/b/c")) == [b"3"]


def test_special_nodes() -> None:
    watches, _made = index((b"@x", -1), (b"@x", 1), (b"@x/5", -1), (b"@x", 0))
    assert tokens(watches.plain(b"@x")) == [b"0"]
    assert tokens(watches.covering(b"@x/5", limited=True)) == [b"1", b"2"]


def test_removal() -> None:
    watches, made = index((b"/a", -1), (b"/a", -1))
    watches.remove(made[0])
    assert tokens(watches.covering(b"/a/b")) == [b"1"]
    watches.remove(made[1])
    assert watches.covering(b"/a/b") == []


def test_relative_paths() -> None:
    watch = Watch(Engine().connect(), b"/local/domain/0/a", b"token", -1, len(b"/local/domain/0/"))
    assert watch.event(b"/local/domain/0/a/b") == b"a/b\0token\0"


def test_what_is_remembered_is_true_after_each_change() -> None:
    """The watches above a node are looked up once, until one comes or goes."""
    watches, (high,) = index((b"/a", -1))
    assert watches.covering(b"/a/b/c") == watches.covering(b"/a/b/d") == [high]
    deep = Watch(high.connection, b"/a/b", b"deep", -1, 0)
    watches.add(deep)
    assert watches.covering(b"/a/b/c") == [high, deep]
    watches.remove(high)
    assert watches.covering(b"/a/b/c") == [deep]


@pytest.mark.parametrize("count", [1, 100])
def test_little_is_remembered(count: int) -> None:
    watches, _ = index(*((b"/a", -1) for _ in range(count)))
    for number in range(20_000 // count):
        assert len(watches.covering(b"/a/%d/x" % number)) == count
    assert sum(1 + len(found) for found in watches._above.values()) <= 1 << 14
