"""Who watches which guest, and which guests are being made again: /run/xenvm, gone when the host boots.

One lock file. Whoever acts on the death of a domain holds the byte of its number, so nobody ever does so twice; the
first byte, that of domain 0, is the supervisor's. Such a lock ends with its process, whatever ends that.
"""

from __future__ import annotations

import fcntl
import os
import struct

from xenvm.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

FOLDER = "/run/xenvm"
SUPERVISOR = 0
"""The number of the lock that the host's supervisor holds: domain 0 is nobody's guest."""
_LOCK, _NOTE = "watch.lock", "restart."
_BUSY = (11, 13)
"""EAGAIN, EACCES: fcntl(2) has both for a lock that is taken."""


class Duty:
    """The lock of one domain; a context manager. BlockingIOError if another process has it."""

    def __init__(self, number: int, folder: str = FOLDER) -> None:
        self._fd = _open(folder)
        try:
            # Of the open file, not of the process: it conflicts with another thread's too.
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _byte(number))
        except OSError as error:
            os.close(self._fd)
            if error.errno in _BUSY:
                raise BlockingIOError(11, f"domain {number} is watched by another process") from error
            raise

    def release(self) -> None:
        """Lets go; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def on_duty(number: int, folder: str = FOLDER) -> bool:
    """Whether somebody has that lock, without taking it."""
    if not os.path.exists(os.path.join(folder, _LOCK)):
        return False
    fd = _open(folder)
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _byte(number))
    finally:
        os.close(fd)
    return bool(struct.unpack_from("@h", answer)[0] != fcntl.F_UNLCK)


def note(uuid: str, text: str, folder: str = FOLDER) -> None:
    """Keeps what is to become of a guest while it is being made again."""
    path = _note_path(uuid, folder)
    os.makedirs(folder, 0o700, exist_ok=True)
    try:
        fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.rename(f"{path}.new", path)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from error


def notes(folder: str = FOLDER) -> dict[str, str]:
    """Every guest's note by its uuid."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return {}
    found = {}
    for name in names:
        if name.startswith(_NOTE) and not name.endswith(".new"):
            try:
                with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape") as file:
                    found[name.removeprefix(_NOTE)] = file.read()
            except FileNotFoundError:
                pass  # It is done, just now.
    return found


def forget(uuid: str, folder: str = FOLDER) -> None:
    """Removes a guest's note, if it has one."""
    try:
        os.unlink(_note_path(uuid, folder))
    except FileNotFoundError:
        pass


def _note_path(uuid: str, folder: str) -> str:
    return os.path.join(folder, _NOTE + uuid)


def _open(folder: str) -> int:
    path = os.path.join(folder, _LOCK)
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HostError(f"{path}: the lock file cannot be opened: {error.strerror}") from error


def _byte(number: int) -> bytes:
    """``struct flock`` (fcntl(2)) with 64-bit offsets: a write lock on one byte."""
    return struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
