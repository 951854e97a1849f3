"""The user's terminal, attached to a command on a terminal in dom0."""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from xenvm.lab import deps
from xenvm.lab.client import Address, Connection, finish
from xenvm.lab.errors import LabError

_CHUNK = 4096


def attach(address: Address, argv: Sequence[str]) -> int:
    """Run a command with this terminal as its own; its exit code. Keys go to it, interrupts included."""
    keys = sys.stdin.fileno()
    if not os.isatty(keys):
        raise LabError("standard input is no terminal")
    stamp = deps.stamp()
    request = {"op": "run", "argv": list(argv), "tty": _size(keys), "env": _environment(), "stamp": stamp}
    with Connection(address, request, None) as connection, _raw(keys), _resizes(connection, keys):
        return _converse(connection, keys, stamp)


def _converse(connection: Connection, keys: int, stamp: str) -> int:
    """Move bytes both ways until the command ends; tell of edits meanwhile, which a shell's next command needs."""
    while True:
        ready, _, _ = select.select([connection.sock.fileno(), keys], [], [], 1.0)
        if not ready and stamp != (stamp := deps.stamp()):
            connection.send(b"T", stamp.encode())
        if keys in ready:
            connection.send(b"I", os.read(keys, _CHUNK))
        if connection.sock.fileno() in ready:
            kind, data = connection.receive()
            if kind == b"X":
                return int(finish(data)["rc"])
            os.write(sys.stdout.fileno(), data)


def _environment() -> dict[str, str]:
    return {"TERM": os.environ.get("TERM", "vt100")}


def _size(terminal: int) -> tuple[int, int]:
    columns, rows = os.get_terminal_size(terminal)
    return rows, columns


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextmanager
def _resizes(connection: Connection, terminal: int) -> Iterator[None]:
    """Tell the command when the window's size changes."""

    def tell(*_: object) -> None:
        connection.send(b"W", struct.pack("!HH", *_size(terminal)))

    before = signal.signal(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
