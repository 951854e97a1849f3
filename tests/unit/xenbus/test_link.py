"""The link against a peer that the test plays itself, byte by byte, over a socket pair."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus import wire
from xenbus.errors import InvalidValue, StoreClosed, StoreProtocolError, StoreTimeout
from xenbus.link import Call, Link, Marks
from xenbus.port import DevicePort, SocketPort
from xenbus.request import List, Read, Request, Write

SOON = 10.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def link(ends: tuple[socket.socket, socket.socket]) -> Iterator[Link]:
    link = Link(SocketPort("/the/socket", ends[0], ends[0].close, timeout=SOON))
    yield link
    link.close()


@pytest.fixture
def peer(ends: tuple[socket.socket, socket.socket]) -> socket.socket:
    return ends[1]


def send(link: Link, *requests: Request) -> Call:
    return link.send([(0, requests)], monotonic() + SOON)


def arrived(link: Link, call: Call) -> bool:
    """Whether the answers are there, after a look at what has come."""
    return link.wait(call.done, 0)


def requests_at(peer: socket.socket) -> list[wire.Packet]:
    return wire.Decoder().feed(peer.recv(1 << 20))


def event(path: str, token: bytes) -> bytes:
    return wire.pack(wire.WATCH_EVENT, 0, 0, path.encode() + b"\0" + token + b"\0")


def test_many_requests_are_one_write(link: Link, peer: socket.socket) -> None:
    link.send([(7, [Read("/a"), Write("/b", "x")]), (0, [List("/c")])], monotonic() + SOON)
    assert [(op, tx, payload) for op, _id, tx, payload in requests_at(peer)] == [
        (wire.READ, 7, b"/a\0"),
        (wire.WRITE, 7, b"/b\0x"),
        (wire.DIRECTORY, 0, b"/c\0"),
    ]


def test_answers_find_their_requests_in_any_order_and_any_pieces(link: Link, peer: socket.socket) -> None:
    call = send(link, Read("/a"), Read("/b"))
    (_, first, *_), (_, second, *_) = requests_at(peer)
    stream = wire.pack(wire.READ, second, 0, b"B") + event("/x", b"t") + wire.pack(wire.ERROR, first, 0, b"ENOENT\0")
    for byte in stream[:-1]:
        peer.send(bytes([byte]))
        assert not arrived(link, call)
    peer.send(stream[-1:])
    assert arrived(link, call)
    assert call.replies == [(True, b"ENOENT\0"), (False, b"B")]
    assert list(link.events) == [("/x", "t")]


def test_a_late_answer_goes_to_nobody(link: Link, peer: socket.socket) -> None:
    slow = send(link, Read("/slow"), Write("/b"))
    with pytest.raises(StoreTimeout, match=r"did not answer within 3 s: read /slow$"):
        link.finish(slow, 0, 3)
    fast = send(link, Read("/fast"))
    (_, slow_id, *_), (_, write_id, *_), (_, fast_id, *_) = requests_at(peer)
    peer.sendall(wire.pack(wire.READ, slow_id, 0, b"late") + wire.pack(wire.WRITE, write_id, 0, wire.OK))
    assert not arrived(link, fast)
    peer.sendall(wire.pack(wire.READ, fast_id, 0, b"right"))
    assert arrived(link, fast)
    assert fast.replies == [(False, b"right")]


def test_ids_wrap_at_32_bits_pass_over_zero_and_over_open_ones(link: Link, peer: socket.socket) -> None:
    link._last_id = 0
    send(link, Read("/open"))
    link._last_id = 0xFFFFFFFE
    send(link, Read("/a"), Read("/b"), Read("/c"))
    assert [packet[1] for packet in requests_at(peer)] == [1, 0xFFFFFFFF, 2, 3]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda req_id: wire.pack(wire.READ, req_id + 9, 0, b"x"), "which is not open"),
        (lambda req_id: wire.pack(wire.WRITE, req_id, 0, b"OK\0"), r"an answer of WRITE to Read\('/a'\)"),
        (lambda req_id: wire.HEADER.pack(wire.READ, req_id, 0, 4097), "a packet of 4097 bytes"),
        (lambda req_id: wire.pack(wire.READ, req_id, 0, b"x") * 2 + wire.pack(2, 99, 0, b""), "which is not open"),
        (lambda req_id: wire.pack(wire.WATCH_EVENT, 0, 0, b"/a\0"), "an event without a token"),
    ],
    ids=["id", "operation", "length", "twice", "event"],
)
def test_a_server_that_breaks_the_protocol(link: Link, peer: socket.socket, answer, reason: str) -> None:  # type: ignore[no-untyped-def]
    call = send(link, Read("/a"), Read("/b"))
    peer.sendall(answer(requests_at(peer)[0][1]))
    for _again in range(2):
        with pytest.raises(StoreProtocolError, match=f"the store at /the/socket broke the protocol: .*{reason}"):
            link.wait(call.done, monotonic() + SOON)
    with pytest.raises(StoreProtocolError):
        send(link, Read("/c"))


def test_a_server_that_goes_away(link: Link, peer: socket.socket) -> None:
    call = send(link, Read("/a"))
    peer.close()
    with pytest.raises(StoreClosed, match=r"/the/socket is closed: (the server ended it|Connection reset by peer)"):
        link.wait(call.done, None)
    with pytest.raises(StoreClosed):
        send(link, Read("/a"))


def test_a_write_to_a_server_that_went_away(link: Link, peer: socket.socket) -> None:
    peer.close()
    with pytest.raises(StoreClosed, match="Broken pipe"):
        send(link, Read("/a"))


def test_what_came_before_the_end_is_delivered(link: Link, peer: socket.socket) -> None:
    call, lost = send(link, Read("/a")), send(link, Read("/b"))
    peer.sendall(wire.pack(wire.READ, requests_at(peer)[0][1], 0, b"x") + event("/a", b"t"))
    peer.shutdown(socket.SHUT_WR)
    assert link.wait(call.done, monotonic() + SOON)
    with pytest.raises(StoreClosed):
        link.wait(lost.done, monotonic() + SOON)
    assert link.wait(lambda: bool(link.events), monotonic() + SOON)


def test_a_server_that_buffers_nothing(link: Link, peer: socket.socket) -> None:
    """It takes no request before its answer to the one before is taken; a client that only sends would hang."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    def serve() -> None:
        decoder, left = wire.Decoder(), 400
        while left:
            for op, req_id, _tx, payload in decoder.feed(peer.recv(4096)):
                peer.sendall(wire.pack(op, req_id, 0, payload))
                left -= 1

    server = threading.Thread(target=serve)
    server.start()
    call = send(link, *(Write("/a", bytes(4000)) for _ in range(400)))
    assert link.wait(call.done, monotonic() + SOON)
    server.join()


def test_a_server_that_takes_nothing(link: Link) -> None:
    with pytest.raises(StoreTimeout, match="takes no more requests"):
        link.send([(0, [Write("/a", bytes(4000))] * 1000)], monotonic() + 0.05)
    with pytest.raises(StoreClosed):
        send(link, Read("/a"))


def test_a_device_gets_one_request_at_a_time() -> None:
    """Linux sends a request out of the buffer that the next write goes to."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        link = Link(DevicePort("/dev/xen/xenbus", ours.fileno(), ours.close))
        seen: list[bytes] = []

        def serve() -> None:
            for _ in range(4):
                packet = theirs.recv(4096)
                theirs.settimeout(0.02)
                with pytest.raises(TimeoutError):
                    theirs.recv(4096)
                theirs.settimeout(None)
                ((op, number, tx, payload),) = wire.Decoder().feed(packet)
                seen.append(payload)
                theirs.send(wire.pack(op, number, tx, b"OK\0"))

        server = threading.Thread(target=serve)
        server.start()
        link.send([(0, [Write("/posted", "1")])], link.clock() + 5)
        call = link.send([(0, [Write("/a", "1"), Write("/b", "2"), Write("/c", "3")])], link.clock() + 5)
        link.finish(call, link.clock() + 5, 5)
        server.join()
        assert seen == [b"/posted\x001", b"/a\x001", b"/b\x002", b"/c\x003"]
        # A device that does not answer gets no more, and what was not sent is not waited for afterwards.
        with pytest.raises(StoreTimeout):
            link.send([(0, [Write("/d", "1"), Write("/e", "2")])], link.clock() + 0.02)
        ((op, number, tx, _payload),) = wire.Decoder().feed(theirs.recv(4096))
        theirs.send(wire.pack(op, number, tx, b"OK\0"))
        link.send([(0, [Write("/f", "1")])], link.clock() + 5)
        assert theirs.recv(4096).endswith(b"/f\x001")


def test_a_device_takes_no_packet_that_its_buffer_does_not_hold() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        link = Link(DevicePort("/dev/xen/xenbus", ours.fileno(), ours.close))
        with pytest.raises(InvalidValue, match="takes at most 4080 bytes"):
            send(link, Write("/b", bytes(4078)))
        send(link, Write("/b", bytes(4076)))
        assert len(theirs.recv(8192)) == 16 + 3 + 4076


def test_events_are_marked_until_they_are_taken(link: Link, peer: socket.socket) -> None:
    marks = Marks()
    token = link.new_token(marks)
    call = send(link, Read("/a"))
    (_, mine, *_) = requests_at(peer)[0]
    peer.sendall(event("/a", token) * 2 + wire.pack(wire.READ, mine, 0, b"x"))
    assert arrived(link, call)
    assert marks.any()
    assert link.take_marks(marks) == [token]
    assert not marks.any()


def test_events_of_an_ended_watch_are_dropped(link: Link, peer: socket.socket) -> None:
    token = link.new_token(Marks())
    del link.sinks[token]
    call = send(link, Read("/a"))
    peer.sendall(event("/a", token) + wire.pack(wire.READ, requests_at(peer)[0][1], 0, b""))
    assert arrived(link, call)
    assert not link.events


def test_an_interrupted_wait_leaves_the_link_usable(link: Link, peer: socket.socket) -> None:
    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        call = send(link, Read("/a"))
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(KeyboardInterrupt):
            link.wait(call.done, monotonic() + SOON)
    finally:
        signal.signal(signal.SIGALRM, before)
    peer.sendall(wire.pack(wire.READ, requests_at(peer)[0][1], 0, b"x"))
    assert arrived(link, call)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_an_answer_or_a_closed_link(junk: bytes, framed: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = Link(SocketPort("/the/socket", ours, ours.close, timeout=SOON))
        call = send(link, Read("/a"))
        theirs.sendall(wire.pack(junk[0] if junk else 0, 1, 0, junk) if framed else junk)
        theirs.shutdown(socket.SHUT_WR)
        try:
            assert link.wait(call.done, monotonic() + SOON)
        except StoreClosed:
            assert not call.done()
        link.close()


def wait_in_thread(link: Link, call: Call) -> tuple[threading.Thread, list[object]]:
    seen: list[object] = []

    def wait() -> None:
        try:
            seen.append(link.wait(call.done, monotonic() + SOON))
        except StoreClosed as error:
            seen.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, seen


def test_a_lost_connection_ends_every_wait_at_once(link: Link, peer: socket.socket) -> None:
    waits = [wait_in_thread(link, send(link, Read("/a"))) for _ in range(4)]
    peer.close()
    for thread, seen in waits:
        thread.join(SOON / 2)
        assert isinstance(seen[0], StoreClosed)
    assert len({id(seen[0]) for _thread, seen in waits}) == 4


def test_closing_ends_every_wait_at_once(link: Link, peer: socket.socket) -> None:
    waits = [wait_in_thread(link, send(link, Read("/a"))) for _ in range(4)]
    link.close()
    for thread, seen in waits:
        thread.join(SOON / 2)
        assert "this program closed it" in str(seen[0])
    link.close()


def test_who_reads_hands_over_when_it_has_its_answer(link: Link, peer: socket.socket) -> None:
    waits = [wait_in_thread(link, send(link, Read("/a"))) for _ in range(3)]
    packets = requests_at(peer)
    for (thread, seen), packet in zip(waits, packets, strict=True):
        peer.sendall(wire.pack(wire.READ, packet[1], 0, b""))
        thread.join(SOON / 2)
        assert seen == [True]
