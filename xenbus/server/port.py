"""Carries a client's bytes to an engine in the same process: a port without a socket (xenbus.port)."""

from __future__ import annotations

from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.server.connection import Connection

_PAUSE = 0.05
"""Seconds to wait for something that nobody in this thread can bring about."""


class EnginePort:
    """See xenbus.port.Port. All clients and the engine share one thread, so only `idle` can make something arrive.

    `idle(left)` is called when there is nothing to receive, with the seconds that may be waited (None: any number); it
    lets others run, and says whether anything may have changed. If it does not, time is waited out.
    """

    whole_packets = False

    def __init__(self, connection: Connection, idle: Callable[[float | None], bool] | None = None) -> None:
        self.address = f"the engine in this process (domain {connection.domid})"
        self._connection, self._idle = connection, idle

    def fileno(self) -> int:
        """There is no descriptor: raises OSError."""
        raise OSError("a store in this process has no descriptor")

    def receive(self, left: float | None) -> bytes | None:
        """See Port."""
        data = self._connection.take()
        if not data and not self._connection.closed:
            data = self._wait(left)
        if data or not self._connection.closed:
            return data or None
        return b""

    def send(self, data: bytes | memoryview) -> int:
        """See Port."""
        if self._connection.closed:
            raise OSError(None, self._connection.closed)
        if self._connection.blocked and self._connection.pending:
            return 0
        self._connection.feed(bytes(data))
        return len(data)

    def wait_for_room(self, left: float) -> None:
        """See Port."""
        if self._connection.blocked and not self._connection.pending:
            self._pass(left)

    def wake(self) -> None:
        """See Port: nobody else can be waiting."""

    def close(self) -> None:
        """Tells the engine that the client is gone."""
        self._connection.close()

    def _wait(self, left: float | None) -> bytes:
        self._pass(left)
        return self._connection.take()

    def _pass(self, left: float | None) -> None:
        """Lets others run, or time pass."""
        if self._idle and self._idle(left):
            return
        if left is None or left > 0:
            sleep(_PAUSE if left is None else min(left, _PAUSE))
