"""`xenvm top` as a user runs it: a process of its own on a pseudo-terminal, on a simulated host, by keys."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from xenvm.testing.host import XenHost

pytest.importorskip("textual")
PATIENCE = 40.0


class Terminal:
    """A program on a pseudo-terminal, and what it has written so far."""

    def __init__(self, master: int) -> None:
        self.master, self.text = master, ""

    def expect(self, text: str) -> None:
        """Reads on until `text` has come since the last call."""
        self.read_until(lambda: text in self.text, repr(text))
        self.text = self.text.partition(text)[2]

    def read_until(self, check: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not check():
            assert time.monotonic() < deadline, f"no {what} in {self.text[-3000:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode("utf-8", "replace")

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())


@contextmanager
def top(environment: dict[str, str], rows: int = 24, columns: int = 120) -> Iterator[Terminal]:
    """The command, which ends by itself within the block; its exit code is 0."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "xenvm", "top", "-d", "1"],
        **dict.fromkeys(("stdin", "stdout", "stderr"), slave),
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    terminal = Terminal(master)
    try:
        yield terminal
        terminal.read_until(lambda: process.poll() is not None, "its end")
        assert process.returncode == 0
        assert termios.tcgetattr(slave) == before, "the terminal is left as it was"
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


def test_a_guest_is_seen_paused_and_its_console_used(xen_host: XenHost) -> None:
    guest = xen_host.create("cell", disks=1)
    with xen_host.lend() as environment, top(environment) as terminal:
        terminal.expect("cell")
        terminal.type("\x1b[B")
        terminal.expect("xvda: Connected")
        terminal.type("p")
        terminal.expect("cell is paused")
        terminal.type("u")
        terminal.expect("cell runs")
        terminal.type("c")
        terminal.expect("Console of cell")
        terminal.type("\r\x1d")
        terminal.expect("back from the console of cell")
        terminal.type("p")
        terminal.expect("paused")
        terminal.type("q")
    assert guest.info.paused


def test_a_terminal_of_one_line(xen_host: XenHost) -> None:
    with xen_host.lend() as environment, top(environment, 1, 1) as terminal:
        terminal.expect("\x1b[?1049h")
        terminal.type("q")
