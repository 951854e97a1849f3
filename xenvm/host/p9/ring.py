"""One ring of a shared folder ("Xen transport for 9pfs", public/io/9pfs.h, XEN_FLEX_RING of public/io/ring.h).

A page of indexes tells of the pages of data: the first half of them is for answers (`in`), the other for requests
(`out`). The guest is hostile: its index is read once and compared with what can be, a request is copied before it is
looked at, and our own indexes are read from the page only to begin with.
"""

from __future__ import annotations

from struct import unpack_from

from xenbus.bytering import held
from xenbus.errors import DeviceFault, RingError
from xenbus.ring import Fence
from xenvm.host.p9.wire import HEADER
from xenvm.types import PAGE_SIZE

ORDER_MAX = 6
"""64 pages a ring: messages of Linux have a quarter of it, 64 KiB, at most."""
_IN_CONS, _IN_PROD, _OUT_CONS, _OUT_PROD = 0, 1, 16, 17
"""Places of the indexes, in words."""
_ORDER, _REFS = 128, 132
"""Of log2 of the number of pages, and of their references, in bytes."""
_WORD = 0xFFFFFFFF


def references(page: memoryview) -> list[int]:
    """The grant references of the pages of data, as the page of indexes has them now; DeviceFault."""
    (order,) = unpack_from("=I", page, _ORDER)
    if not 1 <= order <= ORDER_MAX:
        raise DeviceFault(f"a ring of order {order} is not possible: it is 1 to {ORDER_MAX}")
    return list(unpack_from(f"={1 << order}I", page, _REFS))


class FolderRing:
    """The server's end; `pages` are those of `references`, in this order."""

    def __init__(self, page: memoryview, pages: list[memoryview]) -> None:
        half = len(pages) // 2
        self.size = half * PAGE_SIZE
        """Bytes in each direction, a power of two."""
        self._in, self._out = pages[:half], pages[half:]
        self._words, self._fence = page.cast("I"), Fence()
        self._produced, self._consumed = self._words[_IN_PROD], self._words[_OUT_CONS]

    def close(self) -> None:
        """Lets go of the pages, so that they can be unmapped."""
        self._words.release()
        self._in, self._out = [], []

    def take(self, most: int) -> bytes | None:
        """The next request, if it is there as a whole; it stays there. RingError, also for one larger than `most`."""
        waiting = held(self.size, self._consumed, self._words[_OUT_PROD])
        if waiting < HEADER.size:
            return None
        self._fence()
        size = int(HEADER.unpack(self._get(HEADER.size))[0])
        if not HEADER.size <= size <= most:
            raise RingError(f"a request has {size} bytes, where {HEADER.size} to {most} are possible")
        if waiting < size:
            return None
        request = self._get(size)
        # Of what the guest has changed meanwhile, its size counts no more.
        return size.to_bytes(4, "little") + request[4:]

    def has_room(self, size: int) -> bool:
        """Whether an answer of this size can be put in; RingError."""
        return self.size - held(self.size, self._words[_IN_CONS], self._produced) >= size

    def answer(self, request: bytes, reply: bytes) -> None:
        """Puts in an answer that has room, and takes its request away: one that dies between has done neither."""
        self._fence()
        self._put(reply)
        self._fence()
        self._produced = (self._produced + len(reply)) & _WORD
        self._words[_IN_PROD] = self._produced
        self._consumed = (self._consumed + len(request)) & _WORD
        self._words[_OUT_CONS] = self._consumed

    def _get(self, size: int) -> bytes:
        parts, at = [], self._consumed & self.size - 1
        while size:
            page, start = divmod(at, PAGE_SIZE)
            count = min(PAGE_SIZE - start, size)
            parts.append(bytes(self._out[page][start : start + count]))
            at, size = at + count & self.size - 1, size - count
        return b"".join(parts)

    def _put(self, reply: bytes) -> None:
        done, at = 0, self._produced & self.size - 1
        while done < len(reply):
            page, start = divmod(at, PAGE_SIZE)
            count = min(PAGE_SIZE - start, len(reply) - done)
            self._in[page][start : start + count] = reply[done : done + count]
            at, done = at + count & self.size - 1, done + count
