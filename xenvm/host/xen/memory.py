"""A domain's memory: RAM, host pages, grant table, windows onto it (public memory.h, domctl.h, grant_table.h)."""

from __future__ import annotations

from _thread import allocate_lock
from errno import EINVAL, EOPNOTSUPP
from struct import pack, pack_into

from xenvm.errors import HypercallError
from xenvm.host.xen.abi import Layout
from xenvm.host.xen.buffers import DATA, DATA_SIZE
from xenvm.host.xen.calls import MEMORY_OP, Calls
from xenvm.host.xen.operations import Operations, checked
from xenvm.types import PAGE_SIZE, Domid, Gfn, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenvm.host.xen.foreign import ForeignMapping, ForeignMemory

_POPULATE_PHYSMAP, _ADD_TO_PHYSMAP, _REMOVE_FROM_PHYSMAP, _CLAIM_PAGES = 6, 7, 15, 24
_IOMEM_PERMISSION, _MEMORY_MAPPING, _CACHEFLUSH = 20, 39, 71
_SPACE_GRANT_TABLE = 1
_PERMIT_ACCESS = 1
_MOST_EXTENTS = DATA_SIZE // 8
_MOST_FLUSH = 1 << 18
_MOST_MAPPING = 64
_GRANTS_IN_FRAME = 512
_SCRATCH_GFN = Gfn(0x38000)
"""First frame of the region where an ARM guest may see its grant table; free while the guest is built."""


class MemoryOperations(Operations):
    """Gives memory to a domain and reaches into it."""

    def __init__(self, calls: Calls, layout: Layout) -> None:
        super().__init__(calls, layout)
        self._foreign_memory: ForeignMemory | None = None
        self._foreign_lock = allocate_lock()

    def claim(self, domid: Domid, pages: int) -> None:
        """Sets memory aside for a domain, up to `pages` in all; 0 gives back what it has not taken."""
        self._command("claim_pages", domid, MEMORY_OP, _CLAIM_PAGES, pack("<QQIIH6x", 0, pages, 0, 0, domid))

    def populate(self, domid: Domid, first: Gfn, order: int, count: int) -> int:
        """Gives RAM: up to `count` extents of 2**order pages from `first` on. Returns how many were given, 0..count:
        a short count is Xen's only sign of no memory."""
        done = 0
        while done < count:
            wanted = min(count - done, _MOST_EXTENTS)
            given = self._populate_some(domid, first + (done << order), order, wanted)
            done += given
            if given < wanted:
                break
        return done

    def _populate_some(self, domid: Domid, first: int, order: int, count: int) -> int:
        frames = range(first, first + (count << order), 1 << order)
        with self._calls.buffer() as buffer:
            pack_into(f"<{count}Q", buffer.view, DATA, *frames)
            reservation = buffer.put(pack("<QQIIH6x", buffer.data, count, order, 0, domid))
            result = self._calls.hypercall(MEMORY_OP, _POPULATE_PHYSMAP, reservation)
        return checked(result, "populate_physmap", domid)

    def map_foreign(self, domid: Domid, first: Gfn, count: int) -> ForeignMapping:
        """Maps `count` pages of a domain from `first` on, writable, all or none (EINVAL: not RAM; ESRCH)."""
        return self._foreign().map(domid, first, count)

    def read_ram(self, domid: Domid, first: Gfn, count: int) -> list[tuple[Gfn, bytes]]:
        """Copies those of `count` pages from `first` on that the domain has, as runs."""
        return self._foreign().read(domid, first, count)

    def fill(
        self,
        domid: Domid,
        first: Gfn,
        size: int,
        read_into: Callable[[memoryview], None],
        stamp: Stamp | None = None,
    ) -> None:
        """Fills memory from the frame `first` on with `size` bytes and zeros up to the end of the last page.

        `read_into` is given one writable view after the other, and fills each.
        """
        from xenvm.host.xen.grantcopy import open_copier, read_padded

        copier = open_copier(self._foreign(), domid, _pages(size)) if size else None
        if copier is not None:
            with copier:
                copier.fill(first, size, read_into)
        else:
            with self.map_foreign(domid, first, _pages(size)) as mapping:
                read_padded(mapping.view, size, read_into)

    def cache_flush(self, domid: Domid, first: Gfn, count: int) -> None:
        """Cleans and invalidates the caches for guest pages that were written; any count."""
        for at in range(0, count, _MOST_FLUSH):
            self._domctl("cacheflush", _CACHEFLUSH, domid, pack("<QQ", first + at, min(count - at, _MOST_FLUSH)))

    def allow_iomem(self, domid: Domid, start: int, count: int) -> None:
        """Lets the domain have host pages mapped."""
        self._domctl("iomem_permission", _IOMEM_PERMISSION, domid, pack("<QQB", start, count, 1))

    def map_iomem(self, domid: Domid, gfn: Gfn, start: int, count: int) -> None:
        """Maps host pages at `gfn`; any count; after `allow_iomem`."""
        done = 0
        while done < count:
            some = min(count - done, _MOST_MAPPING)
            body = pack("<QQQI", gfn + done, start + done, some, 1)
            # A positive answer is how many pages Xen did before it let others run.
            done += self._domctl("memory_mapping", _MEMORY_MAPPING, domid, body) or some

    def seed_grants(self, domid: Domid, entries: Mapping[int, tuple[Domid, Gfn]]) -> None:
        """Writes entries of the domain's grant table: reference (0..511) -> (who may map, which frame)."""
        table = {reference: _grant(domid, reference, *entry) for reference, entry in entries.items()}
        try:
            with self._foreign().grant_table(domid) as first_page:
                first_page.write(table)
        except HypercallError as error:
            if error.errno != EOPNOTSUPP:
                raise
            self._seed_through_physmap(domid, table)

    def _seed_through_physmap(self, domid: Domid, table: Mapping[int, bytes]) -> None:
        """The way of Xen 4.14 and old kernels: shows the table in the domain's own memory for a moment."""
        add = pack("<HHIQQ", domid, 0, _SPACE_GRANT_TABLE, 0, _SCRATCH_GFN)
        self._command("add_to_physmap", domid, MEMORY_OP, _ADD_TO_PHYSMAP, add)
        try:
            with self.map_foreign(domid, _SCRATCH_GFN, 1) as mapping:
                for reference, entry in table.items():
                    mapping.view[8 * reference : 8 * reference + 8] = entry
            self.cache_flush(domid, _SCRATCH_GFN, 1)
        finally:
            remove = pack("<H6xQ", domid, _SCRATCH_GFN)
            self._command("remove_from_physmap", domid, MEMORY_OP, _REMOVE_FROM_PHYSMAP, remove)

    def _foreign(self) -> ForeignMemory:
        # The library is loaded late: a command that only asks needs none of it.
        with self._foreign_lock:
            if self._foreign_memory is None:
                from xenvm.host.xen.foreign import ForeignMemory

                self._foreign_memory = ForeignMemory()
            return self._foreign_memory


def _grant(domid: Domid, reference: int, who: Domid, frame: Gfn) -> bytes:
    """A version 1 entry, which has 32 bits for the frame."""
    if not 0 <= reference < _GRANTS_IN_FRAME or frame >> 32:
        detail = f"grant reference {reference} of frame {frame:#x} does not fit the first page of the table"
        raise HypercallError("seed_grants", EINVAL, domid=domid, detail=detail)
    return pack("<HHI", _PERMIT_ACCESS, who, frame)


def _pages(size: int) -> int:
    return -(-size // PAGE_SIZE)
