"""Images that many guests are given: a thousand guests of one kernel share its pages until they write to them.

An image is kept once it is loaded a second time, in memory of its own: nobody can change or cut it under the guests,
as could happen to the file. Each guest maps it privately, that is, copies a page when it writes there.
"""

from __future__ import annotations

import mmap
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.types import Stamp

LEAST = 1 << 20
"""Bytes from which on it pays."""
MOST_KEPT = 4
SETTLED_NS = 1_000_000_000
"""How long a file must not have changed: within a tick of the clock it can change again, and bear the same time."""
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # the module has no name for it before Python 3.13


class Images:
    """Those of one world, by their files' stamps; for one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[Stamp, int] = {}
        """Descriptors; the last that was used is the last here."""
        self._seen: dict[Stamp, None] = {}

    def get(self, stamp: Stamp | None, size: int, read_into: Callable[[memoryview], None]) -> memoryview | None:
        """A guest's own view of an image, a whole number of pages with zeros at the end; None if it is not shared."""
        if stamp is None or size < LEAST or not hasattr(os, "memfd_create"):
            return None
        if stamp not in self._kept and not self._keep(stamp, size, read_into):
            return None
        fd = self._kept[stamp] = self._kept.pop(stamp)
        return memoryview(mmap.mmap(fd, _pages(size), flags=mmap.MAP_PRIVATE | _NORESERVE))

    def _keep(self, stamp: Stamp, size: int, read_into: Callable[[memoryview], None]) -> bool:
        """Loads an image that was loaded before, and keeps it; whether it did."""
        if stamp not in self._seen or time.time_ns() - stamp[0] < SETTLED_NS:
            self._seen[stamp] = None
            while len(self._seen) > MOST_KEPT:
                del self._seen[next(iter(self._seen))]
            return False
        fd = os.memfd_create("xenvm-image")
        try:
            os.truncate(fd, _pages(size))
            with mmap.mmap(fd, _pages(size)) as shared, memoryview(shared) as view, view[:size] as data:
                read_into(data)
        except BaseException:
            os.close(fd)
            raise
        while len(self._kept) >= MOST_KEPT:
            os.close(self._kept.pop(next(iter(self._kept))))
        self._kept[stamp] = fd
        return True

    def close(self) -> None:
        """Guests keep what they have."""
        while self._kept:
            os.close(self._kept.popitem()[1])


def _pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
