"""The ring of requests and responses in a shared page (public/io/ring.h), from both ends.

The other end is hostile: it can change any byte at any time. Its index is read once and compared with what can be, a
message is copied before it is looked at, and the own index is never read back from the page.
"""

from __future__ import annotations

from _thread import allocate_lock

from xenbus.errors import RingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_SIZE = 64
"""Bytes before the first slot."""

_REQ_PROD, _REQ_EVENT, _RSP_PROD, _RSP_EVENT = range(4)
_WORD = 0xFFFFFFFF


class Fence:
    """A memory barrier. Python has none, but the release and the taking of a lock are one; for one thread only."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()

    def __call__(self) -> None:
        self._lock.release()
        self._lock.acquire()


def slots_for(page_size: int, slot_size: int) -> int:
    """How many slots a ring has: the power of two that fits behind the header."""
    fitting = (page_size - HEADER_SIZE) // slot_size
    if fitting < 1:
        raise ValueError(f"no slot of {slot_size} bytes fits into {page_size}")
    return 1 << fitting.bit_length() - 1


class _Ring:
    """What both ends share: the page, its four indexes, its slots."""

    def __init__(self, page: memoryview, slot_size: int) -> None:
        self._page, self._slot_size = page, slot_size
        self._words = page[:16].cast("I")
        self._fence = Fence()
        self.size = slots_for(len(page), slot_size)
        """Number of slots."""

    def _slot(self, index: int) -> int:
        return HEADER_SIZE + (index & self.size - 1) * self._slot_size

    def _get(self, index: int, length: int) -> bytes:
        start = self._slot(index)
        return bytes(self._page[start : start + length])

    def _put(self, index: int, message: bytes) -> None:
        if len(message) > self._slot_size:
            raise ValueError(f"{len(message)} bytes do not fit into a slot of {self._slot_size}")
        start = self._slot(index)
        self._page[start : start + len(message)] = message

    def _publish(self, word: int, old: int, new: int, event_word: int) -> bool:
        """Sets a producer index; whether the other end wants to be told."""
        self._fence()
        self._words[word] = new
        self._fence()
        return (new - self._words[event_word]) & _WORD < (new - old) & _WORD

    def close(self) -> None:
        """Lets go of the page, so that it can be unmapped."""
        self._words.release()


class FrontRing(_Ring):
    """The end that asks: a front end's. `fresh` sets up a new page; otherwise goes on where the page stands."""

    def __init__(self, page: memoryview, slot_size: int, fresh: bool = True) -> None:
        super().__init__(page, slot_size)
        if fresh:
            page[:] = bytes(len(page))
            self._words[_REQ_EVENT] = self._words[_RSP_EVENT] = 1
        self._produced = self._published = self._words[_REQ_PROD]
        self._consumed = self._words[_RSP_PROD]

    @property
    def free(self) -> int:
        """How many requests can still be put."""
        return self.size - ((self._produced - self._consumed) & _WORD)

    def put(self, request: bytes) -> None:
        """Adds a request; the other end sees it after push()."""
        if not self.free:
            raise ValueError("the ring is full")
        self._put(self._produced, request)
        self._produced = (self._produced + 1) & _WORD

    def push(self) -> bool:
        """Shows all new requests to the other end; whether it is to be notified."""
        old, self._published = self._published, self._produced
        return old != self._produced and self._publish(_REQ_PROD, old, self._produced, _REQ_EVENT)

    def responses(self, length: int) -> Iterator[bytes]:
        """All responses that are there, of `length` bytes each; then asks to be told of the next. RingError."""
        while True:
            produced = self._words[_RSP_PROD]
            if (produced - self._consumed) & _WORD > (self._published - self._consumed) & _WORD:
                raise RingError(f"the ring has {(produced - self._consumed) & _WORD} responses to fewer requests")
            self._fence()
            while self._consumed != produced:
                message = self._get(self._consumed, length)
                self._consumed = (self._consumed + 1) & _WORD
                yield message
            self._words[_RSP_EVENT] = (self._consumed + 1) & _WORD
            self._fence()
            if self._words[_RSP_PROD] == self._consumed:
                return


class BackRing(_Ring):
    """The end that answers: a back end's. It goes on where the page stands."""

    def __init__(self, page: memoryview, slot_size: int) -> None:
        super().__init__(page, slot_size)
        self._produced = self._published = self._consumed = self._words[_RSP_PROD]
        self._waiting()

    @property
    def owed(self) -> int:
        """How many requests were taken and are not yet answered."""
        return (self._consumed - self._produced) & _WORD

    def available(self) -> int:
        """How many requests can be taken; RingError."""
        waiting = self._waiting()
        self._fence()
        return waiting

    def take(self) -> bytes | None:
        """The next request, a copy of its slot, or None; RingError."""
        if not self.available():
            return None
        message = self._get(self._consumed, self._slot_size)
        self._consumed = (self._consumed + 1) & _WORD
        return message

    def await_more(self) -> bool:
        """Asks to be told of the next request; whether one came meanwhile. RingError."""
        self._words[_REQ_EVENT] = (self._consumed + 1) & _WORD
        self._fence()
        return self._waiting() > 0

    def requests(self) -> Iterator[bytes]:
        """All requests that are there, then asks to be told of the next. RingError."""
        while True:
            while (message := self.take()) is not None:
                yield message
            if not self.await_more():
                return

    def put(self, response: bytes) -> None:
        """Adds the answer to a request that was taken; the other end sees it after push()."""
        if not self.owed:
            raise ValueError("no request waits for a response")
        self._put(self._produced, response)
        self._produced = (self._produced + 1) & _WORD

    def push(self) -> bool:
        """Shows all new responses to the other end; whether it is to be notified."""
        old, self._published = self._published, self._produced
        return old != self._produced and self._publish(_RSP_PROD, old, self._produced, _RSP_EVENT)

    def _waiting(self) -> int:
        """Requests that were not taken. A front end can never have more than one ring full without a response."""
        produced = self._words[_REQ_PROD]
        if (produced - self._produced) & _WORD > self.size or (produced - self._consumed) & _WORD > self.size:
            raise RingError(f"the ring of {self.size} slots has {(produced - self._produced) & _WORD} open requests")
        return (produced - self._consumed) & _WORD
