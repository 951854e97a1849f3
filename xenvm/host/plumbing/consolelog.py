"""What guests have printed: the logs of the console daemon, and what it never wrote down.

With ``--log=guest`` xenconsoled logs each guest by its name, from the first byte. Without, it keeps what no client has
read, up to the console's limit: that is taken from the terminal before a guest that went down is removed.
"""

from __future__ import annotations

import os
import select
import stat

from xenbus.value import Value
from xenvm.errors import DeviceError
from xenvm.types import NAME_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.types import Domid

FOLDER = "/var/log/xen/console"
_MOST = 4 << 20
"""No more than this is taken from a terminal: a guest that is kept running could print for ever."""
_QUIET_MS = 300
"""A terminal that has been silent for so long has no more to give."""


class Log(Value):
    """The log of one name."""

    path: str
    start: int = 0
    """Where what the last guest of this name printed begins."""
    previous: int = 0
    """The same of the one before it, which ends at `start`."""


def begin(name: str, folder: str = FOLDER) -> None:
    """Marks the logs of a guest that is about to start; without logs, or a folder to write to, nothing is marked."""
    if not _is_safe(name):
        return
    marks = [_size(path) for path in _paths(name, folder)]
    old = _marks(name, folder)[0]
    fresh = _mark_path(name, folder) + ".new"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="ascii") as file:
            file.writelines(f"{daemon} {own}\n" for daemon, own in (marks, old))
        os.rename(fresh, _mark_path(name, folder))
    except OSError:
        pass


def capture(domid: Domid, name: str, tty: str, since: float, folder: str = FOLDER) -> None:
    """Logs what a console's terminal still has to say, unless the daemon has logged this guest since the time `since`.

    A console client that is attached gets it instead.
    """
    from xenvm.host.plumbing import console
    from xenvm.host.plumbing.locks import FileLock

    if not _is_safe(name) or not tty or _changed(_paths(name, folder)[0]) >= since:
        return
    try:
        with FileLock(os.path.join(console.LOCKS, f"xenconsole.{domid}"), wait=False):
            terminal = console.open_terminal(tty, f"console of domain {domid}")
            try:
                _copy(terminal, _paths(name, folder)[1])
            finally:
                os.close(terminal)
    except (BlockingIOError, DeviceError):
        pass  # Its client shows it, or the daemon has closed it already.


def _copy(terminal: int, path: str) -> None:
    os.makedirs(os.path.dirname(path), 0o750, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    poll, left = select.poll(), _MOST
    poll.register(terminal, select.POLLIN)
    try:
        while left > 0 and poll.poll(_QUIET_MS):
            data = os.read(terminal, min(left, 1 << 16))
            if not data:
                break
            left -= len(data)
            while data:
                data = data[os.write(log, data) :]
    except OSError:
        pass  # The daemon has hung up, or the disk is full.
    finally:
        os.close(log)


def find(name: str, folder: str = FOLDER) -> Log | None:
    """The log of the guests of this name: the daemon's or our own, whichever was written last; None without one."""
    if not _is_safe(name):
        return None
    paths = _paths(name, folder)
    which = max((0, 1), key=lambda index: _changed(paths[index]))
    if not _changed(paths[which]):
        return None
    size = _size(paths[which])
    start, previous = (mark[which] for mark in _marks(name, folder))
    if start > size:  # Somebody has emptied it, or put a fresh one into its place.
        start = previous = 0
    return Log(paths[which], start, min(previous, start))


def open_log(path: str) -> int:
    """A descriptor to read a log by; DeviceError for what is no plain file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(path, f"the log cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise DeviceError(path, "is no log: it is not a plain file")
    return fd


def _is_safe(name: str) -> bool:
    return "/" not in name and "\0" not in name and 0 < len(name.encode("utf-8", "surrogateescape")) <= NAME_BYTES


def _paths(name: str, folder: str) -> tuple[str, str]:
    """The daemon's log and our own."""
    return os.path.join(folder, f"guest-{name}.log"), os.path.join(folder, f"xenvm-{name}.log")


def _mark_path(name: str, folder: str) -> str:
    return os.path.join(folder, f"xenvm-{name}.marks")


def _marks(name: str, folder: str) -> list[tuple[int, int]]:
    """Where the last guest began in both logs, and where the one before."""
    try:
        with open(_mark_path(name, folder), encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file.read(1000).splitlines()]
    except OSError:
        lines = []
    marks = [(int(pair[0]), int(pair[1])) for pair in lines if len(pair) == 2 and all(map(str.isdecimal, pair))]
    return [*marks, (0, 0), (0, 0)][:2]


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        return 0


def _changed(path: str) -> float:
    """When it was written last; 0 if it is not there."""
    try:
        return os.stat(path, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
