"""A store of 100,000 nodes, some in one directory that no packet holds: all are seen, in few round trips."""

from __future__ import annotations

from xenbus.client import Store
from xenbus.link import Link
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.tree import walk

BRANCHES, LEAVES, WIDE = 95, 1000, 5000


def test_a_huge_store() -> None:
    engine = Engine()
    paths = [b"/huge/%d/%d" % (branch, leaf) for branch in range(BRANCHES) for leaf in range(LEAVES)]
    paths += [b"/wide/a-child-with-a-long-name-%d" % number for number in range(WIDE)]
    tops = [b"/", b"/huge", b"/wide", *(b"/huge/%d" % branch for branch in range(BRANCHES))]
    engine.restore((path, b"\0binary\xff" if path[-1] == ord("7") else b"", b"n0\0") for path in [*tops, *paths])
    with Store(Link(EnginePort(engine.connect()))) as store:
        found = walk(store)
        assert len(found) == len(tops) + len(paths)
        assert found["/wide/a-child-with-a-long-name-4997"].value == b"\0binary\xff"
        assert store.waits < len(found) / 50
