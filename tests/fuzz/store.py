"""The store's parsers: packets of both ends, values of nodes, shared pages, a server's state."""

from __future__ import annotations

import os
from random import Random

from tests.fuzz import scratch
from xenbus import blkif, netif, parse, wire
from xenbus.bytering import STORE_REPLIES, STORE_REQUESTS, ByteReader, ByteWriter
from xenbus.errors import RingError
from xenbus.escape import escape, unescape
from xenbus.meaning import meaning, state_of
from xenbus.perm import parse_perms
from xenbus.ring import BackRing, FrontRing
from xenbus.server.connection import Connection
from xenbus.server.engine import Engine
from xenbus.server.journal import MAGIC, Journal, record
from xenbus.server.ring import ServerEnd


def codec(data: bytes) -> None:
    """A client's decoder, fed in two pieces, gives what it gives when fed at once."""
    decoder, again = wire.Decoder(), wire.Decoder()
    middle = len(data) // 2
    packets = decoder.feed(data)
    assert again.feed(data[:middle]) + again.feed(data[middle:]) == packets
    for op, req_id, tx_id, payload in packets:
        assert wire.op_name(op) and wire.error_name(payload)
        assert wire.join_strings(wire.split_strings(payload)).removesuffix(b"\0") == payload.removesuffix(b"\0")
        assert wire.Decoder().feed(wire.pack(op, req_id, tx_id, payload)) == [(op, req_id, tx_id, payload)]


class Served:
    """An engine that takes everything as domain 0 and as a guest, and stays in order."""

    def __init__(self) -> None:
        self._turn = 0
        self._fresh()

    def _fresh(self) -> None:
        self._now = 0.0
        self._engine = Engine(clock=lambda: self._now)
        self._engine.introduce(5, 1, 1)
        self._dom0, self._guest = self._engine.connect(0), self._engine.connect(5)

    def __call__(self, data: bytes) -> None:
        self._turn, self._now = self._turn + 1, self._now + 1
        if self._turn % 100 == 0:
            self._fresh()
        if not self._engine.domains.introduced(5):
            self._engine.introduce(5, 1, 1)
        self._dom0 = self._feed(self._dom0, 0, data)
        self._guest = self._feed(self._guest, 5, data)

    def _feed(self, client: Connection, domid: int, data: bytes) -> Connection:
        if client.closed:
            client = self._engine.connect(domid)
        client.feed(data)
        for _ in range(100):
            self._now += 1  # a guest that is slowed down goes on later
            self._engine.expire()
            if not client.pending:
                break
            for op, _req, _tx, payload in wire.Decoder().feed(client.take()):
                assert len(payload) <= wire.PAYLOAD_MAX
                assert op != wire.ERROR or payload[:-1].decode() in wire.ERROR_NAMES
        return client


_ASK = wire.pack
PACKETS = [
    _ASK(wire.WRITE, 1, 0, b"/a/b\0value") + _ASK(wire.READ, 2, 0, b"/a/b\0") + _ASK(wire.DIRECTORY, 3, 0, b"/a\0"),
    _ASK(wire.WATCH, 1, 0, b"/a\0token\0") + _ASK(wire.SET_PERMS, 2, 0, b"/a\0n0\0r5\0") + _ASK(wire.RM, 3, 0, b"/a\0"),
    _ASK(wire.TRANSACTION_START, 1, 0, b"\0")
    + _ASK(wire.MKDIR, 2, 1, b"x\0")
    + _ASK(wire.TRANSACTION_END, 3, 1, b"T\0"),
    _ASK(wire.DIRECTORY_PART, 1, 0, b"/\0" + b"0\0")
    + _ASK(wire.CONTROL, 2, 0, b"help\0")
    + _ASK(wire.RESET_WATCHES, 3, 0, b"\0"),
    _ASK(wire.SET_TARGET, 1, 0, b"5\0" + b"6\0") + _ASK(wire.INTRODUCE, 2, 0, b"6\0" + b"1\0" + b"1\0"),
    _ASK(wire.GET_QUOTA, 1, 0, b"5\0nodes\0")
    + _ASK(wire.SET_FEATURE, 2, 0, b"5\0" + b"1\0")
    + _ASK(wire.WRITE, 3, 7, b"\0"),
]


def values(data: bytes) -> None:
    """Whatever a guest writes into a node."""
    text = data.decode("latin-1")
    for read in (parse.parse_decimal, parse.parse_bool, parse.parse_flag, parse.parse_word, parse.parse_text):
        assert read(data) == read(text)
    for other in (parse.parse_device, parse.parse_domid, parse.parse_state, parse.parse_mac, parse.shown):
        assert other(data) == other(text)
    assert len(parse.shown(data)) <= 6 * parse.SHOWN_MAX + 5
    below = parse.parse_path_under(data, "/local/domain/5")
    assert below is None or (below.startswith("/local/domain/5/") and "//" not in below)
    assert unescape(escape(data)) == data
    for name in ("state", "ring-ref", "mac", "params", "x"):
        path = f"/local/domain/5/device/vbd/51712/{name}"
        meaning(path, data)
        state_of(path, data)
    unescape(data.decode("utf-8", "surrogateescape"))
    parse_perms(data.decode("utf-8", "surrogateescape"))


VALUES = [b"4", b"51712", b"00:16:3e:11:22:33", b"fd:3", b"/local/domain/5/device/vbd/51712", b"n0,r5,b6", b"\\x41\\n"]


def ring(data: bytes) -> None:
    """A page that the other end has written: the store's, a disk's, a console's."""
    page = memoryview(bytearray(data[:4096].ljust(4096, b"\0")))
    engine = Engine(clock=lambda: 0.0)
    engine.introduce(5, 1, 1)
    end = ServerEnd(memoryview(bytearray(page)), lambda: engine.connect(5))
    store_page = memoryview(end._words).cast("B")  # the indexes are cleared by the server: the guest writes them again
    store_page[:] = page
    for _ in range(100):
        if not end.step():
            break
    else:
        raise AssertionError("the store's ring never comes to rest")
    refused: Exception | None = None
    for read in (_requests, _responses, _bytes):
        try:
            read(memoryview(bytearray(page)))
        except RingError as error:
            refused = error
    if refused:
        raise refused


def _requests(page: memoryview) -> None:
    back = BackRing(page, blkif.SLOT_SIZE)
    for taken, request in enumerate(back.requests()):
        assert taken < back.size
        _messages(request)
    back.close()


def _responses(page: memoryview) -> None:
    front = FrontRing(page, netif.RX_SLOT_SIZE, fresh=False)
    assert len(list(front.responses(netif.RX_RESPONSE_SIZE))) <= front.size
    front.close()


def _bytes(page: memoryview) -> None:
    for where in (STORE_REQUESTS, STORE_REPLIES):
        assert len(ByteReader(page, where).read()) <= 1024
        assert ByteWriter(page, where).write(b"x" * 3000) <= 1024


def _messages(slot: bytes) -> None:
    """Each kind of request and response, out of the same bytes."""
    blkif.request_id(slot)
    for read in (blkif.parse_request, blkif.parse_response, netif.parse_rx_request, netif.parse_rx_response):
        try:
            read(slot)
        except RingError:
            pass
    pieces = [netif.parse_tx_request(slot[at : at + 12]) for at in (0, 12, 24)]
    netif.frame_pieces(pieces)


RINGS = [
    bytes(4096),
    (5).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(56) + bytes(range(256)) * 15 + bytes(192),
    PACKETS[0].ljust(2052, b"\0") + len(PACKETS[0]).to_bytes(4, "little") + bytes(2040),
]


class JournalFile:
    """A server's state, as a crash, a full disk or a bad one leaves it."""

    def __init__(self) -> None:
        self.path = os.path.join(scratch(), "state")

    def __call__(self, data: bytes) -> None:
        with open(self.path, "wb") as file:
            file.write(data)
        engine = Engine(clock=lambda: 0.0)
        journal = Journal(self.path, engine)
        try:
            journal.load()
        finally:
            journal.close()
        assert list(engine.records())


JOURNALS = [
    MAGIC
    + record([(b"/", b"", b"n0\0"), (b"/tool", b"", b"n0\0"), (b"/tool/xenstored", b"", b"n0\0")])
    + record([(b"/a", b"1", b"n0\0r5\0"), (b"/a/b", b"\xff\0", b"n5\0")])
    + record([(b"/a/b", None, b""), (b"@releaseDomain", b"", b"n0\0")])
]


def journal(dice: Random) -> bytes:
    """Records with good checksums, of entries at random."""
    paths = (b"/", b"/a", b"/a/b", b"/tool", b"x", b"", b"/a//b", b"@releaseDomain", b"/\xff")
    entries = [
        (dice.choice(paths), dice.choice((None, b"", b"v")), dice.choice((b"n0\0", b"n5\0r6\0", b"n0\0b5\0")))
        for _ in range(dice.randrange(5))
    ]
    return JOURNALS[0] + record((path, value, b"" if value is None else perms) for path, value, perms in entries)
