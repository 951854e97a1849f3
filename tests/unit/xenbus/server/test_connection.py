from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Clock, Guest
from xenbus import wire
from xenbus.server import connection as limits
from xenbus.server.engine import Engine

OK = wire.OK
SOME = b"".join(
    [
        wire.pack(wire.WRITE, 1, 0, b"/a\0value"),
        wire.pack(wire.WATCH, 2, 0, b"/a\0t\0"),
        wire.pack(wire.READ, 3, 0, b"/a\0"),
        wire.pack(wire.READ, 4, 0, b"/none\0"),
        wire.pack(wire.DIRECTORY, 5, 0, b"/a\0"),
    ]
)


def replies(data: bytes) -> list[tuple[int, int, bytes]]:
    return [(op, req_id, payload) for op, req_id, _tx, payload in wire.Decoder().feed(data)]


EXPECTED = [
    (wire.WRITE, 1, OK),
    (wire.WATCH, 2, OK),
    (wire.WATCH_EVENT, 0, b"/a\0t\0"),
    (wire.READ, 3, b"value"),
    (wire.ERROR, 4, b"ENOENT\0"),
    (wire.DIRECTORY, 5, b""),
]


@given(st.lists(st.integers(1, len(SOME)), max_size=8), st.integers(1, 40))
def test_cuts_do_not_matter(cuts: list[int], limit: int) -> None:
    client = Engine().connect()
    edges = [0, *sorted(cuts), len(SOME)]
    got = b""
    for start, end in itertools.pairwise(edges):
        client.feed(SOME[start:end])
        got += client.take(limit)
    while client.pending:
        piece = client.take(limit)
        assert 0 < len(piece) <= limit
        got += piece
    assert replies(got) == EXPECTED
    assert client.take() == client.take(5) == b""


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes(pieces: list[bytes]) -> None:
    client = Engine().connect()
    for piece in pieces:
        client.feed(piece)
        replies(client.take())


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.binary(max_size=40)), max_size=30))
def test_any_requests(requests: list[tuple[int, int, bytes]]) -> None:
    """Each gets exactly one reply of its kind, or an error that the protocol knows."""
    client = Engine().connect()
    for op, tx, payload in requests:
        client.feed(wire.pack(op, 9, tx, payload))
        [(got, _id, reply)] = [packet for packet in replies(client.take()) if packet[0] != wire.WATCH_EVENT]
        assert got == op or (got == wire.ERROR and reply[:-1].decode() in wire.ERROR_NAMES)
    assert not client.closed


@pytest.mark.parametrize("length", [4097, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_packet_too_long_ends_the_connection(engine: Engine, length: int) -> None:
    client = engine.connect()
    client.feed(wire.pack(wire.WRITE, 1, 0, b"/a\0x") + wire.HEADER.pack(wire.READ, 2, 0, length))
    assert f"{length} bytes" in client.closed
    assert client.take() == b""
    assert RawClient(engine).read("/a") == b"x", "what came before is done"
    client.feed(SOME)
    client.close()
    assert str(length) in client.closed and not client.pending
    assert client not in engine.connections


def test_the_longest_packet(dom0: RawClient) -> None:
    assert dom0.write("/a", bytes(4096 - 3)) == OK
    assert dom0.read("/a") == bytes(4096 - 3)


@pytest.mark.parametrize("op", [wire.WATCH_EVENT, wire.ERROR, wire.RESTRICT, 27, 0xFFFFFFFF])
def test_unknown_operations(dom0: RawClient, op: int) -> None:
    assert dom0.raw(op, b"/\0") == "ENOSYS"


def test_a_reply_too_long(dom0: RawClient) -> None:
    for number in range(2000):
        dom0.mkdir(f"/a/{number}")
    assert dom0.ls("/a") == "E2BIG"


def test_who_does_not_read_is_not_served(engine: Engine) -> None:
    client = engine.connect()
    RawClient(engine).write("/a", bytes(4000))
    count = 1000
    client.feed(wire.pack(wire.READ, 1, 0, b"/a\0") * count)
    assert client.blocked
    got = []
    while client.pending:
        data = client.take()
        assert len(data) < limits.OUTPUT_HIGH + 5000
        got += replies(data)
    assert len(got) == count
    assert not client.blocked


def test_who_sends_without_regard_is_given_up(engine: Engine) -> None:
    client = engine.connect()
    RawClient(engine).write("/a", bytes(4000))
    while not client.closed:
        client.feed(wire.pack(wire.READ, 1, 0, b"/a\0") * 3000)
    assert client.closed == "it sends without regard to what waits already"


def test_who_takes_no_events_is_given_up(engine: Engine, dom0: RawClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTPUT_MAX", 10_000)
    lazy = RawClient(engine)
    lazy.watch("/")
    for number in range(1000):
        dom0.write(f"/a/{number}")
    assert lazy.connection.closed == "it does not take its events"


def test_a_guest_has_few_requests_under_way(guest: Guest) -> None:
    five = guest(5).connection
    five.feed(wire.pack(wire.READ, 1, 0, b"x\0") * 100)
    assert five.blocked
    assert len(replies(five.take())) == 20
    total = 20
    while five.pending:
        total += len(replies(five.take()))
    assert total == 100


def test_a_guest_waits_for_those_it_disturbs(dom0: RawClient, guest: Guest) -> None:
    five, six = guest(5), guest(6)
    dom0.chmod("/local/domain/5", "n5", "r6")
    six.watch("/local/domain/5")
    six.events()
    for number in range(20):
        assert five.write(f"n{number}") == OK
    five.connection.feed(wire.pack(wire.READ, 1, 0, b"n1\0"))
    assert five.connection.blocked and not five.connection.pending
    assert len(six.events()) == 20
    assert replies(five.connection.take()) == [(wire.READ, 1, b"")]


def test_old_events_are_dropped(clock: Clock, engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five, six = guest(5), guest(6)
    dom0.chmod("/local/domain/5", "n5", "r6")
    six.watch("/local/domain/5")
    six.events()
    for number in range(20):
        five.write(f"n{number}")
    assert five.connection.blocked
    clock.now += limits.EVENT_PATIENCE - 1
    engine.expire()
    assert five.connection.blocked
    clock.now += 1
    engine.expire()
    assert not five.connection.blocked and not six.connection.pending
    five.write("n1")
    assert six.events() == [(b"/local/domain/5/n1", b"t")]


def test_a_lazy_guest_s_events_are_bounded(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    dom0.ask(wire.SET_QUOTA, "5", "memory", "20000")
    five.watch("/local/domain/5")
    for number in range(1000):
        dom0.write(f"/local/domain/5/x/{number}")
        dom0.rm(f"/local/domain/5/x/{number}")
    domain = engine.domains.find(5)
    assert domain and domain.buffers < 20000
    five.connection.take()
    assert five.connection.take() == b"" and five.read("x") == b""


def test_somebody_is_told_when_there_is_something_to_take(engine: Engine, dom0: RawClient) -> None:
    told: list[object] = []
    client = RawClient(engine)
    client.watch("/a")
    client.events()
    client.connection.on_pending = told.append
    dom0.write("/a")
    dom0.write("/a/b")
    assert told == [client.connection]
    client.events()
    dom0.write("/a")
    assert told == [client.connection] * 2


def test_closing_gives_everything_back(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    five.watch("x")
    five.begin()
    five.connection.feed(wire.pack(wire.READ, 1, 0, b"x\0") * 30)
    for _time in range(2):
        five.connection.close()
        assert five.connection.closed == "the client ended it"
    domain = engine.domains.find(5)
    assert domain and domain.introduced
    counts = domain.watches, domain.transactions, domain.outstanding, domain.buffers, len(domain.connections)
    assert counts == (0, 0, 0, 0, 0)
    assert not engine.transactions
    dom0.write("/local/domain/5/x")
    five.connection.feed(SOME)
    assert five.connection.take() == b""


def test_a_request_that_cannot_be_kept_is_not_done_again(engine: Engine) -> None:
    """Whoever keeps the changes fails: that goes through to whoever fed the request, which got no reply."""

    def fail(_changes: object) -> None:
        raise OSError("no space")

    client = engine.connect()
    engine.on_commit = fail
    with pytest.raises(OSError, match="no space"):
        client.feed(SOME)
    engine.on_commit = None
    client.feed(b"")
    assert replies(client.take()) == EXPECTED[1:]
