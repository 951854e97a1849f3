from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenvm.errors import DeviceError
from xenvm.host.plumbing import console
from xenvm.host.plumbing.locks import FileLock
from xenvm.types import Domid

PATIENCE = 30


def read(fd: int, size: int) -> bytes:
    """Exactly `size` bytes."""
    data = b""
    while len(data) < size:
        assert select.select([fd], [], [], PATIENCE)[0], f"only {data!r} came"
        data += os.read(fd, size - len(data))
    return data


class Setting:
    """A guest's pty, a user's terminal, and a client between them in a thread."""

    def __init__(self, locks: Path) -> None:
        self.locks = str(locks)
        self.guest, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.tty = os.ttyname(self._slave)
        self.user, self.terminal = os.openpty()
        self.reason: str | None = None
        self._thread: threading.Thread | None = None

    def start(self, stdin: int, stdout: int, stop_fd: int | None = None, escape: int = console.ESCAPE) -> None:
        def run() -> None:
            self.reason = console.attach(
                self.tty, domid=Domid(3), escape=escape, stdin=stdin, stdout=stdout, stop_fd=stop_fd, locks=self.locks
            )

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def start_interactive(self, stop_fd: int | None = None, escape: int = console.ESCAPE) -> None:
        self.start(self.terminal, self.terminal, stop_fd, escape)
        os.write(self.guest, b"login: ")
        assert read(self.user, 7) == b"login: "

    def ended(self) -> str | None:
        assert self._thread is not None
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.reason

    def hang_up(self) -> None:
        os.close(self.guest)
        self.guest = -1

    def close(self) -> None:
        for fd in (self.guest, self._slave, self.user, self.terminal):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    setting = Setting(tmp_path)
    yield setting
    setting.close()


def echoes(fd: int) -> bool:
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def test_both_ways_until_the_escape_character(setting: Setting) -> None:
    assert echoes(setting.terminal)
    setting.start_interactive()
    assert not echoes(setting.terminal)
    os.write(setting.user, b"root\r\x03\n")
    assert read(setting.guest, 7) == b"root\r\x03\n"
    os.write(setting.user, b"bye\x1dlost")
    assert read(setting.guest, 3) == b"bye"
    assert setting.ended() == "escape"
    assert echoes(setting.terminal)
    assert not os.listdir(setting.locks)


def test_another_escape_character(setting: Setting) -> None:
    setting.start_interactive(escape=console.parse_escape("^a"))
    os.write(setting.user, b"\x1d")
    assert read(setting.guest, 1) == b"\x1d"
    os.write(setting.user, b"\x01")
    assert setting.ended() == "escape"


def test_escape_works_while_the_guest_takes_nothing(setting: Setting) -> None:
    setting.start_interactive()
    os.set_blocking(setting.user, False)
    poll = select.poll()
    poll.register(setting.user, select.POLLOUT)
    sent = 0
    while sent < 200_000:
        poll.poll()
        sent += os.write(setting.user, b"x" * 1000)
    os.set_blocking(setting.user, True)
    os.write(setting.user, b"\x1d")
    assert setting.ended() == "escape"


def test_hangup_restores_the_terminal(setting: Setting) -> None:
    setting.start_interactive()
    setting.hang_up()
    assert setting.ended() == "hangup"
    assert echoes(setting.terminal)


def test_stop_shows_the_last_words(setting: Setting) -> None:
    stop, stopper = os.pipe()
    setting.start_interactive(stop)
    os.write(setting.guest, b"reboot: Power down")
    os.write(stopper, b"\0")
    assert setting.ended() == "stopped"
    assert read(setting.user, 18) == b"reboot: Power down"
    assert echoes(setting.terminal)
    os.close(stop)
    os.close(stopper)


def test_terminal_that_goes_away(setting: Setting) -> None:
    setting.start_interactive()
    os.close(setting.user)
    setting.user = -1
    assert setting.ended() == "closed"


def test_pipes_forward_until_the_end_and_then_print_on(setting: Setting) -> None:
    stdin, typist = os.pipe()
    reader, stdout = os.pipe()
    setting.start(stdin, stdout)
    os.write(typist, b"ls\n\x1d")
    assert read(setting.guest, 4) == b"ls\n\x1d"
    os.close(typist)
    os.write(setting.guest, b"bin etc")
    assert read(reader, 7) == b"bin etc"
    setting.hang_up()
    assert setting.ended() == "hangup"
    for fd in (stdin, reader, stdout):
        os.close(fd)


def test_much_input_from_a_pipe_arrives_whole(setting: Setting) -> None:
    stdin, typist = os.pipe()
    data = bytes(range(256)) * 400
    writer = threading.Thread(target=lambda: (os.write(typist, data), os.close(typist)))
    writer.start()
    setting.start(stdin, setting.terminal)
    assert read(setting.guest, len(data)) == data
    writer.join()
    setting.hang_up()
    assert setting.ended() == "hangup"
    os.close(stdin)


def test_nobody_reads_the_output(setting: Setting) -> None:
    reader, stdout = os.pipe()
    os.close(reader)
    setting.start(setting.terminal, stdout)
    os.write(setting.guest, b"hello")
    assert setting.ended() == "closed"
    os.close(stdout)


def test_output_that_would_block_is_waited_for(setting: Setting) -> None:
    reader, stdout = os.pipe()
    os.set_blocking(stdout, False)
    stdin = os.open(os.devnull, os.O_RDONLY)
    setting.start(stdin, stdout)
    data = b"0123456789abcdef" * 10_000
    writer = threading.Thread(
        target=lambda: [os.write(setting.guest, data[i : i + 1000]) for i in range(0, 160_000, 1000)]
    )
    writer.start()
    assert read(reader, len(data)) == data
    writer.join()
    setting.hang_up()
    assert setting.ended() == "hangup"
    for fd in (stdin, reader, stdout):
        os.close(fd)


def test_the_pty_is_made_raw_for_good(setting: Setting) -> None:
    attributes = termios.tcgetattr(setting.terminal)
    termios.tcsetattr(setting._slave, termios.TCSANOW, attributes)
    assert echoes(setting._slave)
    setting.start_interactive()
    os.write(setting.user, b"\x1d")
    assert setting.ended() == "escape"
    assert not echoes(setting._slave)


def test_second_client_is_refused(setting: Setting) -> None:
    reason = "console 0 of domain 3: is already in use"
    with FileLock(os.path.join(setting.locks, "xenconsole.3")), pytest.raises(DeviceError, match=reason):
        console.attach(setting.tty, domid=Domid(3), locks=setting.locks)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "its tty '/etc/passwd' is not in /dev"),
        ("/dev/../etc/passwd", "is not in /dev"),
        ("", "its tty '' is not in /dev"),
        ("/dev/pts/99999", "cannot be opened: No such file"),
        ("/dev/pts", "is not a character device"),
        ("/dev/null", "is not a terminal"),
        ("/dev/a\0b", "cannot be opened: .*embedded null"),
    ],
)
def test_refuses_what_is_no_terminal(tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        console.attach(path, domid=Domid(3), locks=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_sigterm_restores_the_terminal(setting: Setting) -> None:
    code = (
        "import sys; from xenvm.host.plumbing import console; console.attach(sys.argv[1], domid=3, locks=sys.argv[2])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, setting.tty, setting.locks], stdin=setting.terminal, stdout=setting.terminal
    )
    os.write(setting.guest, b"login: ")
    assert read(setting.user, 7) == b"login: "
    assert not echoes(setting.terminal)
    child.terminate()
    assert child.wait(PATIENCE) == -signal.SIGTERM
    assert echoes(setting.terminal)


@pytest.mark.parametrize(("text", "code"), [("^]", 0x1D), ("^a", 1), ("^A", 1), ("q", 0x71), ("^", 0x5E)])
def test_parse_escape(text: str, code: int) -> None:
    assert console.parse_escape(text) == code


@pytest.mark.parametrize("text", ["", "^ab", "ab", "é"])
def test_parse_escape_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="is not an escape character"):
        console.parse_escape(text)
