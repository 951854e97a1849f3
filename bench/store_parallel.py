"""Many guests start and stop at once: each over its own connection, in transactions that meet in the same directories.

The workload of Xen's commit aef35b98778a: five transactions of 18 nodes with their permissions start a guest, a sixth
one removes it. A transaction that another one was in the way of is done anew, and counted.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Generator, Iterator

from xenbus import wire

_GROUPS = (
    "vm/{n}",
    "libxl/{n}",
    "local/domain/{n}",
    "local/domain/0/backend/vbd/{n}",
    "local/domain/0/backend/vif/{n}",
)
_NODES = 18


class Guest:
    """One guest's start and stop, over one connection."""

    def __init__(self, path: str, number: int) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.retries = 0
        tops = [f"/{group.format(n=number)}" for group in _GROUPS]
        bodies = [list(_start(top, number)) for top in tops] + [[(wire.RM, f"{top}\0".encode()) for top in tops]]
        self._decoder, self._work, self._waiting = wire.Decoder(), self._transactions(bodies), 0
        self._replies: list[wire.Packet] = []

    def begin(self) -> None:
        """Sends the first request."""
        self._send(next(self._work))

    def receive(self) -> bool:
        """Takes what has come, and goes on; whether all is done."""
        packets = self._decoder.feed(self.sock.recv(1 << 16))
        self._replies += packets
        self._waiting -= len(packets)
        if self._waiting:
            return False
        replies, self._replies = self._replies, []
        try:
            self._send(self._work.send(replies))
        except StopIteration:
            return True
        return False

    def _send(self, requests: list[bytes]) -> None:
        self._waiting = len(requests)
        self.sock.sendall(b"".join(requests))

    def _transactions(self, bodies: list[list[tuple[int, bytes]]]) -> Generator[list[bytes], list[wire.Packet], None]:
        """Gives requests, gets their replies."""
        for body in bodies:
            while True:
                begun = yield [wire.pack(wire.TRANSACTION_START, 0, 0, b"\0")]
                tx = int(begun[0][3].rstrip(b"\0"))
                requests = [wire.pack(op, 0, tx, payload) for op, payload in (*body, (wire.TRANSACTION_END, b"T\0"))]
                replies = yield requests
                failed = [packet[3] for packet in replies if packet[0] == wire.ERROR]
                if not failed:
                    break
                if failed[-1] != b"EAGAIN\0":
                    raise RuntimeError(f"the store answers {failed[0]!r}")
                self.retries += 1


def _start(top: str, number: int) -> Iterator[tuple[int, bytes]]:
    for node in range(_NODES):
        path = f"{top}/{node % 3}/node{node}"
        yield wire.WRITE, f"{path}\0some value".encode()
        yield wire.SET_PERMS, f"{path}\0n0\0r{number}\0".encode()


def starts_and_stops(path: str, count: int) -> tuple[float, int]:
    """Seconds for all guests, and how often one of them had to begin a transaction again."""
    guests = {guest.sock.fileno(): guest for guest in (Guest(path, number) for number in range(1, count + 1))}
    retries, poll = 0, select.epoll()
    for fd in guests:
        poll.register(fd, select.EPOLLIN)
    start = time.perf_counter()
    for guest in guests.values():
        guest.begin()
    while guests:
        for fd, _events in poll.poll():
            if guests[fd].receive():
                poll.unregister(fd)
                guest = guests.pop(fd)
                retries += guest.retries
                guest.sock.close()
    seconds = time.perf_counter() - start
    poll.close()
    return seconds, retries
