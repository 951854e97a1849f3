"""Clients that want too much: whatever they send, they get the protocol's error or are dropped, and others go on."""

from __future__ import annotations

import socket

import pytest

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Guest
from tests.unit.xenbus.server.test_service import Running, read_all, running  # noqa: F401
from xenbus import wire
from xenbus.client import connect
from xenbus.server.engine import Engine

OK = wire.OK


def test_thousands_of_watches_of_a_guest(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    replies = [five.watch("x", str(number)) for number in range(5000)]
    assert replies.count(OK) == 129 and set(replies[129:]) == {"E2BIG"}, "one more than the quota, as in the C daemon"
    assert dom0.write("/a") == OK


def test_thousands_of_transactions_of_a_guest(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    replies = [five.raw(wire.TRANSACTION_START, b"\0") for _number in range(5000)]
    assert replies[11:] == ["ENOSPC"] * 4989
    assert dom0.write("/a") == OK


def test_thousands_of_nodes_of_a_guest(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    replies = [five.mkdir(f"{number % 30}/{number}") for number in range(5000)]
    domain = engine.domains.find(5)
    assert domain and domain.usage.nodes == 1000
    assert set(replies) == {OK, "ENOSPC"}


@pytest.mark.parametrize("tx", [0xFFFFFFFF, 1, 1 << 31])
def test_transactions_that_there_are_not(dom0: RawClient, guest: Guest, tx: int) -> None:
    five = guest(5)
    dom0.begin()
    assert five.read("x", tx) == five.write("x", b"", tx) == five.end(tx) == "ENOENT"


@pytest.mark.parametrize("op", [16, 15, 27, 99, 0x7FFFFFFF, 0xFFFFFFFF])
def test_operations_that_there_are_not(guest: Guest, dom0: RawClient, op: int) -> None:
    for client in (dom0, guest(5)):
        client.connection.feed(wire.pack(op, 7, 0, b"/a\0"))
        [(got, _req, _tx, payload)] = client.receive()
        assert (got, payload) == (wire.ERROR, b"ENOSYS\0")


def test_a_domain_0_client_with_thousands_of_everything(running: Running) -> None:  # noqa: F811
    """Domain 0 has no quota, as with the C daemon: it is served, nobody else suffers, and all of it goes with it."""
    engine = running.server._engine
    with connect(running.path) as other:
        with running.raw() as greedy:
            requests = b"".join(
                wire.pack(wire.WATCH, number, 0, b"/x/%d\0t\0" % number)
                + wire.pack(wire.TRANSACTION_START, 0, 0, b"\0")
                for number in range(5000)
            )
            greedy.sendall(requests)
            decoder, replies = wire.Decoder(), 0
            while replies < 10_000:
                replies += sum(packet[0] != wire.WATCH_EVENT for packet in decoder.feed(greedy.recv(1 << 20)))
            other.write("/x/1", b"y")
            assert len(engine.transactions) == 5000
        other.write("/x/2", b"y")
        while engine.transactions:
            assert other.read("/x/2") == b"y"


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\xff" * 15,
        wire.HEADER.pack(wire.WRITE, 1, 0, 100) + b"/a\0",
        wire.pack(wire.READ, 1, 0, b"/a\0")[:-1],
    ],
)
def test_a_client_that_stops_in_the_middle(running: Running, data: bytes) -> None:  # noqa: F811
    with connect(running.path) as other:
        with running.raw() as half:
            half.sendall(data)
            half.shutdown(socket.SHUT_WR)
            assert read_all(half) == b""
        assert other.read("/tool") == b""
