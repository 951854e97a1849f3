"""Rings of bytes in a shared page: the console's (public/io/console.h) and the store's (public/io/xs_wire.h).

The other end is hostile: its index is read once and compared with what can be.
"""

from __future__ import annotations

from xenbus.errors import RingError
from xenbus.ring import Fence
from xenbus.value import Value

_WORD = 0xFFFFFFFF


class Layout(Value):
    """Where one direction lies in its page: offsets in bytes, `size` a power of two."""

    data: int
    size: int
    cons: int
    prod: int


CONSOLE_IN = Layout(0, 1024, 3072, 3076)
"""To the guest."""
CONSOLE_OUT = Layout(1024, 2048, 3080, 3084)
"""From the guest."""
CONSOLE_CONNECTION = 3088
"""A byte: 1 until somebody serves the console, then 0."""
STORE_REQUESTS = Layout(0, 1024, 2048, 2052)
"""From the guest."""
STORE_REPLIES = Layout(1024, 1024, 2056, 2060)
"""To the guest."""


def held(size: int, cons: int, prod: int) -> int:
    """How many bytes a ring of `size` holds by its indexes, which run freely modulo 2^32. RingError."""
    used = (prod - cons) & _WORD
    if used > size:
        raise RingError(f"a ring of {size} bytes says that it holds {used}")
    return used


class _ByteRing:
    def __init__(self, page: memoryview, layout: Layout) -> None:
        self.size = layout.size
        self._data = page[layout.data : layout.data + layout.size]
        self._cons = page[layout.cons : layout.cons + 4].cast("I")
        self._prod = page[layout.prod : layout.prod + 4].cast("I")
        self._fence = Fence()

    def close(self) -> None:
        """Lets go of the page, so that it can be unmapped."""
        for view in (self._data, self._cons, self._prod):
            view.release()

    def _used(self, cons: int, prod: int) -> int:
        return held(self.size, cons, prod)


class ByteReader(_ByteRing):
    """The end that takes bytes out."""

    def read(self, limit: int = -1) -> bytes:
        """What is there, at most `limit` bytes (-1: all). RingError."""
        cons = self._cons[0]
        used = self._used(cons, self._prod[0])
        if limit >= 0:
            used = min(used, limit)
        if not used:
            return b""
        self._fence()
        start = cons & self.size - 1
        data = bytes(self._data[start : start + used])
        data += bytes(self._data[: used - len(data)])
        self._fence()
        self._cons[0] = (cons + used) & _WORD
        return data


class ByteWriter(_ByteRing):
    """The end that puts bytes in."""

    def room(self) -> int:
        """How many bytes fit in now. RingError."""
        return self.size - self._used(self._cons[0], self._prod[0])

    def write(self, data: bytes | memoryview) -> int:
        """Puts in what fits; how many bytes that were. RingError."""
        prod = self._prod[0]
        count = min(len(data), self.size - self._used(self._cons[0], prod))
        if not count:
            return 0
        self._fence()
        start = prod & self.size - 1
        first = min(count, self.size - start)
        self._data[start : start + first] = data[:first]
        self._data[: count - first] = data[first:count]
        self._fence()
        self._prod[0] = (prod + count) & _WORD
        return count
