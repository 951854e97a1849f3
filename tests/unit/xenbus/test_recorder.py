"""A recorder against a real engine: what was there, what changes, what merges, what goes."""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scriptedstore import ScriptedStore
from xenbus import recorder as module
from xenbus.errors import StoreClosed
from xenbus.perm import parse_perms
from xenbus.recorder import Recorder, of_domain
from xenbus.recording import WATCHES, Header, Recording, Writer, load
from xenbus.request import Write

if TYPE_CHECKING:
    from xenbus.link import Group
    from xenbus.operations import Reply

HEADER = Header(WATCHES, 0.0, "4.17", "t", None, ("/a",))


def record(world: ScriptedStore, *tops: str, until: float | None = None, gone: str = "", **options: int) -> Recording:
    text = io.StringIO()
    recorder = Recorder(world.store, Writer(text, HEADER, **options))
    recorder.follow(tops)
    try:
        recorder.run(until, lambda burst: gone in burst and recorder.now() > 1)
    except KeyboardInterrupt:
        pass
    recorder.close()
    return load(io.StringIO(text.getvalue()))


def essence(recording: Recording) -> list[tuple[float, str, str, bytes | None]]:
    return [(event.time, event.op, event.path, event.value) for event in recording.events]


@pytest.fixture
def world() -> ScriptedStore:
    return ScriptedStore()


def test_what_was_there_and_what_changes(world: ScriptedStore) -> None:
    world.hand.write("/a/b", "1")
    world.actions = [world.put("/a/b", "2"), world.put("/a/c", b"\xff\0"), lambda: world.hand.remove("/a/b")]
    recording = record(world, "/a")
    assert essence(recording) == [
        (0, "have", "/a", b""),
        (0, "have", "/a/b", b"1"),
        (1, "write", "/a/b", b"2"),
        (2, "write", "/a/c", b"\xff\0"),
        (3, "rm", "/a/b", None),
        (3, "end", "", None),
    ]
    assert recording.ended == "it was interrupted"
    assert recording.events[2].perms is None and recording.events[3].perms == parse_perms("n0")


def test_permissions_alone(world: ScriptedStore) -> None:
    world.hand.write("/a", "1")
    world.actions = [lambda: world.hand.set_perms("/a", parse_perms("n5,r0"))]
    event = record(world, "/a").events[1]
    assert (event.op, event.value, event.perms) == ("perms", None, parse_perms("n5,r0"))


def test_a_node_that_comes_later(world: ScriptedStore) -> None:
    world.actions = [world.put("/a/b", "1"), lambda: world.hand.remove("/a")]
    assert essence(record(world, "/a", gone="/a")) == [
        (1, "write", "/a/b", b"1"),
        (2, "rm", "/a", None),
        (2, "end", "", None),
    ]


def test_values_that_nobody_saw_are_counted(world: ScriptedStore) -> None:
    text = io.StringIO()
    recorder = Recorder(world.store, Writer(text, HEADER))
    recorder.follow(["/a/s", "/a", "/a/inner"])
    for value in "123":
        world.hand.write("/a/s", value)
        world.store.read_or_none("/")  # takes the event, so that it is not merged with the next one
    recorder.run(9.0, lambda burst: "/a/s" in burst)
    (event,) = [event for event in load(io.StringIO(text.getvalue())).events if event.path == "/a/s"]
    assert (event.value, event.events) == (b"3", 3)


def test_a_tree_that_was_removed_and_made_anew(world: ScriptedStore) -> None:
    world.hand.write("/a/b/old", "1")

    def anew() -> None:
        world.hand.remove("/a/b")
        world.hand.write("/a/b/new", "2")

    world.actions = [anew]
    assert [(event.op, event.path) for event in record(world, "/a").events[3:]] == [
        ("rm", "/a/b/old"),
        ("write", "/a/b"),
        ("write", "/a/b/new"),
        ("end", ""),
    ]


def test_it_ends_in_time_and_before_it_is_too_large(world: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert record(world, "/a", until=5.0).ended == "the time is up"
    world.actions = [world.put(f"/a/{number}", "x" * 4000) for number in range(50)]
    full = record(world, "/a", limit=1 << 17)
    assert full.ended == "the recording is as large as it may be" and len(full.events) < 5
    monkeypatch.setattr(module, "MEMORY_MAX", 1000)
    world.hand.write("/b/c", "x" * 2000)
    assert record(world, "/b").ended == "it would have been too large"


def test_a_store_that_never_rests_does_not_keep_it_from_its_end(world: ScriptedStore) -> None:
    world.actions = [world.put("/a", str(number)) for number in range(50)]
    recording = record(world, "/a", until=5.0)
    assert recording.ended == "the time is up" and recording.events[-2].time <= 6


def test_what_belongs_to_a_domain() -> None:
    yes = ("/local/domain/5", "/local/domain/5/x", "/libxl/5", "/local/domain/0/backend/vif/5/0/state")
    no = ("/local/domain/55", "/local/domain/0/backend/vif/55/0", "/libxl/1", "/local/domain/0/backend", "/tool")
    assert all(of_domain(path, 5) for path in (*yes, "/local/domain/2/error/backend/vbd/5/1"))
    assert not any(of_domain(path, 5) for path in no)


class Meanwhile:
    """Lets others change the store just before requests of the recorder reach it, once an action has armed it."""

    def __init__(self, world: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes: list[Callable[[], object] | None] = []
        exchange = world.store.exchange

        def late(groups: Sequence[Group]) -> list[Reply]:
            change = self.changes.pop(0) if self.changes else None
            if change is not None:
                change()
            return exchange(groups)

        monkeypatch.setattr(world.store, "exchange", late)


def at_once(world: ScriptedStore, *nodes: tuple[str, str]) -> None:
    """Writes nodes in one transaction, in this order."""
    world.hand.transact([Write(path, value) for path, value in nodes])


def changes(recording: Recording) -> list[tuple[str, bytes | None, int]]:
    return [(event.path, event.value, event.events) for event in recording.events if event.op == "write"]


def test_a_state_comes_after_what_its_transaction_wrote(world: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile = Meanwhile(world, monkeypatch)

    def offer() -> None:
        world.hand.write("/a/d/state", "1")
        # The look at this state finds the next one, whose features have not told of themselves yet.
        meanwhile.changes = [lambda: at_once(world, ("/a/d/state", "2"), ("/a/d/feature", "1"))]

    world.actions = [offer, world.put("/a/x", "1")]
    recording = record(world, "/a")
    assert changes(recording) == [("/a/d/feature", b"1", 1), ("/a/d/state", b"2", 2), ("/a/x", b"1", 1)]
    assert [event.time for event in recording.events] == [1, 1, 2, 2]


def test_no_state_is_lost_or_comes_after_its_node(world: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile = Meanwhile(world, monkeypatch)

    def hurry() -> None:
        world.hand.write("/a/d/state", "1")
        meanwhile.changes = [
            world.put("/a/x", "1"),
            world.put("/a/d/state", "2"),
            world.put("/a/y", "1"),
            lambda: world.hand.remove("/a/d"),
        ]

    world.actions = [hurry]
    recording = record(world, "/a")
    assert [(event.op, event.path, event.value) for event in recording.events] == [
        ("write", "/a/x", b"1"),
        ("write", "/a/d/state", b"1"),
        ("write", "/a/y", b"1"),
        ("write", "/a/d/state", b"2"),
        ("rm", "/a/d", None),
        ("end", "", None),
    ]


def test_a_state_that_was_there_has_its_features(world: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A back end offers its features when their directory was listed, and its state not read yet."""
    world.hand.write("/a/d/state", "1")
    meanwhile = Meanwhile(world, monkeypatch)
    meanwhile.changes = [None, None, None, lambda: at_once(world, ("/a/d/state", "2"), ("/a/d/feature", "1"))]
    recording = record(world, "/a")
    assert not meanwhile.changes and not changes(recording)
    assert {event.path: event.value for event in recording.events if event.op == "have"} == {
        "/a": b"",
        "/a/d": b"",
        "/a/d/state": b"2",
        "/a/d/feature": b"1",
    }


def test_an_end_while_it_begins(world: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hand.write("/a/d/state", "1")
    Meanwhile(world, monkeypatch).changes = [None, lambda: world.hand.remove("/a")]
    text = io.StringIO()
    recorder = Recorder(world.store, Writer(text, HEADER))
    recorder.follow(["/a"])
    assert recorder.run(None, lambda burst: "/a" in burst) == "what was recorded is gone"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_at_each_moment_a_device_is_as_one_transaction_left_it(data: st.DataObject) -> None:
    """Two devices, whose transactions number all their nodes anew, whenever the recorder asks for anything."""
    world, numbers = ScriptedStore(), itertools.count(1)
    names = ["state", "one", "two"]

    def write(device: str) -> None:
        number = str(next(numbers))
        at_once(world, *((f"/a/{device}/{name}", number) for name in data.draw(st.permutations(names))))

    with pytest.MonkeyPatch.context() as monkeypatch:
        meanwhile = Meanwhile(world, monkeypatch)
        for device, late in data.draw(st.lists(st.tuples(st.sampled_from("de"), st.integers(0, 3)), max_size=16)):
            action = functools.partial(write, device)
            if late == 3:  # while it waits
                world.actions.append(action)
            else:
                meanwhile.changes += [*[None] * late, action]
        if data.draw(st.booleans()):  # not while it begins
            changes, meanwhile.changes = meanwhile.changes, []
            world.actions.insert(0, lambda: meanwhile.changes.extend(changes))
            world.actions.insert(1, functools.partial(write, "d"))
        recording = record(world, "/a")
    known: dict[str, int] = {}
    for event in recording.events:
        if event.value:
            known[event.path] = int(event.value)
        if event.op == "have":
            continue
        for device in "de":
            state = known.get(f"/a/{device}/state", 0)
            assert all(known.get(f"/a/{device}/{name}", 0) >= state for name in names), (device, event)


def test_a_state_of_after_the_first_look(world: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hand.write("/a/d/state", "1")
    meanwhile = Meanwhile(world, monkeypatch)
    meanwhile.changes = [*[None] * 4, lambda: at_once(world, ("/a/d/state", "2"), ("/a/d/feature", "1"))]
    recording = record(world, "/a")
    assert [(event.op, event.path, event.value) for event in recording.events[2:]] == [
        ("have", "/a/d/state", b"1"),
        ("write", "/a/d/feature", b"1"),
        ("write", "/a/d/state", b"2"),
        ("end", "", None),
    ]


def test_the_end_that_is_found_before_its_event_is_recorded(world: ScriptedStore) -> None:
    world.hand.write("/a/b", "1")
    world.hand.write("/c", "1")
    text = io.StringIO()
    recorder = Recorder(world.store, Writer(text, HEADER))
    recorder.follow(["/a", "/c"])

    def gone(burst: list[str]) -> bool:
        if "/a" in burst and recorder.now() > 0:
            world.hand.remove("/c")
        return world.store.read_or_none("/c") is None

    world.actions = [lambda: world.hand.remove("/a")]
    assert recorder.run(None, gone) == "what was recorded is gone"
    recorder.close()
    events = load(io.StringIO(text.getvalue())).events
    assert [(event.op, event.path) for event in events[-3:]] == [("rm", "/a"), ("rm", "/c"), ("end", "")]


def test_a_state_that_was_overtaken_comes_after_the_rest_too(
    world: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = Meanwhile(world, monkeypatch)

    def hurry() -> None:
        world.hand.write("/a/state", "1")
        meanwhile.changes = [
            lambda: at_once(world, ("/a/state", "2"), ("/a/feature", "2")),
            lambda: at_once(world, ("/a/state", "3"), ("/a/feature", "3")),
        ]

    world.actions = [hurry]
    found = [each[:2] for each in changes(record(world, "/a"))]
    assert found == [("/a/feature", b"3"), ("/a/state", b"2"), ("/a/feature", b"3"), ("/a/state", b"3")]


def test_what_has_changed_until_it_goes_on_with_another_connection(world: ScriptedStore) -> None:
    for path in ("/a/d/state", "/a/gone/deep", "/a/same"):
        world.hand.write(path, "1")
    text = io.StringIO()
    recorder = Recorder(world.store, Writer(text, HEADER))
    recorder.follow(["/a"])
    world.store.close()
    at_once(world, ("/a/d/state", "4"), ("/a/d/feature", "1"))
    world.hand.remove("/a/gone")
    recorder.resume(world.connect())
    recorder.run(None, lambda burst: "/a/d/state" in burst)
    recorder.close()
    assert [(event.op, event.path, event.events) for event in load(io.StringIO(text.getvalue())).events[6:]] == [
        ("rm", "/a/gone", 1),
        ("write", "/a/d/feature", 1),
        ("write", "/a/d/state", 1),
        ("end", "", 1),
    ]


def test_the_end_says_which_connection_was_lost(world: ScriptedStore) -> None:
    text = io.StringIO()
    recorder = Recorder(world.store, Writer(text, HEADER))
    recorder.follow(["/a"])
    world.actions = [lambda: next(iter(world.engine.connections)).end("for a test")]
    with pytest.raises(StoreClosed):
        recorder.run(None, lambda _burst: False)
    recorder.close()
    assert "is closed: the server ended it" in load(io.StringIO(text.getvalue())).events[-1].error
