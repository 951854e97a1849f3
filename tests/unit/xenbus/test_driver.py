"""Both ends of one device on one connection: an event comes before the reply to the next request, so nothing waits."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.fakestore import FakeStore
from xenbus.bus import CLOSED, CLOSING, CONNECTED, INIT_WAIT, INITIALISING
from xenbus.client import Store, connect
from xenbus.devicebus import Bus
from xenbus.driver import Backend, Frontend
from xenbus.errors import DeviceFault
from xenbus.handshake import REMOVAL
from xenbus.watcher import Watcher

HOME = "/local/domain/0"
BACK, FRONT = f"{HOME}/backend/toy/0/3", f"{HOME}/device/toy/3"


class ToyBack(Backend):
    ready = True
    released = 0

    def offer(self) -> Mapping[str, object]:
        return {"feature-toy": 1}

    def connect(self) -> Mapping[str, object] | None:
        (ref,) = self.read_peer("ring-ref")
        if ref != b"8":
            raise DeviceFault(f"ring-ref {ref!r} makes no sense")
        return {"size": 42} if self.ready else None

    def release(self) -> None:
        self.released += 1

    def serve(self) -> bool:
        raise DeviceFault("the ring is broken")


class ToyFront(Frontend):
    size: bytes | None = None
    ref = 8

    def publish(self) -> Mapping[str, object]:
        return {"ring-ref": self.ref, "event-channel": 5}

    def connect(self) -> None:
        (self.size,) = self.read_peer("size")

    refresh = connect


class World:
    def __init__(self, store: Store, fake: FakeStore) -> None:
        self.fake, self.watcher = fake, Watcher(store)
        self.messages: list[str] = []
        self.back = Bus(self.watcher, "backend/toy", ToyBack.probe, self.messages.append)
        self.front = Bus(self.watcher, "device", ToyFront.probe, self.messages.append)

    def settle(self) -> None:
        for _ in range(60):
            # A request makes sure that the events of all earlier changes have come.
            self.watcher.store.read_or_none("/")
            if not any([self.watcher.step(), self.back.step(), self.front.step()]):
                return
        raise AssertionError("the ends never come to rest")

    def states(self) -> tuple[bytes | None, bytes | None]:
        return self.fake.get(f"{FRONT}/state"), self.fake.get(f"{BACK}/state")

    def make(self, front: int = INITIALISING, back: int = INITIALISING) -> None:
        fake = self.fake
        for name, value in (("backend", BACK), ("backend-id", "0"), ("state", str(front))):
            fake.put(f"{FRONT}/{name}", value)
        for name, value in (("frontend", FRONT), ("frontend-id", "0"), ("online", "1"), ("state", str(back))):
            fake.put(f"{BACK}/{name}", value)

    def remove(self) -> None:
        for name, value in REMOVAL:
            self.fake.put(f"{BACK}/{name}", value)


@pytest.fixture
def world(store: Store, fake: FakeStore) -> World:
    return World(store, fake)


def test_two_ends_connect(world: World) -> None:
    world.make()
    world.settle()
    assert world.states() == (b"4", b"4")
    assert world.fake.get(f"{BACK}/feature-toy") == b"1"
    (front,) = world.front.ends.values()
    assert isinstance(front, ToyFront) and front.size == b"42"


def test_devices_that_were_there_before_are_found(store: Store, fake: FakeStore) -> None:
    World(store, fake).make()
    store.close()
    with connect(fake.path) as late:
        world = World(late, fake)
        world.settle()
        assert world.states() == (b"4", b"4")


def test_the_toolstack_removes_a_device(world: World) -> None:
    world.make()
    world.settle()
    (back,) = world.back.ends.values()
    world.remove()
    world.settle()
    assert world.states() == (b"6", b"6")
    assert not world.back.ends
    assert isinstance(back, ToyBack) and back.released


def test_a_closed_device_stays_while_it_is_online_and_connects_again(world: World) -> None:
    world.make()
    world.settle()
    (front,) = world.front.ends.values()
    assert isinstance(front, Frontend)
    front.shutting_down = True
    world.front.mark(front.path)
    world.settle()
    assert world.states() == (b"6", b"6")
    front.shutting_down = False
    world.fake.put(f"{FRONT}/state", "1")
    world.settle()
    assert world.states() == (b"4", b"4")


def test_a_kernel_finds_a_device_that_another_has_left_connected(world: World) -> None:
    world.make()
    world.settle()
    world.front.ends.clear()
    world.front.mark("device/toy/3")
    world.settle()
    assert world.states() == (b"4", b"4")
    (back,) = world.back.ends.values()
    assert isinstance(back, ToyBack) and back.released


def test_forced_removal_closes_the_back_end(world: World) -> None:
    world.make()
    world.settle()
    with world.watcher.store.transaction() as tx:
        tx.remove(FRONT)
        tx.write(f"{BACK}/online", "0")
        tx.write(f"{BACK}/state", str(CLOSING))
    world.settle()
    assert world.states() == (None, b"6")
    assert not world.back.ends and not world.front.ends


def test_a_removed_back_end_leaves_nothing_behind(world: World) -> None:
    world.make()
    world.settle()
    world.fake.drop(BACK)
    world.settle()
    assert not world.back.ends
    assert world.fake.get(BACK) is None
    assert world.states()[0] == b"%d" % CLOSED


def test_a_back_end_waits_for_what_it_needs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyBack, "ready", False)
    world.make()
    world.settle()
    assert world.states() == (b"3", b"%d" % INIT_WAIT)
    ToyBack.ready = True
    world.fake.put(f"{BACK}/physical-device", "7:0")
    world.settle()
    assert world.states() == (b"4", b"%d" % CONNECTED)


def test_a_front_end_that_makes_no_sense_hurts_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyFront, "ref", "x" * 100)
    world.make()
    world.settle()
    assert world.states() == (b"6", b"6")
    assert "makes no sense" in str(world.fake.get(f"{HOME}/error/backend/toy/0/3/error"))
    assert any(message.startswith("backend/toy/0/3: ring-ref") for message in world.messages)


def test_a_broken_ring_closes_its_device(world: World) -> None:
    world.make()
    world.settle()
    (back,) = world.back.ends.values()
    back.use_port(77)
    assert world.back.step([77, 78])
    world.settle()
    assert world.states() == (b"6", b"6")
    assert back.error == "the ring is broken" and not world.back.ports


def test_a_back_end_whose_front_end_is_elsewhere_is_not_served(world: World) -> None:
    world.make()
    world.fake.put(f"{BACK}/frontend", "/local/domain/9/device/toy/3")
    world.settle()
    assert not world.back.ends


def test_a_repeated_connected_has_the_properties_read_again(world: World) -> None:
    world.make()
    world.settle()
    world.fake.put(f"{BACK}/size", "43")
    world.fake.put(f"{BACK}/state", "4")
    world.settle()
    (front,) = world.front.ends.values()
    assert isinstance(front, ToyFront) and front.size == b"43"


def test_a_new_process_takes_over_what_is_connected(world: World) -> None:
    world.make()
    world.settle()
    world.back.close()
    world.fake.put(f"{BACK}/size", "0")
    world.back.mark("backend/toy/0/3")
    world.settle()
    assert world.states() == (b"4", b"4")
    assert world.fake.get(f"{BACK}/size") == b"42"
    world.remove()
    world.settle()
    assert world.states() == (b"6", b"6") and not world.back.ends
