"""The guest's end of a shared folder's rings, as Linux has it, or worse."""

from __future__ import annotations

from struct import pack_into, unpack_from

from xenvm.types import PAGE_SIZE

WORD = 0xFFFFFFFF


class Front:
    """One ring over pages that the server has too."""

    def __init__(self, page: memoryview, data: list[memoryview]) -> None:
        self.page, self.data = page, data
        self.half = len(data) // 2
        self.size = self.half * PAGE_SIZE

    def index(self, at: int) -> int:
        return int(unpack_from("<I", self.page, at)[0])

    def set(self, at: int, value: int) -> None:
        pack_into("<I", self.page, at, value & WORD)

    def say(self, message: bytes) -> None:
        """Puts a request, or a piece of one, into the ring."""
        start = self.index(68)
        for at, byte in enumerate(message, start):
            page, offset = divmod(at % self.size, PAGE_SIZE)
            self.data[self.half + page][offset] = byte
        self.set(68, start + len(message))

    def hear(self) -> bytes:
        """Takes all answers that are there."""
        start, end = self.index(0), self.index(4)
        found = bytes(
            self.data[at % self.size // PAGE_SIZE][at % PAGE_SIZE] for at in range(start, start + (end - start & WORD))
        )
        self.set(0, end)
        return found
