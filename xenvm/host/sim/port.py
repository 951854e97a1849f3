"""The store's connections inside of a simulated host: no socket, and waiting is what makes the world go on.

The engine does not serve a guest any further while other clients have not taken the events of its earlier requests.
Real clients take them at some time; here all share one thread, so whoever waits takes them on behalf of all.
"""

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
        self, connection: Connection, clock: Callable[[], float], idle: Callable[[float | None], object]
    ) -> None:
        """`idle(left)` lets others work, or time pass."""
        self.connection, self.clock, self._idle = connection, clock, idle
        self._taken = b""

    def fileno(self) -> int:
        """There is no descriptor: raises OSError."""
        raise OSError("a simulated host's store has no descriptor")

    def prefetch(self) -> None:
        """Takes what is there, for a later `receive`."""
        if self.connection.pending:
            self._taken += self.connection.take()

    def receive(self, left: float | None) -> bytes | None:
        """See Port."""
        self.prefetch()
        if not self._taken and not self.connection.closed and left != 0:
            self._idle(left)
            self.connection.resume()
            self.prefetch()
        data, self._taken = self._taken, b""
        return data or (b"" if self.connection.closed else None)

    def send(self, data: bytes | memoryview) -> int:
        """See Port; the engine does the requests at once."""
        if self.connection.closed:
            raise OSError(EPIPE, self.connection.closed)
        self.connection.feed(bytes(data))
        return len(data)

    def wait_for_room(self, left: float) -> None:
        """See Port: there always is."""

    def wake(self) -> None:
        """See Port: nobody sleeps."""

    def close(self) -> None:
        """Ends the connection."""
        self.connection.close()
