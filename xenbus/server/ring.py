"""The page that carries a guest's connection to the store: two rings and their indexes (public/io/xs_wire.h).

Both ends are here, without any input or output: whoever moved bytes is told so, and notifies the other end.
Everything in the page may change at any moment and is looked at once.
"""

from __future__ import annotations

from xenbus.bytering import STORE_REPLIES, STORE_REQUESTS, ByteReader, ByteWriter
from xenbus.errors import RingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Served(Protocol):
        """What a server's end needs of a connection (xenbus.server.engine.Connection)."""

        closed: str

        @property
        def blocked(self) -> bool: ...
        def feed(self, data: bytes) -> None: ...
        def take(self, limit: int = -1) -> bytes: ...
        def close(self) -> None: ...


PAGE_SIZE = 4096
RECONNECTION, ERROR_FIELD, WATCH_DEPTH, DOMID_ANY = 1, 2, 4, 8
"""Features of the server; the first: the guest may ask for a fresh connection, the second: the error word is valid."""
FEATURES = RECONNECTION | ERROR_FIELD | WATCH_DEPTH | DOMID_ANY
CONNECTED, RECONNECT = 0, 1
"""States of the connection."""
NO_ERROR, COMMUNICATION, BAD_INDEX, BAD_PROTOCOL = range(4)
"""The page's error word."""

_REQ_CONS, _REQ_PROD, _RSP_CONS, _RSP_PROD, _FEATURES, _CONNECTION, _ERROR = range(512, 519)
"""Indexes of 32-bit words."""


class ServerEnd:
    """The server's end. `connect` opens a connection for the guest; it is called again when the guest reconnects.

    A guest that breaks a rule gets its error into the page and is not served any more; that ends the connection, not
    the domain. Requests stay in the ring while the connection is blocked.
    """

    def __init__(self, page: memoryview, connect: Callable[[], Served], features: int = FEATURES) -> None:
        self._words, self._connect, self._features = page.cast("I"), connect, features
        self._requests, self._replies = ByteReader(page, STORE_REQUESTS), ByteWriter(page, STORE_REPLIES)
        self.error = NO_ERROR
        """Why the guest is not served any more: BAD_INDEX or BAD_PROTOCOL."""
        self._words[_FEATURES] = features
        self._open()

    def step(self) -> bool:
        """Moves what can be moved now; whether it did, and the guest is to be notified."""
        if self._words[_CONNECTION] == RECONNECT and self._features & RECONNECTION:
            self.connection.close()
            self._open()
            return True
        if self.error:
            return False
        try:
            moved = self._push()
            if not self.connection.blocked and self._pull():
                self._push()
                moved = True
        except RingError:
            return self._fail(BAD_INDEX)
        return self._fail(BAD_PROTOCOL) if self.connection.closed else moved

    def _open(self) -> None:
        self.connection = self._connect()
        self.error = NO_ERROR
        for word in (_REQ_CONS, _REQ_PROD, _RSP_CONS, _RSP_PROD, _ERROR, _CONNECTION):
            self._words[word] = 0

    def _pull(self) -> bool:
        data = self._requests.read()
        self.connection.feed(data)  # nothing too: requests may have waited for time to pass
        return bool(data)

    def _push(self) -> bool:
        room = self._replies.room()
        data = self.connection.take(room) if room else b""
        if data:
            self._replies.write(data)
        return bool(data)

    def _fail(self, error: int) -> bool:
        self.error = self._words[_ERROR] = error
        self.connection.close()
        return True


class GuestEnd:
    """The guest's end, as a kernel's driver is; it has to notify the server after `send` and after `receive`."""

    def __init__(self, page: memoryview) -> None:
        self._words = page.cast("I")
        self._requests, self._replies = ByteWriter(page, STORE_REQUESTS), ByteReader(page, STORE_REPLIES)

    @property
    def features(self) -> int:
        """What the server can do: RECONNECTION, ERROR_FIELD."""
        return self._words[_FEATURES]

    @property
    def error(self) -> int:
        """Why the server has stopped serving; NO_ERROR while it does."""
        return self._words[_ERROR]

    @property
    def connected(self) -> bool:
        """Whether the ring may be used."""
        return self._words[_CONNECTION] == CONNECTED

    def send(self, data: bytes) -> int:
        """Puts as much as there is room for into the ring; how many bytes that was. Raises RingError."""
        return self._requests.write(data)

    def receive(self) -> bytes:
        """What the server has sent so far; raises RingError."""
        return self._replies.read()

    def reconnect(self) -> None:
        """Asks for a fresh connection; the ring is not to be used until `connected`."""
        self._words[_CONNECTION] = RECONNECT
