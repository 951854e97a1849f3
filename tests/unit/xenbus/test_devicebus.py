"""News of one directory of devices has nothing done for the others."""

from __future__ import annotations

import pytest

from xenbus.client import Store
from xenbus.devicebus import Bus
from xenbus.driver import End
from xenbus.link import Link
from xenbus.request import Write
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.watcher import Watcher

ROOT, GUESTS = "backend/toy", 30


class Toy(End):
    """A device that only counts how often it is looked at."""

    looks = 0

    def _step(self) -> bool:
        self.looks += 1
        return False


class World:
    """A bus with one device for each of many guests."""

    def __init__(self) -> None:
        engine = Engine()
        self.store = Store(Link(EnginePort(engine.connect(0))))
        self.watcher = Watcher(Store(Link(EnginePort(engine.connect(0)))))
        self.store.batch_checked([Write(f"/local/domain/0/{ROOT}/{number}/0/state", "1") for number in range(GUESTS)])
        self.bus = Bus(self.watcher, ROOT, self._probe)
        self.settle()

    def _probe(self, bus: Bus, path: str) -> Toy | None:
        there = self.store.read_or_none(f"/local/domain/0/{path}/state") is not None
        return Toy(bus, path, f"/local/domain/{path.split('/')[2]}/device/toy/0", 0) if there else None

    def settle(self) -> list[str]:
        """Lets the bus come to rest; the devices that were looked at meanwhile."""
        before = {path: end.looks for path, end in self.toys().items()}
        while self.watcher.step() | self.bus.step():
            pass
        return [path for path, end in self.toys().items() if end.looks != before.get(path, 0)]

    def toys(self) -> dict[str, Toy]:
        return {path: end for path, end in self.bus.ends.items() if isinstance(end, Toy)}


@pytest.fixture
def world() -> World:
    return World()


def test_all_are_found(world: World) -> None:
    assert len(world.bus.ends) == GUESTS


def test_one_directory(world: World) -> None:
    waits = world.watcher.store.waits
    world.store.write(f"/local/domain/0/{ROOT}/7", "")
    world.store.write(f"/local/domain/0/{ROOT}/7/1/state", "1")
    assert sorted(world.settle()) == [f"{ROOT}/7/0", f"{ROOT}/7/1"]
    assert world.watcher.store.waits - waits < 10, "no list of all guests"
    assert f"{ROOT}/7/1" in world.bus.ends


def test_a_name_that_begins_like_another(world: World) -> None:
    world.store.write(f"/local/domain/0/{ROOT}/2", "")
    assert world.settle() == [f"{ROOT}/2/0"], "and not 20 to 29"


def test_the_whole_directory(world: World) -> None:
    world.store.write(f"/local/domain/0/{ROOT}/{GUESTS}/0/state", "1")
    world.settle()
    world.store.write(f"/local/domain/0/{ROOT}", "")
    assert len(world.settle()) == GUESTS + 1


def test_nothing_is_kept_of_what_is_gone(world: World) -> None:
    for end in world.toys().values():
        end.gone = True
    world.store.write(f"/local/domain/0/{ROOT}", "")
    world.settle()
    assert not world.bus.ends and not world.bus._below
