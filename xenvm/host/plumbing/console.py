"""The console client: a terminal on one side, the pseudo-terminal of the console daemon on the other.

Behaves as ``xenconsole`` (tools/console/client of Xen) and shares its lock, so that the two exclude each other.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import stat
import termios

from xenvm.errors import DeviceError
from xenvm.host.plumbing.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenvm.types import Domid

ESCAPE = 0x1D
"""^], which ends a session."""
LOCKS = "/var/lock"

_CHUNK = 4096
_LAST_CHUNKS = 64
_TYPE_AHEAD = 1 << 20


def attach(
    tty_path: str,
    *,
    domid: Domid,
    number: int = 0,
    escape: int = ESCAPE,
    stdin: int = 0,
    stdout: int = 1,
    stop_fd: int | None = None,
    locks: str = LOCKS,
) -> str:
    """Connects the descriptors `stdin` and `stdout` to a console until one side ends, and says why it ended.

    ``escape``: the character `escape` was typed; ``hangup``: the daemon closed the console; ``stopped``: `stop_fd`
    became readable; ``closed``: our terminal went away. Input that is no terminal may end; output then goes on, and
    `escape` has no meaning.

    :raises DeviceError: another client has the console, or `tty_path` is not usable.
    """
    device = f"console {number} of domain {domid}"
    try:
        lock = FileLock(os.path.join(locks, f"xenconsole.{domid}"), wait=False)
    except BlockingIOError as error:
        raise DeviceError(device, "is already in use by another client") from error
    with lock:
        # Raw for good: a pty that echoes would feed the guest its own output.
        pty = open_terminal(tty_path, device)
        try:
            with RawTerminal(stdin) as terminal:
                return _Session(pty, stdin, stdout, escape if terminal.is_tty else None).run(stop_fd)
        finally:
            os.close(pty)


def parse_escape(text: str) -> int:
    """The code of an escape character given as one character or as ``^`` and a letter; ValueError otherwise."""
    if len(text) == 2 and text[0] == "^" and text.isascii():
        return ord(text[1]) & 0x1F
    if len(text) == 1 and text.isascii():
        return ord(text)
    raise ValueError(f"{text!r} is not an escape character: give one character, or ^ and one character")


class _Session:
    """Moves bytes both ways; the guest's side never blocks us, so that the escape character always works."""

    def __init__(self, pty: int, stdin: int, stdout: int, escape: int | None) -> None:
        self.pty, self.stdin, self.stdout, self.escape = pty, stdin, stdout, escape
        self.input_open = True
        self.pending = b""

    def run(self, stop_fd: int | None) -> str:
        """Returns the reason why the session ended."""
        while True:
            ready = self._wait(stop_fd)
            if stop_fd in ready:
                self._drain()
                return "stopped"
            reason = self._step(ready)
            if reason is not None:
                return reason

    def _drain(self) -> None:
        """Shows what a dying guest said last; bounded, since a living one may never fall silent."""
        for _ in range(_LAST_CHUNKS):
            if self._output() is not None:
                break

    def _step(self, ready: dict[int, int]) -> str | None:
        reason = None
        if self.stdin in ready:
            reason = self._input()
        if reason is None and ready.get(self.pty, 0) & ~select.POLLOUT:
            reason = self._output()
        if self.pending:
            self._send()
        return None if reason == "idle" else reason

    def _wait(self, stop_fd: int | None) -> dict[int, int]:
        poll = select.poll()
        if stop_fd is not None:
            poll.register(stop_fd, select.POLLIN)
        poll.register(self.pty, select.POLLIN | (select.POLLOUT if self.pending else 0))
        # A pipe waits until the guest takes more; a user must be heard even while it does not.
        if self.input_open and len(self.pending) < (1 if self.escape is None else _TYPE_AHEAD):
            poll.register(self.stdin, select.POLLIN)
        return dict(poll.poll())

    def _input(self) -> str | None:
        """Takes what was typed; the reason to end, if it is one."""
        data = _read(self.stdin)
        if data is None:
            return None
        if not data:
            self.input_open = False
            return None if self.escape is None else "closed"
        if self.escape is not None:
            data, found, _ = data.partition(bytes([self.escape]))
            if found:
                self.pending += data
                self._send()
                return "escape"
        self.pending += data
        return None

    def _output(self) -> str | None:
        """Shows what the guest wrote: None if there was something, ``idle`` or ``hangup`` if not."""
        data = _read(self.pty)
        if data is None:
            return "idle"
        if not data:
            return "hangup"
        return None if _show(self.stdout, data) else "closed"

    def _send(self) -> None:
        try:
            self.pending = self.pending[os.write(self.pty, self.pending) :]
        except BlockingIOError:
            pass
        except OSError:
            # The daemon is gone; reading says so next.
            self.pending = b""


def _read(fd: int) -> bytes | None:
    """Some bytes, none at the end, None if there is nothing now."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None
    except OSError as error:
        # EIO: so a terminal says that its other side has hung up. EBADF: there was no input to begin with.
        if error.errno in (errno.EIO, errno.EBADF):
            return b""
        raise


def _show(fd: int, data: bytes) -> bool:
    """Writes it all, waiting where it must; False if nobody reads any more."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            return False
    return True


def open_terminal(path: str, device: str) -> int:
    """Opens what the console daemon said is its pty, without waiting for it ever, and passes every byte as it is."""
    fd = _open_pty(path, device)
    _make_raw(fd)
    return fd


def _open_pty(path: str, device: str) -> int:
    """Opens what the console daemon said is its pty, if it is a terminal below /dev."""
    if not path.startswith("/dev/") or os.path.normpath(path) != path:
        raise DeviceError(device, f"its tty {path!r} is not in /dev")
    try:
        if not stat.S_ISCHR(os.stat(path).st_mode):
            raise DeviceError(device, f"its tty {path} is not a character device")
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DeviceError(device, f"its tty {path!r} cannot be opened: {reason}") from error
    if not os.isatty(fd):
        os.close(fd)
        raise DeviceError(device, f"its tty {path} is not a terminal")
    return fd


class RawTerminal:
    """Passes every byte of a terminal as it is, and puts it back at the end; anything else is left alone."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._before = _attributes(fd)
        self._handlers: dict[int, Any] = {}

    @property
    def is_tty(self) -> bool:
        """Whether this is a terminal at all."""
        return self._before is not None

    def __enter__(self) -> RawTerminal:
        if self.is_tty:
            try:
                for number in (signal.SIGTERM, signal.SIGHUP):
                    self._handlers[number] = signal.signal(number, self._on_signal) or signal.SIG_DFL
            except ValueError:
                # Not the main thread: signals are not ours to handle.
                pass
            _make_raw(self.fd)
        return self

    def __exit__(self, *exc: object) -> None:
        self._restore()

    def _on_signal(self, number: int, _frame: object) -> None:
        """Puts the terminal back and then lets the signal do what it did before us."""
        self._restore()
        os.kill(os.getpid(), number)

    def _restore(self) -> None:
        if self._before is not None:
            _apply(self.fd, self._before)
        while self._handlers:
            signal.signal(*self._handlers.popitem())


def _make_raw(fd: int) -> None:
    """Sets what cfmakeraw(3) sets."""
    found = _attributes(fd)
    if found is None:
        return
    t = termios
    iflag, oflag, cflag, lflag, ispeed, ospeed, chars = found
    iflag &= ~(t.IGNBRK | t.BRKINT | t.PARMRK | t.ISTRIP | t.INLCR | t.IGNCR | t.ICRNL | t.IXON)
    oflag &= ~t.OPOST
    cflag = cflag & ~(t.CSIZE | t.PARENB) | t.CS8
    lflag &= ~(t.ECHO | t.ECHONL | t.ICANON | t.ISIG | t.IEXTEN)
    chars[t.VMIN], chars[t.VTIME] = 1, 0
    _apply(fd, [iflag, oflag, cflag, lflag, ispeed, ospeed, chars])


def _attributes(fd: int) -> list[Any] | None:
    """The attributes of a terminal, None if this is none (any more)."""
    try:
        return termios.tcgetattr(fd)
    except termios.error:
        return None


def _apply(fd: int, attributes: list[Any]) -> None:
    """Sets attributes at once; a terminal that hung up has no use for them, and says so when it is read."""
    try:
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except termios.error:
        pass
