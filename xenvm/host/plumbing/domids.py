"""The guard against reusing a domid too soon: libxl's ``domid-history`` (libxl_domain.c).

Stale watches of back ends and clients may still point at a dead guest's number. Each line is ``<seconds of the
monotonic clock> <domid>``; entries stand until they are older than the time-out.
"""

from __future__ import annotations

import os
import time

from xenvm.errors import HostError
from xenvm.host.plumbing.locks import FileLock
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = "/run/xen"
_DEFAULT_TIMEOUT = 60
_FIRST_RESERVED = 0x7FF0
"""DOMID_FIRST_RESERVED of public/xen.h: guests have 1..0x7fef."""


def recent(folder: str = FOLDER, clock: Callable[[], float] = time.monotonic) -> frozenset[Domid]:
    """Domids that must not be given to a new guest yet; no history is an empty one."""
    return frozenset(domid for _, domid in _entries(os.path.join(folder, "domid-history"), int(clock())))


def remember(domid: Domid, folder: str = FOLDER, clock: Callable[[], float] = time.monotonic) -> None:
    """Marks a domid as used until now; call it before the domain is destroyed. Old entries are dropped."""
    path = os.path.join(folder, "domid-history")
    with FileLock(path + ".lock"):
        # Read the clock under the lock, so that no entry of another is younger than "now".
        now = int(clock())
        lines = [f"{second} {number}\n" for second, number in [*_entries(path, now), (now, domid)]]
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.writelines(lines)
            os.rename(path + ".new", path)
        except OSError as error:
            raise HostError(f"{path}: the domid history cannot be written: {error.strerror}") from error


def _entries(path: str, now: int) -> list[tuple[int, Domid]]:
    """The valid entries that are still young, oldest first."""
    timeout = _timeout()
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            pairs = [_parse(line) for line in file]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HostError(f"{path}: the domid history cannot be read: {error.strerror}") from error
    return [pair for pair in pairs if pair and 0 <= now - pair[0] <= timeout]


def _parse(line: str) -> tuple[int, Domid] | None:
    fields = line.split()
    if len(fields) != 2 or not all(field.isascii() and field.isdecimal() for field in fields):
        return None
    second, domid = int(fields[0]), int(fields[1])
    return (second, Domid(domid)) if 0 < domid < _FIRST_RESERVED else None


def _timeout() -> int:
    """Seconds, from the variable that libxl reads (decimal, 0x or 0)."""
    try:
        return int(os.environ.get("LIBXL_DOMID_REUSE_TIMEOUT", ""), 0)
    except ValueError:
        return _DEFAULT_TIMEOUT
