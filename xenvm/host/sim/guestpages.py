"""A simulated kernel's free pages, and what it shares of them with back ends."""

from __future__ import annotations

from xenbus.errors import DeviceFault
from xenvm.types import PAGE_SHIFT, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from xenvm.host.sim.boot import BootInfo
    from xenvm.host.sim.sides import GuestSide


class Pages:
    """Pages of bank 0 behind the kernel in which nothing was loaded; what is given back is taken again first.

    They are taken from below, as the balloon gives back from above.
    """

    def __init__(self, info: BootInfo) -> None:
        start, size = info.banks[0]
        self._end = start + size >> PAGE_SHIFT
        self._used = [info.dtb, *([info.initrd] if info.initrd else [])]
        self._next = _page_after(info.kernel[1])
        self._free: list[int] = []

    def take(self) -> Gfn:
        """A page; DeviceFault when there are no more."""
        if self._free:
            return Gfn(self._free.pop())
        while ends := [end for start, end in self._used if start >> PAGE_SHIFT <= self._next < _page_after(end)]:
            self._next = _page_after(max(ends))
        if self._next >= self._end:
            raise DeviceFault("the guest is out of memory")
        self._next += 1
        return Gfn(self._next - 1)

    def needed(self) -> int:
        """The first page behind all that is in use; a kernel that runs needs neither initrd nor device tree."""
        return self._next

    def give(self, gfn: Gfn) -> None:
        """Gives a page back."""
        self._free.append(gfn)

    def state(self) -> list[Any]:
        """What restore() takes."""
        return [self._next, self._free]

    def restore(self, state: list[Any]) -> None:
        """Goes on where another object stood."""
        self._next, self._free = state[0], list(state[1])


def _page_after(end: int) -> int:
    return -(-end >> PAGE_SHIFT)


class Shared:
    """Pages that a guest shares with one back end."""

    def __init__(self, side: GuestSide, pages: Pages, remote: int) -> None:
        self.side, self.pages, self.remote = side, pages, remote

    def share(self, gfn: Gfn | None = None, readonly: bool = False) -> tuple[Gfn, int]:
        """A page, `gfn` or a new one, and its grant reference."""
        gfn = self.pages.take() if gfn is None else gfn
        return gfn, self.side.grant(gfn, self.remote, readonly)

    def end(self, gfn: Gfn, ref: int) -> None:
        """Ends a grant. A page that the back end still maps is never used again."""
        if self.side.end_grant(ref):
            self.pages.give(gfn)

    def end_all(self, shared: Iterable[tuple[Gfn, int]]) -> None:
        """end() for each."""
        for gfn, ref in shared:
            self.end(gfn, ref)
