"""A domain's userdata files: what libxl keeps about a guest outside the store, so that xl can manage ours.

Names, modes and order of steps follow libxl (libxl_dom.c): ``userdata-<kind>.<domid>.<uuid>.<userid>`` where kind is
``d`` for data, ``n`` for data that is being written, ``l`` for a lock.
"""

from __future__ import annotations

import os

from xenvm.errors import DomainError, NoSuchDomain
from xenvm.host.plumbing.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.types import Domid

FOLDER = "/var/lib/xen"
CONFIG = "libxl-json"
"""The userid of libxl's record of the configuration."""
_LOCK = "domain-userdata-lock"


class UserData:
    """Userdata files of one domain; `uuid` is the hypervisor's handle as lower-case 8-4-4-4-12 text.

    Hold :meth:`lock` around every read and write that must not race with xl.
    """

    def __init__(self, domid: Domid, uuid: str, folder: str = FOLDER) -> None:
        self.domid, self.uuid, self.folder = domid, uuid, folder

    def path(self, kind: str, userid: str) -> str:
        """Where a file lies."""
        return os.path.join(self.folder, f"userdata-{kind}.{self.domid}.{self.uuid}.{userid}")

    def lock(self, alive: Callable[[], bool]) -> FileLock:
        """Takes the lock over all files of the domain, and then asks `alive` (does the domain exist?).

        :raises NoSuchDomain: it was destroyed while we waited; the lock is given back.
        """
        lock = FileLock(self.path("l", _LOCK))
        try:
            if not alive():
                raise NoSuchDomain(self.domid)
        except BaseException:
            lock.release()
            raise
        return lock

    def read(self, userid: str) -> bytes | None:
        """The content of a file, None if there is none."""
        try:
            with open(self.path("d", userid), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", userid, error) from error

    def write(self, userid: str, data: bytes) -> None:
        """Replaces a file as a whole, readable by root only."""
        fresh = self.path("n", userid)
        try:
            os.makedirs(self.folder, exist_ok=True)  # A host without xl may lack it.
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(data)
            os.rename(fresh, self.path("d", userid))
        except OSError as error:
            raise self._failed("write", userid, error) from error

    def read_config(self) -> str | None:
        """libxl's JSON configuration, None if there is none."""
        data = self.read(CONFIG)
        return None if data is None else data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")

    def write_config(self, json: str) -> None:
        """Records the configuration as JSON; libxl's reader relies on the NUL after it."""
        self.write(CONFIG, json.encode("utf-8", "surrogateescape") + b"\0")

    def delete_all(self) -> None:
        """Removes all files of the domain but the lock, which whoever holds it removes."""
        tail = f".{self.domid}.{self.uuid}."
        for name in _names(self.folder):
            head, found, userid = name.partition(tail)
            if found and head.startswith("userdata-") and len(head) == len("userdata-") + 1 and userid != _LOCK:
                _unlink(os.path.join(self.folder, name))

    def _failed(self, verb: str, userid: str, error: OSError) -> DomainError:
        return DomainError(f"cannot {verb} the userdata {userid} of domain {self.domid}: {error.strerror}")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
