"""The store's connection inside of a simulated host: no socket, and waiting is what makes the world go on."""

from __future__ import annotations

from errno import EPIPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.server.connection import Connection


class WorldPort:
    """Implements xenbus.port.Port on a connection of the engine."""

    address = "the simulated host"
    whole_packets = False

    def __init__(
        self, connection: Connection, clock: Callable[[], float], idle: Callable[[float | None], bool] | None = None
    ) -> None:
        """`idle(left)` lets others work, or time pass; whether there may be something new. None: never wait."""
        self._connection, self.clock, self._idle = connection, clock, idle

    def fileno(self) -> int:
        """There is no descriptor."""
        return -1

    def receive(self, left: float | None) -> bytes | None:
        """See Port; time passes only when nobody has anything to do."""
        connection = self._connection
        while not connection.pending:
            if connection.closed:
                return b""
            if self._idle is None or not self._idle(left):
                return None
            if left is not None and not connection.pending:
                return None  # the deadline is looked at anew
        return connection.take()

    def send(self, data: bytes | memoryview) -> int:
        """See Port; the engine does the requests at once."""
        if self._connection.closed:
            raise OSError(EPIPE, self._connection.closed)
        self._connection.feed(bytes(data))
        return len(data)

    def wait_for_room(self, left: float) -> None:
        """See Port: there always is."""

    def wake(self) -> None:
        """See Port: nobody sleeps."""

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
