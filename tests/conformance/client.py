"""A client of any store that sees packets: requests in, replies and events out, in the order of their arrival."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Protocol

from tests.support.realstore import RealStore
from xenbus import wire
from xenbus.server.connection import Connection
from xenbus.server.ring import GuestEnd

PATIENCE = 10.0
"""Seconds that any answer may take."""

Reply = str | bytes
"""An error's name, or the payload of a success."""
Event = tuple[bytes, bytes]
"""(path, token)"""


class Closed(Exception):
    """The server ended the connection."""


class Channel(Protocol):
    """Bytes to and from a store."""

    def send(self, data: bytes) -> None: ...
    def receive(self) -> bytes:
        """Waits for some bytes; raises Closed, or TimeoutError after PATIENCE."""

    def close(self) -> None: ...


class SocketChannel:
    """A client of a daemon's socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)  # blocking: the real daemon lets few clients wait
        self._socket.settimeout(PATIENCE)

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except BrokenPipeError:
            raise Closed from None

    def receive(self) -> bytes:
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed
        return data

    def close(self) -> None:
        self._socket.close()


class RingChannel:
    """A guest of the real daemon."""

    def __init__(self, store: RealStore, domid: int, page: memoryview) -> None:
        self.end, self._store, self._domid = GuestEnd(page), store, domid
        self._events = store.events(domid)
        self._events.settimeout(0.01)

    def send(self, data: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while data:
            data = data[self.end.send(data) :]
            self._store.notify(self._domid)
            if data:
                self._wait(deadline)

    def receive(self) -> bytes:
        deadline = time.monotonic() + PATIENCE
        while not (data := self.end.receive()):
            if self.end.error:
                raise Closed
            self._wait(deadline)
        self._store.notify(self._domid)
        return data

    def _wait(self, deadline: float) -> None:
        try:
            self._events.recv(16)
        except TimeoutError:
            if time.monotonic() > deadline:
                raise

    def close(self) -> None:
        self._events.close()


class DirectChannel:
    """A privileged client of an engine in this process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, data: bytes) -> None:
        if self._connection.closed:
            raise Closed
        self._connection.feed(data)

    def receive(self) -> bytes:
        if self._connection.pending:
            return self._connection.take()
        raise Closed if self._connection.closed else TimeoutError

    def close(self) -> None:
        self._connection.close()


class PageChannel:
    """A guest of an engine in this process, through its page; `serve` lets the server look at it."""

    def __init__(self, page: memoryview, serve: Callable[[], bool]) -> None:
        self.end, self._serve = GuestEnd(page), serve

    def send(self, data: bytes) -> None:
        while data:
            sent = self.end.send(data)
            if not self._serve() and not sent:
                raise TimeoutError
            data = data[sent:]

    def receive(self) -> bytes:
        while not (data := self.end.receive()):
            if self.end.error:
                raise Closed
            if not self._serve():
                raise TimeoutError
        return data

    def close(self) -> None: ...


class Client:
    """Asks one thing at a time, unless told otherwise; `events` are those that nobody took yet."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self._decoder = channel, wire.Decoder()
        self.events: list[Event] = []
        self.order: list[str] = []
        """What has arrived, in order: names of operations."""
        self._number = 0
        self._inbox: list[wire.Packet] = []

    def ask(self, op: int, *parts: str | bytes, tx: int = 0) -> Reply:
        """The reply to a request whose payload is NUL-terminated strings."""
        return self.raw(op, b"".join(_bytes(part) + b"\0" for part in parts), tx)

    def raw(self, op: int, payload: bytes, tx: int = 0) -> Reply:
        """The reply to a request with any payload."""
        self._number += 1
        self.channel.send(wire.pack(op, self._number, tx, payload))
        return self.reply(op, self._number, tx)

    def reply(self, op: int, number: int, tx: int) -> Reply:
        """Waits for a reply, which has to fit."""
        while True:
            if self._inbox:
                got, req_id, tx_id, payload = self._inbox.pop(0)
                assert (req_id, tx_id) == (number, tx)
                assert got in (op, wire.ERROR)
                return wire.error_name(payload) if got == wire.ERROR else payload
            self._read()

    def _read(self) -> None:
        for packet in self._decoder.feed(self.channel.receive()):
            self.order.append(wire.op_name(packet[0]))
            if packet[0] == wire.WATCH_EVENT:
                path, token, rest = packet[3].split(b"\0", 2)
                assert (packet[1:3], rest) == ((0, 0), b"")
                self.events.append((path, token))
            else:
                self._inbox.append(packet)

    def take_events(self) -> list[Event]:
        """All events that the server had for us."""
        self.ask(wire.GET_DOMAIN_PATH, "0")
        events, self.events = self.events, []
        return events

    # Short forms.

    def read(self, path: str, tx: int = 0) -> Reply:
        return self.ask(wire.READ, path, tx=tx)

    def write(self, path: str, value: bytes = b"", tx: int = 0) -> Reply:
        return self.raw(wire.WRITE, path.encode() + b"\0" + value, tx)

    def mkdir(self, path: str, tx: int = 0) -> Reply:
        return self.ask(wire.MKDIR, path, tx=tx)

    def rm(self, path: str, tx: int = 0) -> Reply:
        return self.ask(wire.RM, path, tx=tx)

    def ls(self, path: str, tx: int = 0) -> Reply | list[str]:
        reply = self.ask(wire.DIRECTORY, path, tx=tx)
        return reply if isinstance(reply, str) else wire.split_strings(reply)

    def perms(self, path: str, tx: int = 0) -> Reply | list[str]:
        reply = self.ask(wire.GET_PERMS, path, tx=tx)
        return reply if isinstance(reply, str) else wire.split_strings(reply)

    def chmod(self, path: str, *perms: str, tx: int = 0) -> Reply:
        return self.ask(wire.SET_PERMS, path, *perms, tx=tx)

    def watch(self, path: str, token: str | bytes) -> Reply:
        return self.ask(wire.WATCH, path, token)

    def start(self) -> int:
        reply = self.raw(wire.TRANSACTION_START, b"\0")
        assert isinstance(reply, bytes), reply
        return int(reply.rstrip(b"\0"))

    def end(self, tx: int, commit: bool = True) -> Reply:
        return self.ask(wire.TRANSACTION_END, "T" if commit else "F", tx=tx)


def _bytes(part: str | bytes) -> bytes:
    return part.encode() if isinstance(part, str) else part
