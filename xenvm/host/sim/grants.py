"""A domain's grant table: which of its pages others may map (Xen's grant_table.h)."""

from __future__ import annotations

from errno import EINVAL, EIO, ENOSPC

from xenbus.value import Value
from xenvm.errors import HypercallError
from xenvm.types import Domid, Gfn

FIRST_FREE = 8
"""The entries below are the toolstack's (GNTTAB_NR_RESERVED_ENTRIES)."""
ENTRIES_IN_FRAME = 512
DEFAULT_FRAMES = 64


class Grant(Value):
    """One entry: who may map which frame, and whether it may write."""

    to: Domid
    gfn: Gfn
    readonly: bool = False


class GrantTable:
    """The entries of one domain, and how often each is mapped."""

    def __init__(self, domid: Domid, frames: int) -> None:
        self.domid = domid
        self.limit = (DEFAULT_FRAMES if frames < 0 else frames) * ENTRIES_IN_FRAME
        self.entries: dict[int, Grant] = {}
        self.maps: dict[int, int] = {}
        """reference -> mappings; none where there is none."""
        self._next = FIRST_FREE

    def seed(self, ref: int, to: Domid, gfn: Gfn) -> None:
        """An entry that the toolstack makes."""
        if not 0 <= ref < ENTRIES_IN_FRAME or gfn >> 32:
            detail = f"grant reference {ref} of frame {gfn:#x} does not fit the first page of the table"
            raise HypercallError("seed_grants", EINVAL, domid=self.domid, detail=detail)
        self.entries[ref] = Grant(to, gfn)

    def grant(self, to: Domid, gfn: Gfn, readonly: bool) -> int:
        """A new entry's reference; ENOSPC when the table is full."""
        ref = next((ref for ref in range(self._next, self.limit) if ref not in self.entries), self.limit)
        if ref == self.limit:
            ref = next((ref for ref in range(FIRST_FREE, self._next) if ref not in self.entries), ref)
        if ref >= self.limit:
            raise HypercallError("grant", ENOSPC, domid=self.domid, detail="the grant table is full")
        self.entries[ref] = Grant(to, gfn, readonly)
        self._next = ref + 1
        return ref

    def end(self, ref: int) -> bool:
        """Removes an entry; False while it is mapped."""
        if self.maps.get(ref):
            return False
        self.entries.pop(ref, None)
        return True

    def map(self, ref: int, who: Domid, readonly: bool) -> Grant:
        """Counts a mapping; EIO (Linux' word for a status of Xen's) where there is no such grant for `who`."""
        entry = self.entries.get(ref)
        if entry is None or entry.to != who or (entry.readonly and not readonly):
            detail = f"reference {ref} grants domain {who} no such access"
            raise HypercallError("map_grant_ref", EIO, domid=self.domid, detail=detail)
        self.maps[ref] = self.maps.get(ref, 0) + 1
        return entry

    def unmap(self, ref: int) -> None:
        """Takes a mapping back; EINVAL if there is none."""
        if not self.maps.get(ref):
            raise HypercallError("unmap_grant_ref", EINVAL, domid=self.domid, detail=f"reference {ref} is not mapped")
        self.maps[ref] -= 1
        if not self.maps[ref]:
            del self.maps[ref]
