from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenbus.port import DevicePort, SocketPort


@pytest.fixture
def ends() -> Iterator[tuple[SocketPort, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield SocketPort("/the/socket", ours, ours.close, timeout=7.5), theirs


def test_receiving(ends: tuple[SocketPort, socket.socket]) -> None:
    port, peer = ends
    assert port.receive(0) is None
    assert port.receive(0.001) is None
    peer.sendall(b"data")
    assert port.receive(None) == b"data"
    peer.close()
    assert port.receive(10) == b""


def test_a_long_wait_ends_by_the_socket_s_own_limit(ends: tuple[SocketPort, socket.socket]) -> None:
    port, _peer = ends
    with socket.fromfd(port.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        limit = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
    assert struct.unpack("@ll", limit) == (7, 0)


def test_sending_never_blocks(ends: tuple[SocketPort, socket.socket]) -> None:
    port, peer = ends
    total = 0
    while sent := port.send(bytes(65536)):
        total += sent
    port.wait_for_room(0.001)
    while total:
        total -= len(peer.recv(1 << 20))
    port.wait_for_room(10)
    assert port.send(b"x") == 1
    peer.close()
    with pytest.raises(BrokenPipeError):
        port.send(b"x")


def test_waking_ends_a_receive(ends: tuple[SocketPort, socket.socket]) -> None:
    port, _peer = ends
    seen: list[bytes | None] = []
    thread = threading.Thread(target=lambda: seen.append(port.receive(None)))
    thread.start()
    port.wake()
    thread.join(5)
    assert seen == [b""]
    port.wake()


def test_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "device")
    fd = os.open(tmp_path / "device", os.O_RDWR)
    port = DevicePort("device", fd, lambda: os.close(fd))
    assert port.receive(0) is None
    assert port.send(b"data") == 4
    assert port.receive(None) == b"data"
    while port.send(bytes(4096)):
        pass
    port.wait_for_room(0.001)
    port.wake()
    assert port.receive(10)
    port.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
