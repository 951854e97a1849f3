"""A recording at one moment: against a real tree that has gone the same way, and what is implied."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.client import Store
from xenbus.link import Link
from xenbus.perm import Perm
from xenbus.recording import ASK, HAVE, PERMS, REMOVE, WRITE, Event, Header, Recording, as_requests, load
from xenbus.rewind import at_moment, covers, until, with_implied
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.tree import Node, differences, walk

RECORDINGS = Path(__file__).resolve().parents[2] / "golden/recordings"
HEADER = Header("watches", 0.0, watched=("/",))
PATHS = st.sampled_from(["/a", "/a/b", "/a/b/c", "/a/bc", "/d"])
EVENTS = st.lists(
    st.one_of(
        st.builds(Event, st.just(1.0), st.just(WRITE), PATHS, st.binary(max_size=2)),
        st.builds(Event, st.just(1.0), st.just(REMOVE), PATHS),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_a_real_store_goes_the_same_way(events: list[Event]) -> None:
    store = Store(Link(EnginePort(Engine().connect())))
    for event in events:
        store.batch(as_requests(event))
    there = {path: node.value for path, node in walk(store).items() if not path.startswith(("/tool", "/local", "/vm"))}
    found = at_moment(Recording(HEADER, tuple(events)))
    full = with_implied(found, found.nodes, {path: Node(value) for path, value in there.items()})
    assert {path: node.value for path, node in full.items()} | {"/": b""} == there


@pytest.mark.parametrize("name", ["xenvm-4.17.jsonl", "xl-4.17.jsonl"])
def test_a_real_guest_s_life(name: str) -> None:
    """At every fifth second a real Xen's guest has the nodes that a store has to which the same was done."""
    with open(RECORDINGS / name, encoding="utf-8") as file:
        recording = load(file)
    sizes = []
    for moment in range(0, int(recording.events[-1].time) + 6, 5):
        store = Store(Link(EnginePort(Engine(exists=lambda _domid: True).connect())))
        store.batch([request for event in until(recording, moment) for request in as_requests(event)])
        there = {path: node for path, node in walk(store, perms=True).items() if covers(recording, path)}
        found = at_moment(recording, moment)
        assert differences(with_implied(found, found.nodes, there), there) == []
        sizes.append(len(found.nodes))
    assert max(sizes) > 100 and sizes[-1] == 0


def test_moments() -> None:
    events = (
        Event(0.2, HAVE, "/a", b"0", (Perm(5),)),
        Event(1.0, WRITE, "/a", b"1"),
        Event(2.0, ASK, "/a"),
        Event(3.0, PERMS, "/a", perms=(Perm(6),)),
        Event(4.0, REMOVE, "/a"),
    )
    recording = Recording(HEADER, events)
    looks = [at_moment(recording, moment).nodes for moment in (0, 1.0, 3.5, None)]
    assert looks == [{"/a": Node(b"0", (Perm(5),))}, {"/a": Node(b"1", (Perm(5),))}, {"/a": Node(b"1", (Perm(6),))}, {}]


def test_a_node_that_comes_back_is_without_its_children() -> None:
    events = (Event(0, WRITE, "/a/b", b"1"), Event(0, REMOVE, "/a"), Event(0, WRITE, "/a", b"2"))
    assert list(at_moment(Recording(HEADER, events)).nodes) == ["/a"]


def test_what_a_recording_covers() -> None:
    header = Header("watches", 0.0, domid=5, watched=("/local/domain/5", "/local/domain/0/backend", "/vm/x"))
    recording = Recording(header, ())
    covered = ("/local/domain/5", "/local/domain/5/a", "/local/domain/0/backend/vbd/5/1", "/vm/x/uuid")
    assert all(covers(recording, path) for path in covered)
    others = ("/local/domain/55", "/local/domain/0/backend/vbd/6", "/local/domain/0/backend", "/vm/y", "/libxl/5")
    assert not any(covers(recording, path) for path in others)


def test_only_what_must_have_been_there_is_implied() -> None:
    empty = Node(b"", (Perm(0),))
    other = {"/a": empty, "/a/b": Node(b"x"), "/a-": empty, "/d": empty, "/a/b/c": empty}
    moment = at_moment(Recording(HEADER, (Event(0, WRITE, "/a/b/c/d", b"1"),)))
    assert with_implied(moment, moment.nodes, other) == {
        "/a/b/c/d": Node(b"1"),
        "/a": Node(b""),
        "/a/b/c": Node(b""),
    }
