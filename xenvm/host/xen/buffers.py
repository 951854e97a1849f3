"""Memory that Xen can read and write at any moment, lent out and taken back.

Xen follows the caller's own page tables: an argument in ordinary memory fails with EFAULT whenever its page is absent,
copied on write or being moved.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

DATA = 4096
"""Offset of the part for arrays and texts; the argument structure itself lies at 0."""
DATA_SIZE = 32768
PAGES = (DATA + DATA_SIZE) // 4096


class Buffer:
    """One lent piece of safe memory; leaving its ``with`` block gives it back."""

    __slots__ = ("_home", "address", "view")

    def __init__(self, address: int, view: memoryview, home: list[Buffer]) -> None:
        self.address, self.view, self._home = address, view, home

    @property
    def data(self) -> int:
        """Address of the part for arrays and texts."""
        return self.address + DATA

    def put(self, content: bytes, offset: int = 0) -> int:
        """Writes `content`; returns its address."""
        self.view[offset : offset + len(content)] = content
        return self.address + offset

    def get(self, size: int, offset: int = 0) -> bytes:
        """A copy of what lies there."""
        return bytes(self.view[offset : offset + size])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._home.append(self)


class Buffers:
    """A pool: one piece for each thread that is inside a hypercall, so that a call allocates nothing."""

    def __init__(self, allocate: Callable[[int], tuple[int, memoryview]]) -> None:
        self._allocate = allocate
        self._free: list[Buffer] = []

    def lend(self) -> Buffer:
        """A piece with arbitrary content."""
        try:
            return self._free.pop()
        except IndexError:
            return Buffer(*self._allocate(PAGES), self._free)

    def drain(self) -> list[Buffer]:
        """Forgets all pieces that are not lent, and returns them to be freed."""
        free, self._free[:] = list(self._free), []
        return free
