"""Memory of domains in the simulated Xen: RAM, windows onto it, grants, host pages (memory.h, domctl.h)."""

from __future__ import annotations

from errno import EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, EPERM, ESRCH

from xenvm.errors import HypercallError
from xenvm.host.sim.life import DomainOperations
from xenvm.host.sim.memory import Window
from xenvm.types import DOM0, PAGE_SIZE, Domid, Gfn, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HIGHEST_ORDER = 18


class MemoryOperations(DomainOperations):
    """Gives memory to a domain and reaches into it."""

    def populate(self, domid: Domid, first: Gfn, order: int, count: int) -> int:
        """Gives RAM; the number of extents given is the only sign of what is in the way, even of an absent domain.

        An extent that has no page table stays charged to the domain, and unmapped; so does memory whose frame is
        populated anew.
        """
        domain = self.all.get(domid)
        if domain is None or domain.dying or order > _HIGHEST_ORDER:
            return 0
        room = min(domain.max_pages - domain.tot_pages, self.free_pages - self.claimed + domain.claimed)
        count = min(count, max(0, room) >> order)
        given = domain.map_ram(first, order, count, self.machine.gpaddr_bits)
        taken = min(count, given + 1) << order
        domain.tot_pages += taken
        domain.claimed -= min(taken, domain.claimed)
        self.free_pages -= taken
        return given

    @property
    def claimed(self) -> int:
        """Free pages that are set aside for domains."""
        return sum(domain.claimed for domain in self.all.values())

    def claim(self, domid: Domid, pages: int) -> None:
        """Sets memory aside for a domain, up to `pages` in all; 0 gives back what it has not taken."""
        domain = self.all.get(domid)
        if domain is not None and not pages:
            domain.claimed = 0
        elif domain is None or domain.claimed or not domain.tot_pages < pages <= domain.max_pages:
            detail = "there is a claim already, or it is not between what the domain has and may have"
            raise HypercallError("claim_pages", EINVAL, domid=domid, detail=detail)
        elif self.machine.llc_colors:
            raise HypercallError("claim_pages", EOPNOTSUPP, domid=domid, detail="memory has colors here")
        elif pages - domain.tot_pages > self.free_pages - self.claimed:
            raise HypercallError("claim_pages", ENOMEM, domid=domid, detail="Xen has not so much memory left")
        else:
            domain.claimed = pages - domain.tot_pages

    def map_foreign(self, domid: Domid, first: Gfn, count: int) -> Window:
        """Maps `count` pages of a domain from `first` on, writable, all or none."""
        domain = self._get("map_foreign", domid)
        if domid == DOM0:
            raise HypercallError("map_foreign", ESRCH, domid=domid, detail="domain 0 cannot map itself")
        if not domain.frames.covers(first, first + count):
            raise HypercallError("map_foreign", EINVAL, domid=domid, detail="not all of these frames are RAM")
        self.hold(domain, count)
        return Window(domain.ram, first, count, lambda: self.let_go(domain, count))

    def read_ram(self, domid: Domid, first: Gfn, count: int) -> list[tuple[Gfn, bytes]]:
        """Copies those of `count` pages from `first` on that the domain has, as runs."""
        domain, at, end = self._get("map_foreign", domid), int(first), first + count
        runs = []
        for gap, behind in [*domain.frames.missing(first, end), (end, end)]:
            if at < gap:
                runs.append((Gfn(at), domain.ram.read(Gfn(at), gap - at)))
            at = behind
        return runs

    def fill(
        self,
        domid: Domid,
        first: Gfn,
        size: int,
        read_into: Callable[[memoryview], None],
        stamp: Stamp | None = None,
    ) -> None:
        """Fills memory from the frame `first` on with `size` bytes and zeros up to the end of the last page.

        An image that others have already is shared with them.
        """
        domain, count = self._get("map_foreign", domid), -(-size // PAGE_SIZE)
        if not size or domain.dying:
            raise HypercallError("map_foreign", EINVAL, domid=domid, detail="there is nothing to fill")
        if not domain.frames.covers(first, first + count):
            raise HypercallError("grant_copy", EFAULT, domid=domid, detail="not all of these frames are RAM")
        image = self.images.get(stamp, size, read_into) if domain.ram.can_lay(first, count) else None
        if image is None:
            domain.ram.fill(first, size, read_into)
        else:
            domain.ram.lay(first, image)

    def cache_flush(self, domid: Domid, first: Gfn, count: int) -> None:
        """There are no caches; the domain must exist."""
        self._get("cacheflush", domid)

    def seed_grants(self, domid: Domid, entries: Mapping[int, tuple[Domid, Gfn]]) -> None:
        """Writes entries of the domain's grant table: reference (0..511) -> (who may map, which frame)."""
        domain = self._get("map_resource", domid)
        if domain.dying:
            raise HypercallError("map_resource", EINVAL, domid=domid, detail="the domain is dead")
        for ref, (to, gfn) in entries.items():
            domain.grants.seed(ref, to, gfn)

    def allow_iomem(self, domid: Domid, start: int, count: int) -> None:
        """Lets the domain have host pages mapped."""
        domain = self._get("iomem_permission", domid)
        if not self.machine.may_give(start, count):
            detail = "dom0 itself has no access to these pages"
            raise HypercallError("iomem_permission", EPERM, domid=domid, detail=detail)
        domain.iomem.add(start, start + count)

    def map_iomem(self, domid: Domid, gfn: Gfn, start: int, count: int) -> None:
        """Maps host pages at `gfn`; after `allow_iomem`."""
        domain = self._get("memory_mapping", domid)
        if not domain.iomem.covers(start, start + count):
            raise HypercallError("memory_mapping", EPERM, domid=domid, detail="the domain has no right to these pages")
        domain.mapped.update((gfn + page, start + page) for page in range(count))
