"""A server that records itself."""

from __future__ import annotations

import io

from tests.support.scriptedstore import ScriptedStore
from xenbus.recording import Event, Recording, load
from xenbus.request import Write
from xenbus.server.tape import Tape


class _File(io.StringIO):
    text = ""

    def close(self) -> None:
        self.text = self.getvalue()


def taped(world: ScriptedStore) -> tuple[Tape, _File]:
    file = _File()
    return Tape(world.engine, file, "t"), file


def recorded(tape: Tape, file: _File) -> Recording:
    tape.close()
    return load(io.StringIO(file.text))


def changes(recording: Recording) -> list[tuple[str, str, bytes | None, int | None]]:
    return [(event.op, event.path, event.value, event.by) for event in recording.events if event.changes]


def test_changes_and_requests() -> None:
    world = ScriptedStore()
    world.hand.write("/a", "old")
    tape, file = taped(world)
    world.hand.write("/a", "new")
    world.now = 2.5
    world.hand.read_or_none("/nowhere")
    world.hand.remove("/a")
    recording = recorded(tape, file)
    assert Event(0, "have", "/a", b"old", recording.events[0].perms) in recording.events
    found = [event for event in recording.events if event.op != "have"]
    assert [(event.time, event.op, event.path, event.value, event.error) for event in found] == [
        (0, "write", "/a", b"new", ""),
        (2.5, "ask", "/nowhere", None, "ENOENT"),
        (2.5, "rm", "/a", None, ""),
        (2.5, "end", "", None, "the server was stopped"),
    ]


def test_a_transaction_is_there_when_it_is_committed_and_its_states_come_last() -> None:
    world = ScriptedStore()
    tape, file = taped(world)
    world.hand.transact([Write("/d/state", "1"), Write("/d/x", "2")])
    dropped = world.hand.transaction()
    dropped.write("/never", "1")
    dropped.abort()
    recording = recorded(tape, file)
    written = [change[:3] for change in changes(recording) if change[0] == "write" and change[1] != "/d"]
    assert written == [("write", "/d/x", b"2"), ("write", "/d/state", b"1")]
    assert {"transaction_start", "write", "transaction_end"} <= {event.request for event in recording.events}


def test_who_it_was_and_who_listened_before() -> None:
    world = ScriptedStore()
    heard: list[object] = []
    world.engine.on_commit = heard.append
    tape, file = taped(world)
    world.hand.write("/a", "1")
    world.engine.introduce(5, 1, 1)
    world.engine.release(5)
    assert [change[3] for change in changes(recorded(tape, file)) if change[1] == "/a"] == [0] and heard
