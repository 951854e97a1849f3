"""Channels: a guest's console to a terminal and to a socket, with the ring driven by hand."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peerworld import PeerWorld
from xenbus.bytering import CONSOLE_IN, CONSOLE_OUT, ByteReader, ByteWriter
from xenvm.guest.class_nodes import channel_device
from xenvm.guest.classes import ChannelSpec
from xenvm.host.channel import KEPT, ChannelBack, ChannelDriver
from xenvm.ops.attach_class import attach_device
from xenvm.types import Gfn

RING = Gfn(0x40400)


class Talk:
    """A guest that does nothing by itself, with a channel whose front end is here."""

    def __init__(self, live: PeerWorld, channel: ChannelSpec) -> None:
        self.live = live
        domid = live.create("talk", extra="xenvm.behaviour=dead")
        info = live.world.hyper.domain(domid)
        assert info is not None
        self.driver = ChannelDriver(live.world.peer_client(), live.world.back_side())
        live.world.services.append(self.driver)
        device = attach_device(live.host, info, "console", lambda devid: channel_device(domid, devid - 1, channel))
        self.front, self.back = device.frontend, device.backend
        self.side = live.world.guest_side(domid)
        page = self.side.page(RING)
        page[:] = bytes(4096)
        self.out, self.typed = ByteWriter(page, CONSOLE_OUT), ByteReader(page, CONSOLE_IN)
        self.port = self.side.alloc_unbound(0)
        for name, value in (("ring-ref", self.side.grant(RING, 0)), ("port", self.port), ("state", 3)):
            live.world.store.write(f"{self.front}/{name}", str(value))
        live.world.settle()

    def say(self, data: bytes) -> None:
        while data:
            data = data[self.out.write(data) :]
            self.side.notify(self.port)
            self.live.world.settle()

    def heard(self) -> bytes:
        self.live.world.settle()
        return self.typed.read()

    def state(self) -> bytes | None:
        return self.live.read(f"{self.back}/state")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PeerWorld]:
    made = PeerWorld(tmp_path)
    yield made
    made.world.close()


def test_a_terminal(live: PeerWorld) -> None:
    talk = Talk(live, ChannelSpec("talk"))
    assert talk.state() == b"4"
    name = live.read(f"{talk.front}/tty")
    assert name and name == live.read(f"{talk.back}/tty")
    assert live.world.store.get_perms(f"{talk.front}/tty")[0].domid == 0
    terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
    talk.say(b"hello\n\x03")
    assert os.read(terminal, 100) == b"hello\n\x03", "nothing is echoed or edited"
    os.write(terminal, b"ho\r\x04")
    assert talk.heard() == b"ho\r\x04"
    talk.say(bytes(3 * KEPT))  # nobody reads: the guest does not wait for us
    (end,) = talk.driver.devices.values()
    assert isinstance(end, ChannelBack) and list(end.descriptors().values()) == [select.POLLIN | select.POLLOUT]
    os.close(terminal)
    live.world.store.write(f"{talk.back}/online", "0")
    live.write(f"{talk.back}/state", "5")
    live.write(f"{talk.front}/state", "6")
    assert talk.state() == b"6" and not talk.driver.devices and not talk.driver.descriptors()


def test_what_is_typed_waits_for_room_in_the_ring(live: PeerWorld) -> None:
    talk = Talk(live, ChannelSpec("talk"))
    terminal = os.open(live.read(f"{talk.front}/tty") or b"", os.O_RDWR | os.O_NOCTTY)
    text = bytes(range(256)) * 8
    os.write(terminal, text)
    found = b""
    for _ in range(4):
        found += talk.heard()
        talk.side.notify(talk.port)
    assert found == text
    os.close(terminal)


def test_a_socket(live: PeerWorld) -> None:
    path = str(live.folder / "talk.sock")
    talk = Talk(live, ChannelSpec("talk", "socket", path))
    assert os.stat(path).st_mode & 0o777 == 0o600
    talk.say(b"nobody listens")
    for word in (b"one", b"two"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(word)
            assert talk.heard() == word
            talk.say(word[::-1])
            assert client.recv(100) == word[::-1]
        talk.heard()
    talk.live.world.store.remove(talk.front)
    talk.live.world.settle()
    assert not os.path.exists(path)


def test_a_socket_that_somebody_listens_to_is_not_taken(live: PeerWorld) -> None:
    path = str(live.folder / "taken.sock")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        assert Talk(live, ChannelSpec("talk", "socket", path)).state() == b"5"
    assert b"in use" in (live.read("/local/domain/0/error/backend/console/1/1/error") or b"")


def test_a_socket_that_was_left_is_taken(live: PeerWorld) -> None:
    path = str(live.folder / "left.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert Talk(live, ChannelSpec("talk", "socket", path)).state() == b"4"


def test_the_primary_console_is_left_alone(live: PeerWorld) -> None:
    talk = Talk(live, ChannelSpec("talk"))
    assert [path.rpartition("/")[2] for path in talk.driver.devices] == ["1"]


def test_a_ring_that_makes_no_sense_ends_the_channel(live: PeerWorld) -> None:
    talk = Talk(live, ChannelSpec("talk"))
    talk.side.write(RING * 4096 + CONSOLE_OUT.prod, b"\xff\xff\xff\x7f")
    talk.side.notify(talk.port)
    talk.live.world.settle()
    assert talk.state() in (b"5", b"6")
