"""record: from before a domain exists until it is gone."""

from __future__ import annotations

import io

import pytest

from tests.support.scriptedstore import ScriptedStore
from xenbus.recording import Recording, load
from xenvm.errors import DomainError, WaitTimeout
from xenvm.ops.record import record

HOME, BACK = "/local/domain/5", "/local/domain/0/backend/vif/5/0"


@pytest.fixture
def world() -> ScriptedStore:
    return ScriptedStore()


def recorded(world: ScriptedStore, *targets: str, seconds: float | None = None) -> tuple[str, Recording, list[str]]:
    text, told = io.StringIO(), list[str]()
    why = record(world.store, targets, text, seconds, "4.17.5", told.append)
    return why, load(io.StringIO(text.getvalue())), told


def test_a_whole_life(world: ScriptedStore) -> None:
    world.actions = [
        world.put("/local/domain/4/name", "other"),
        world.put(f"{HOME}/name", "g"),
        world.put(f"{BACK}/state", "2"),
        world.put("/local/domain/0/backend/vif/4/0/state", "2"),
        lambda: world.hand.remove(BACK),
        lambda: world.hand.remove(HOME),
    ]
    why, recording, told = recorded(world, "g")
    assert why == recording.ended == "what was recorded is gone"
    assert told == ["waiting for a domain g", "recording domain 5"]
    assert (recording.header.domid, recording.header.target, recording.header.xen) == (5, "g", "4.17.5")
    assert [(event.op, event.path) for event in recording.events[:-1]] == [
        ("have", HOME),
        ("have", f"{HOME}/name"),
        ("write", f"{BACK}/state"),
        ("rm", BACK),
        ("rm", HOME),
    ]


def test_it_lasts_until_the_records_are_gone_too(world: ScriptedStore) -> None:
    world.hand.write(f"{HOME}/name", "g")
    world.hand.write("/libxl/5/type", "pvh")
    world.actions = [lambda: world.hand.remove(HOME), lambda: world.hand.remove("/libxl/5")]
    _why, recording, told = recorded(world, "5")
    assert [event.path for event in recording.events if event.op == "rm"] == [HOME, "/libxl/5"]
    assert told == ["recording domain 5"]


def test_driver_domains_and_the_vm(world: ScriptedStore) -> None:
    world.hand.write(f"{HOME}/name", "g")
    world.hand.write(f"{HOME}/vm", "/vm/u")
    world.hand.write("/vm/u/name", "g")
    world.hand.write("/libxl/5/device/vbd/1/backend", "/local/domain/2/backend/vbd/5/1")
    world.hand.write("/libxl/5/device/vbd/2/backend", "/local/domain/x/backend/../..")
    _why, recording, _told = recorded(world, "g", seconds=3)
    assert recording.header.watched[-2:] == ("/vm/u", "/local/domain/2/backend")
    assert "/vm/u/name" in [event.path for event in recording.events]
    assert recording.ended == "the time is up"


def test_paths(world: ScriptedStore) -> None:
    world.actions = [world.put("/a/b", "1"), world.put("/c", "2"), world.put("/d", "3")]
    why, recording, _told = recorded(world, "/a", "/c", seconds=9)
    assert [event.path for event in recording.events] == ["/a/b", "/c", ""] and why == "the time is up"


def test_what_is_refused(world: ScriptedStore) -> None:
    with pytest.raises(WaitTimeout, match="no domain g has come in time"):
        recorded(world, "g", seconds=2)
    for targets in (("g", "/a"), ("g", "h"), ("/a//b",), ("0",)):
        with pytest.raises(DomainError):
            recorded(world, *targets)


def test_no_watch_is_left(world: ScriptedStore) -> None:
    world.hand.write(f"{HOME}/name", "g")
    recorded(world, "g", seconds=1)
    world.store.read_or_none("/")
    assert not any(connection.watches for connection in world.engine.connections)
