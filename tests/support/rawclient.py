"""A client of an engine that speaks in packets, so that it can also say what no decent client would."""

from __future__ import annotations

from xenbus import wire
from xenbus.server.engine import Engine

Reply = bytes | str
"""A payload, or an error's name."""


class RawClient:
    """One connection; requests are answered at once, events are kept until they are asked for."""

    def __init__(self, engine: Engine, domid: int = 0) -> None:
        if domid and not engine.domains.introduced(domid):
            engine.introduce(domid, 0x39001, 1)
        self.connection = engine.connect(domid)
        self.order: list[str] = []
        self._events: list[tuple[bytes, bytes]] = []
        self._decoder = wire.Decoder()

    def ask(self, op: int, *words: str | bytes, tx: int = 0) -> Reply:
        """A request of words, each with a NUL behind it."""
        raw = (word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape") for word in words)
        return self.raw(op, b"".join(word + b"\0" for word in raw), tx)

    def raw(self, op: int, payload: bytes, tx: int = 0) -> Reply:
        """A request of any payload."""
        self.connection.feed(wire.pack(op, 7, tx, payload))
        [(got, req_id, tx_id, reply)] = self.receive()
        assert (req_id, tx_id) == (7, tx)
        assert got in (op, wire.ERROR)
        return reply[:-1].decode() if got == wire.ERROR else reply

    def receive(self) -> list[wire.Packet]:
        """All replies that are there; events are put aside."""
        replies = []
        for packet in self._decoder.feed(self.connection.take()):
            self.order.append(wire.op_name(packet[0]))
            if packet[0] == wire.WATCH_EVENT:
                path, token, _rest = packet[3].split(b"\0")
                self._events.append((path, token))
            else:
                replies.append(packet)
        return replies

    def events(self) -> list[tuple[bytes, bytes]]:
        """(path, token) of all events since the last call."""
        assert self.receive() == []
        events, self._events = self._events, []
        return events

    def write(self, path: str, value: bytes = b"", tx: int = 0) -> Reply:
        return self.raw(wire.WRITE, path.encode() + b"\0" + value, tx)

    def read(self, path: str, tx: int = 0) -> Reply:
        return self.ask(wire.READ, path, tx=tx)

    def mkdir(self, path: str, tx: int = 0) -> Reply:
        return self.ask(wire.MKDIR, path, tx=tx)

    def rm(self, path: str, tx: int = 0) -> Reply:
        return self.ask(wire.RM, path, tx=tx)

    def ls(self, path: str, tx: int = 0) -> list[str] | str:
        reply = self.ask(wire.DIRECTORY, path, tx=tx)
        return reply if isinstance(reply, str) else wire.split_strings(reply)

    def perms(self, path: str, tx: int = 0) -> list[str] | str:
        reply = self.ask(wire.GET_PERMS, path, tx=tx)
        return reply if isinstance(reply, str) else wire.split_strings(reply)

    def chmod(self, path: str, *perms: str, tx: int = 0) -> Reply:
        return self.ask(wire.SET_PERMS, path, *perms, tx=tx)

    def watch(self, path: str, token: str | bytes = "t", *depth: str) -> Reply:
        return self.ask(wire.WATCH, path, token, *depth)

    def begin(self) -> int:
        reply = self.raw(wire.TRANSACTION_START, b"\0")
        assert isinstance(reply, bytes), reply
        return int(reply[:-1])

    def end(self, tx: int, word: str = "T") -> Reply:
        return self.ask(wire.TRANSACTION_END, word, tx=tx)
