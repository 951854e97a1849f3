"""Wakes processes that wait until another one has changed a world: each has a FIFO in the world's folder."""

from __future__ import annotations

import os

_PREFIX = "bell-"


class Bell:
    """One waiter's; made while it has the folder, so that no change falls between. A context manager."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, _PREFIX + os.urandom(8).hex())
        os.mkfifo(self.path, 0o600)
        # For writing too: a FIFO that somebody could write to has no end.
        self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def fileno(self) -> int:
        """What can be read when it was rung."""
        return self._fd

    def wait(self) -> None:
        """Returns when it was rung."""
        os.read(self._fd, 4096)

    def __enter__(self) -> Bell:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Nobody waits any more."""
        os.close(self._fd)
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass  # The whole folder is gone.


def ring(folder: str, but: str) -> None:
    """Wakes all waiters except one; the bells of those that were killed are removed."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.startswith(_PREFIX) and path != but:
            _ring(path)


def _ring(path: str) -> None:
    from errno import ENXIO

    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == ENXIO:  # nobody has it open
            os.unlink(path)
        return
    try:
        os.write(fd, b"!")
    except BlockingIOError:
        pass  # It has rung often enough.
    finally:
        os.close(fd)
