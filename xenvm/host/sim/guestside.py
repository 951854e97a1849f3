"""What a simulated kernel may do in its own domain: `GuestSide` of sides.py, on the simulated hypervisor."""

from __future__ import annotations

from errno import EFAULT, EINVAL

from xenvm.errors import HypercallError
from xenvm.host.hyper import VcpuContext
from xenvm.types import PAGE_SHIFT, PAGE_SIZE, Domid, Gfn, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.host.sim.domain import SimDomain
    from xenvm.host.sim.hypervisor import SimHypervisor


class Guest:
    """One domain, as its own kernel sees it."""

    def __init__(self, hyper: SimHypervisor, domid: Domid) -> None:
        self.domid = domid
        self._hyper = hyper
        self._domain: SimDomain = hyper.all[domid]

    # Memory.

    def read(self, gpa: int, size: int) -> bytes:
        """A copy of guest memory; EFAULT where there is none."""
        return b"".join(map(bytes, self._pieces(gpa, size)))

    def write(self, gpa: int, data: bytes) -> None:
        """Changes guest memory; EFAULT where there is none."""
        done = 0
        for piece in self._pieces(gpa, len(data)):
            piece[:] = data[done : done + len(piece)]
            done += len(piece)

    def page(self, gfn: Gfn) -> memoryview:
        """A page itself, writable."""
        self._check(gfn, 1)
        return self._domain.ram.window(gfn, 1)

    def _pieces(self, gpa: int, size: int) -> Iterator[memoryview]:
        """Views that make up a range of addresses, in order."""
        first, last = gpa >> PAGE_SHIFT, (gpa + max(size, 1) - 1) >> PAGE_SHIFT
        self._check(first, last - first + 1)
        for start, count in self._domain.ram.pieces(Gfn(first), last - first + 1):
            begin = max(0, gpa - (start << PAGE_SHIFT))
            end = min(count * PAGE_SIZE, gpa + size - (start << PAGE_SHIFT))
            yield self._domain.ram.window(start, count)[begin:end]

    def _check(self, first: int, count: int) -> None:
        if not self._domain.frames.covers(first, first + count):
            detail = f"no RAM in {count} frames from {first:#x} on"
            raise HypercallError("access", EFAULT, domid=self.domid, detail=detail)

    def balloon(self, pages: int) -> int:
        """Asks for more pages, or gives back (a negative number); the change that was made, of the same sign."""
        return self._inflate(-pages) if pages < 0 else self._deflate(pages)

    def _inflate(self, pages: int) -> int:
        """Gives back pages that nobody has written to, which are certainly free, from the highest on."""
        domain, given = self._domain, 0
        unused = [gap for start, end in domain.frames for gap in domain.ram.written.missing(start, end)]
        for start, end in reversed(unused):
            start = max(start, end - (pages - given))
            if start >= end:
                break
            domain.frames.remove(start, end)
            domain.ballooned.add(start, end)
            given += end - start
        domain.tot_pages -= given
        self._hyper.free_pages += given
        return -given

    def _deflate(self, pages: int) -> int:
        """Takes pages back where they were given away, as far as the limits allow."""
        domain, taken = self._domain, 0
        for start, end in list(domain.ballooned):
            some = min(pages - taken, end - start)
            given = self._hyper.populate(self.domid, Gfn(start), 0, some)
            domain.ballooned.remove(start, start + given)
            taken += given
            if given < end - start:
                break
        return taken

    # vCPUs.

    def entry(self) -> VcpuContext:
        """The registers that vCPU 0 starts with; EINVAL if nobody has set them."""
        if self._domain.entry is None:
            raise HypercallError("getvcpucontext", EINVAL, domid=self.domid, detail="vCPU 0 has no registers")
        return self._domain.entry

    def shutdown(self, code: int) -> None:
        """Ends the domain, with a code of SCHEDOP_shutdown."""
        self._hyper.shutdown(self.domid, code)

    def set_vcpu(self, vcpu: int, online: bool) -> None:
        """Starts or stops a vCPU, as PSCI's CPU_ON and CPU_OFF do."""
        if not 0 <= vcpu < self._domain.vcpus:
            raise HypercallError("cpu_on", EINVAL, domid=self.domid, detail=f"there is no vCPU {vcpu}")
        self._domain.set_online(vcpu, online)

    @property
    def runs(self) -> bool:
        """Whether its vCPUs may run: it is neither paused nor down."""
        return self._domain.runs

    # What it shares.

    def param(self, index: int) -> int:
        """An HVM parameter."""
        return self._hyper.get_param(self.domid, index)

    def alloc_unbound(self, remote: int) -> int:
        """An event channel port that the domain `remote` can bind to."""
        return self._hyper.channels.alloc_unbound(self.domid, Domid(remote))

    def close_port(self, port: int) -> None:
        """Closes a port of this domain."""
        self._hyper.channels.close(self.domid, Port(port))

    def notify(self, port: int) -> None:
        """Sends an event through a port of this domain."""
        self._hyper.channels.notify(self.domid, Port(port))

    def pending(self) -> set[int]:
        """The domain's ports that were notified since the last call."""
        return self._hyper.channels.pending(self.domid)

    def grant(self, gfn: int, to: int, readonly: bool = False) -> int:
        """A grant reference by which the domain `to` can map a page."""
        return self._domain.grants.grant(Domid(to), Gfn(gfn), readonly)

    def end_grant(self, ref: int) -> bool:
        """Ends a grant; False, and nothing is changed, while somebody maps it."""
        return self._domain.grants.end(ref)
