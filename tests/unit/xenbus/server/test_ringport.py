"""A whole client over the page of a ring."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from xenbus.client import Store
from xenbus.errors import StoreClosed, StoreTimeout
from xenbus.link import Link
from xenbus.request import Write
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.server.ring import PAGE_SIZE, GuestEnd, ServerEnd
from xenbus.server.ringport import RingPort


class Guest:
    """Domain 5 with a home, its page, and a client on it."""

    def __init__(self) -> None:
        self.engine, self.looks = Engine(), True
        self.engine.introduce(5, 1, 3)
        with Store(Link(EnginePort(self.engine.connect(0)))) as dom0:
            dom0.mkdir("/local/domain/5")
            dom0.set_perms("/local/domain/5", ["n5"])
        self.page = bytearray(PAGE_SIZE)
        self.server = ServerEnd(memoryview(self.page), lambda: self.engine.connect(5))
        self.store = Store(Link(RingPort(GuestEnd(memoryview(self.page)), self.kick, lambda _left: self.kick())), 0.05)

    def kick(self) -> None:
        while self.looks and self.server.step():
            pass


def test_requests_and_events() -> None:
    guest = Guest()
    guest.store.watch("data", "t")
    assert guest.store.next_event(0) == ("data", "t")
    guest.store.write("data/x", b"value")
    assert guest.store.next_event(0) == ("data/x", "t")
    assert guest.store.read("/local/domain/5/data/x") == b"value"


def test_more_than_a_ring_holds() -> None:
    guest = Guest()
    assert guest.store.batch([Write(f"data/{number}", bytes(1500)) for number in range(20)]) == [None] * 20
    assert guest.store.read("data/19") == bytes(1500)


@pytest.mark.parametrize("use", [lambda store: store.read("data"), lambda store: store.next_event()])
def test_a_broken_ring_is_told(use: Callable[[Store], object]) -> None:
    guest = Guest()
    struct.pack_into("=I", guest.page, 2052, 1 << 31)
    guest.kick()
    with pytest.raises(StoreClosed, match="indexes are impossible"):
        use(guest.store)


@pytest.mark.parametrize("word", [2048, 2060])
def test_a_server_that_breaks_the_ring_is_not_believed(word: int) -> None:
    guest = Guest()
    struct.pack_into("=I", guest.page, word, 5000)
    with pytest.raises(StoreClosed, match="a ring of 1024 bytes says that it holds"):
        guest.store.read("data")


def test_a_server_that_does_not_look_is_not_waited_for() -> None:
    guest = Guest()
    guest.looks = False
    with pytest.raises(StoreTimeout):
        guest.store.read("data")
