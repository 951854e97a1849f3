"""The locks that keep this toolstack and xl out of each other's way on one host.

Two kinds: lock files that are unlinked when released (libxl's userdata and domid history, xenconsole's, the hotplug
scripts' ``locking.sh``), and xl's own lock file, which stays.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from xenvm.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

XL_LOCK = "/var/lock/xl"
"""xl's ``lockfile``: held from the check for free memory until the guest's memory is taken."""


class FileLock:
    """An exclusive flock on a file that may be unlinked by its holder; a context manager that lets go.

    Taken when made. With ``wait=False`` a lock that another holds raises ``BlockingIOError`` at once. Errors of the
    file system are :class:`HostError`.
    """

    def __init__(self, path: str, *, wait: bool = True) -> None:
        self.path = path
        how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        while True:
            self._fd = _open(path, 0o600)
            try:
                fcntl.flock(self._fd, how)
                if _is_at(self._fd, path):
                    return
            except BaseException:
                os.close(self._fd)
                raise
            # The last holder unlinked this file between our open and our lock: it protects nothing any more.
            os.close(self._fd)

    def release(self) -> None:
        """Lets go; a second call does nothing."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        # Unlink first: once the file is closed, another may hold this very inode, and the name is theirs.
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        finally:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


class HostLock:
    """xl's lock over memory accounting and building: a write lock on the whole file; a context manager."""

    def __init__(self, path: str = XL_LOCK, *, wait: bool = True) -> None:
        self.path = path
        self._fd = _open(path, 0o200)
        try:
            # An open-file-description lock conflicts with xl's record lock, and, unlike that, with another thread
            # of this process, and it does not vanish when the file is closed elsewhere in this process.
            how = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
            fcntl.fcntl(self._fd, how, _whole_file(fcntl.F_WRLCK))
        except BaseException:
            os.close(self._fd)
            raise

    def release(self) -> None:
        """Lets go; a second call does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def host_lock(path: str = XL_LOCK, *, wait: bool = True) -> HostLock:
    """Waits for and takes the lock that xl holds while it checks memory and builds a guest; without `wait`, an OSError
    (EACCES or EAGAIN) if another has it."""
    return HostLock(path, wait=wait)


def claim() -> str:
    """Names this process, so that whoever finds its unfinished work can tell whether it is still at it."""
    return f"{os.getpid()} {began('self')}"


def began(pid: str, proc: str = "/proc") -> str:
    """When a process began, in ticks since the machine did (proc_pid_stat(5)); empty if there is none."""
    try:
        with open(f"{proc}/{pid}/stat", "rb") as file:
            # The name comes second, in parentheses, and may have blanks in it.
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def _open(path: str, mode: int) -> int:
    """Opens or makes a lock file; its folder too, since /run is empty after a boot."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            return os.open(path, flags, mode)
        except FileNotFoundError:
            # Of the real path: /var/lock may be a link into /run whose end is still missing.
            os.makedirs(os.path.realpath(os.path.dirname(path)), exist_ok=True)
            return os.open(path, flags, mode)
    except OSError as error:
        raise HostError(f"{path}: the lock file cannot be opened: {os.strerror(error.errno or errno.EIO)}") from error


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _whole_file(kind: int) -> bytes:
    """``struct flock`` (fcntl(2)) with 64-bit offsets: from 0 to the end, whence SEEK_SET."""
    return struct.pack("@hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)
