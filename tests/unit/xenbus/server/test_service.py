"""The socket server: many clients, slow ones, dead ones, hostile ones, and its socket."""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenbus import wire
from xenbus.client import Store, connect
from xenbus.errors import NoStore, StoreClosed
from xenbus.request import Read, Write
from xenbus.server.engine import Engine
from xenbus.server.files import ServerError
from xenbus.server.service import Server


class Running:
    """A server in a thread."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "socket")
        self.commits = 0
        self.server = Server(Engine(), self.path, self.commit)
        self.thread = threading.Thread(target=self.server.serve)
        self.thread.start()

    def commit(self) -> None:
        self.commits += 1

    def raw(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(self.path)
        return client

    def end(self) -> None:
        if self.thread.is_alive():
            self.server.stop()
            self.thread.join(10)
            self.server.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.end()


def read_all(client: socket.socket) -> bytes:
    data = b""
    while piece := client.recv(1 << 16):
        data += piece
    return data


def test_clients_share_one_store(running: Running) -> None:
    with connect(running.path) as one, connect(running.path) as two:
        one.watch("/a", "t")
        assert one.next_event() == ("/a", "t")
        two.write("/a/b", b"x")
        assert one.next_event() == ("/a/b", "t")
        assert one.read("/a/b") == b"x"


def test_everything_is_committed_before_it_is_told(running: Running) -> None:
    with connect(running.path) as store:
        store.write("/a", b"x")
        assert running.commits >= 1


def test_the_socket_is_the_owner_s_alone(running: Running) -> None:
    assert stat.S_IMODE(os.stat(running.path).st_mode) == 0o600


def test_two_servers_do_not_share_a_socket(running: Running) -> None:
    with pytest.raises(ServerError, match="in use"):
        Server(Engine(), running.path)
    with connect(running.path) as store:
        assert store.read("/tool") == b""


def test_another_s_socket_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        with pytest.raises(ServerError, match="another server answers"):
            Server(Engine(), path)


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    Server(Engine(), path).close()
    assert not os.path.exists(path)


def test_no_other_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("precious")
    with pytest.raises(ServerError, match="not a socket"):
        Server(Engine(), str(path))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("path", ["none/socket", "x" * 120])
def test_a_path_that_cannot_be(tmp_path: Path, path: str) -> None:
    with pytest.raises(ServerError, match="socket"):
        Server(Engine(), str(tmp_path / path))


def test_the_end_closes_all(tmp_path: Path) -> None:
    running = Running(tmp_path)
    store = connect(running.path)
    store.read("/tool")
    running.end()
    with pytest.raises(StoreClosed):
        store.read("/tool")
    store.close()
    with pytest.raises(NoStore):
        connect(running.path)


def test_a_client_that_dies_leaves_nothing(running: Running) -> None:
    with connect(running.path) as other:
        client = running.raw()
        client.sendall(wire.pack(wire.WATCH, 1, 0, b"/a\0t\0") + wire.pack(wire.TRANSACTION_START, 2, 0, b"\0"))
        assert client.recv(4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        other.write("/a", b"x")
        assert other.read("/a") == b"x"
    running.end()
    assert not running.server._engine.transactions


def test_a_client_that_breaks_the_protocol_is_dropped(running: Running) -> None:
    with running.raw() as client, connect(running.path) as other:
        client.sendall(struct.pack("=IIII", wire.READ, 1, 0, 1 << 31))
        assert read_all(client) == b""
        assert other.read("/tool") == b""


def test_a_client_that_does_not_read_waits_alone(running: Running) -> None:
    with running.raw() as lazy, connect(running.path) as other:
        other.write("/big", bytes(4000))
        lazy.settimeout(1)
        sent = 0
        request = wire.pack(wire.READ, 1, 0, b"/big\0") * 1000
        with pytest.raises(TimeoutError):
            for _turn in range(2000):
                sent += lazy.send(request)
        assert sent < 1 << 21
        assert other.read("/tool") == b""
        lazy.settimeout(10)
        decoder, replies = wire.Decoder(), 0
        while replies < sent // 21:
            replies += len(decoder.feed(lazy.recv(1 << 20)))


def test_much_at_once(running: Running) -> None:
    with connect(running.path) as store:
        count = 3000
        replies = store.batch([Write(f"/n/{number}", bytes(100)) for number in range(count)])
        assert replies == [None] * count
        assert store.batch([Read(f"/n/{number}") for number in range(count)]) == [bytes(100)] * count


def test_many_clients(running: Running) -> None:
    stores: list[Store] = [connect(running.path) for _number in range(60)]
    for store in stores:
        store.watch("/x", "t")
    stores[0].write("/x", b"1")
    for store in stores:
        assert store.read("/x") == b"1"
        assert len(list(store.events(0))) >= 1
        store.close()


def test_when_there_is_no_descriptor_left(running: Running) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.settimeout(10)
    with connect(running.path) as store:
        store.read("/tool")
        least = os.dup(waiting.fileno())
        os.close(least)
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
        try:
            waiting.connect(running.path)
            waiting.sendall(wire.pack(wire.READ, 1, 0, b"/tool\0"))
            assert store.read("/tool") == b"", "the others go on"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert waiting.recv(100) == wire.pack(wire.READ, 1, 0, b"")
    waiting.close()
