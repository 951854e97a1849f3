"""Carries a client's bytes over a ring page, as a guest's kernel does: a port for xenbus.link (xenbus.port)."""

from __future__ import annotations

import errno

from xenbus.errors import RingError
from xenbus.server.ring import GuestEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ERRORS = ("", "the server cannot be reached", "the ring's indexes are impossible", "the server refuses to go on")


class RingPort:
    """See xenbus.port.Port. `notify` tells the server to look at the page.

    `wait` returns when the server has told us to look, or the seconds are over (None: any number).
    """

    whole_packets = False

    def __init__(self, end: GuestEnd, notify: Callable[[], object], wait: Callable[[float | None], object]) -> None:
        self.address = "the page of a ring"
        self._end, self._notify, self._wait = end, notify, wait

    def fileno(self) -> int:
        """There is no descriptor: raises OSError."""
        raise OSError(errno.EBADF, "a ring has no descriptor")

    def receive(self, left: float | None) -> bytes | None:
        """See Port."""
        data = self._taken()
        if not data and left != 0:
            self._wait(left)
            data = self._taken()
        return data or None

    def send(self, data: bytes | memoryview) -> int:
        """See Port."""
        self._check()
        try:
            sent = self._end.send(bytes(data))
        except RingError as error:
            raise OSError(errno.EIO, str(error)) from error
        if sent:
            self._notify()
        return sent

    def wait_for_room(self, left: float) -> None:
        """See Port."""
        self._wait(left)

    def wake(self) -> None:
        """See Port: nobody else can be waiting."""

    def close(self) -> None:
        """Nothing ends here: a ring is its domain's for good."""

    def _taken(self) -> bytes:
        try:
            data = self._end.receive()
        except RingError as error:
            raise OSError(errno.EIO, str(error)) from error
        if data:
            self._notify()
        else:
            self._check()
        return data

    def _check(self) -> None:
        if error := self._end.error:
            raise OSError(errno.EIO, _ERRORS[error] if error < len(_ERRORS) else f"the ring has the error {error}")
