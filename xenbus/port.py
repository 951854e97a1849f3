"""What carries a connection's bytes, with limits in time: a socket of the daemon's, or the kernel's device."""

from __future__ import annotations

import _socket  # socket itself is as much to load as all of xenbus
import os
import select
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Port(Protocol):
        """One end of a stream of bytes; one thread at a time receives, one sends.

        One that has a `clock()` has deadlines compared with that instead of time.monotonic().
        """

        address: str
        whole_packets: bool
        """Whether a write takes exactly one packet, not more than 4096 bytes with its header, and none before the one
        before it was answered."""

        def fileno(self) -> int: ...
        def receive(self, left: float | None) -> bytes | None:
            """What came within about `left` seconds (None: some time), None if nothing did, nothing at the end."""

        def send(self, data: bytes | memoryview) -> int:
            """How many bytes could be sent at once; does not block."""

        def wait_for_room(self, left: float) -> None:
            """Returns when more can be sent, something came, or the seconds are over."""

        def wake(self) -> None:
            """Makes a thread that receives return, soon."""

        def close(self) -> None:
            """Gives the descriptor back."""


_READ_SIZE = 1 << 16


class SocketPort:
    """An AF_UNIX socket.

    Where time allows it blocks in recv() itself, under the socket's own time-out: a poll() before would make each round
    trip a quarter longer.
    """

    whole_packets = False

    def __init__(self, address: str, sock: _socket.socket, close: Callable[[], None], timeout: float) -> None:
        self.address, self._socket, self.close = address, sock, close
        # Whole seconds, as 64-bit words: right for both layouts of struct timeval that 32-bit kernels have.
        seconds = max(1, int(timeout))
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, struct.pack("qq", seconds, 0))
        self._patience = 0.9 * seconds
        self._readable = _poll_for(sock.fileno(), select.POLLIN)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def receive(self, left: float | None) -> bytes | None:
        """See Port."""
        flags = 0
        if left is not None and left < self._patience:
            flags = _socket.MSG_DONTWAIT
            if left:
                self._readable.poll(left * 1000)
        try:
            return self._socket.recv(_READ_SIZE, flags)
        except BlockingIOError:
            return None

    def send(self, data: bytes | memoryview) -> int:
        """See Port."""
        try:
            return self._socket.send(data, _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    def wait_for_room(self, left: float) -> None:
        """See Port."""
        _poll_for(self.fileno(), select.POLLIN | select.POLLOUT).poll(left * 1000)

    def wake(self) -> None:
        """See Port."""
        try:
            self._socket.shutdown(_socket.SHUT_RDWR)
        except OSError:
            pass  # It is shut already, and nobody waits for it.


class DevicePort:
    """Linux' /dev/xen/xenbus: it reads the first packet of a write and drops what is behind it.

    It sends a packet on out of the buffer that the next write goes to, at some later time: who does not wait for the
    answer has requests garbled or lost (drivers/xen/xenbus/xenbus_dev_frontend.c; seen with 6.12).
    """

    whole_packets = True

    def __init__(self, address: str, fd: int, close: Callable[[], None]) -> None:
        self.address, self._fd, self.close = address, fd, close
        os.set_blocking(fd, False)
        self._readable = _poll_for(fd, select.POLLIN)

    def fileno(self) -> int:
        """The device's descriptor."""
        return self._fd

    def receive(self, left: float | None) -> bytes | None:
        """See Port."""
        # Nothing but time can wake this poll.
        self._readable.poll(1000 if left is None or left > 1 else left * 1000)
        try:
            return os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return None

    def send(self, data: bytes | memoryview) -> int:
        """See Port."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def wait_for_room(self, left: float) -> None:
        """See Port."""
        _poll_for(self._fd, select.POLLIN | select.POLLOUT).poll(left * 1000)

    def wake(self) -> None:
        """See Port."""


def _poll_for(fd: int, events: int) -> select.poll:
    poll = select.poll()
    poll.register(fd, events)
    return poll
