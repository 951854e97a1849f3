"""What a server holds alone: the lock of a file, and the error for what it cannot have."""

from __future__ import annotations

import os

from xenbus.errors import XenbusError


class ServerError(XenbusError):
    """The store cannot be served, or not any longer; ``str()`` says why."""


def lock(path: str, what: str) -> int:
    """Takes the lock of a file, which lies beside it, until the descriptor is closed; raises ServerError.

    The lock's file stays for ever: who removed it could take it from a server that has just opened it.
    """
    from fcntl import LOCK_EX, LOCK_NB, flock

    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(f"{path}.lock", flags, 0o600)
    except OSError as error:
        raise ServerError(f"{what} {path} cannot be locked: {error.strerror}") from error
    try:
        flock(fd, LOCK_EX | LOCK_NB)
    except OSError:
        os.close(fd)
        raise ServerError(f"{what} {path} is in use by another server") from None
    return fd
