"""Domains and their vCPUs in the simulated Xen: life, limits, state (the rules of Xen's domctl.h and sched.h)."""

from __future__ import annotations

from errno import EBUSY, EEXIST, EINVAL, ENODEV, ENOMEM, EOVERFLOW, ESRCH

from xenvm.errors import HypercallError
from xenvm.host.hyper import Created, CreateRequest, DomainInfo, VcpuContext, VcpuInfo
from xenvm.host.sim.domain import SimDomain
from xenvm.host.sim.events import EventChannels
from xenvm.host.sim.images import Images
from xenvm.host.sim.memory import Ram
from xenvm.types import DOM0, PAGE_SIZE, Domid, KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.sim.machine import Machine

FIRST_RESERVED = 0x7FF0
_MOST_PAUSES = 255
_MOST_SPIS = 960
_CONTEXT_SIZE, _CONTEXT_PC = 352, 0x100
"""Of struct vcpu_guest_context (arch-arm.h), from 4.16 on."""
_FIRST_POOL_PAGES = 16
"""What Xen puts into the pool of page tables by itself, up to 4.17."""


class DomainOperations:
    """The table of domains, and what is done to them."""

    def __init__(self, machine: Machine, ram: Callable[[Domid], Ram]) -> None:
        """`ram` makes the memory of a new domain."""
        self.machine, self._new_ram = machine, ram
        self.images = Images()
        self.free_pages = machine.memory * 256
        self.channels = EventChannels()
        self.pool_cpus = machine.cpupools
        self.pool_schedulers = dict.fromkeys(self.pool_cpus, machine.scheduler)
        self.pool_parameters: dict[int, dict[str, int]] = {}
        """What differs from the scheduler's defaults."""
        self.enforcing = True
        self.overlays: dict[str, list[int]] = {}
        """Overlays of the device tree, in hexadecimal, and the domains that have their devices."""
        self.all: dict[Domid, SimDomain] = {}
        self.rotor = 1
        """Where the search for a free domid begins: Xen does not give one out again at once."""
        self.on_run: Callable[[Domid], object] = lambda domid: None
        """Told of each domain that begins, or goes on, to run."""
        self.on_death: Callable[[Domid], object] = lambda domid: None
        """Told of each domain that shuts down, dies or is gone (VIRQ_DOM_EXC)."""
        self._listed: dict[Domid, DomainInfo] = {}
        self._in_order = True
        self._stale: set[Domid] = set()
        """Domains of which something has changed since they were listed."""
        self.enter(self._dom0())

    def enter(self, domain: SimDomain) -> None:
        """Has a domain in the table."""
        self.all[domain.domid], domain.stale = domain, self._stale

    def _dom0(self) -> SimDomain:
        pages, cpus = self.machine.dom0_memory * 256, self.machine.cpus
        request = CreateRequest("00000000-0000-0000-0000-000000000000", cpus, self.machine.gic)
        dom0 = SimDomain(DOM0, request, Ram())
        dom0.bits, dom0.vcpus, dom0.online, dom0.pauses, dom0.started = 64, cpus, set(range(cpus)), 0, True
        dom0.tot_pages, dom0.max_pages, dom0.gpaddr_bits = pages, pages, self.machine.gpaddr_bits
        return dom0

    def _get(self, operation: str, domid: Domid) -> SimDomain:
        domain = self.all.get(domid)
        if domain is None:
            raise HypercallError(operation, ESRCH, domid=domid, detail="no such domain")
        return domain

    def _other(self, operation: str, domid: Domid) -> SimDomain:
        """A domain that is not domain 0, which may not do this to itself."""
        if domid == DOM0:
            raise HypercallError(operation, EINVAL, domid=domid, detail="domain 0 cannot do this to itself")
        return self._get(operation, domid)

    # Questions.

    def domains(self) -> list[DomainInfo]:
        """All domains, in the order of their domids; only those are described anew that have changed."""
        for domid in self._stale:
            domain = self.all.get(domid)
            if domain is None:
                self._listed.pop(domid, None)
            else:
                if domid not in self._listed and domid < next(reversed(self._listed), 0):
                    self._in_order = False
                self._listed[domid] = domain.info
        self._stale.clear()
        if not self._in_order:
            self._listed, self._in_order = dict(sorted(self._listed.items())), True
        return list(self._listed.values())

    def domain(self, domid: Domid) -> DomainInfo | None:
        """One domain, or None if there is none with exactly this domid."""
        domain = self.all.get(domid)
        return None if domain is None else domain.info

    def vcpus(self, domid: Domid) -> list[VcpuInfo]:
        """All vCPUs of a domain, offline ones too."""
        domain, every = self._get("getvcpuinfo", domid), frozenset(range(self.machine.cpus))
        runs = domid == DOM0
        return [
            VcpuInfo(
                vcpu,
                online=vcpu in domain.online,
                blocked=vcpu in domain.online and not runs,
                running=runs,
                cpu_time=domain.cpu_time // max(1, domain.vcpus),
                cpu=vcpu % self.machine.cpus,
                hard=domain.hard.get(vcpu, every),
                soft=domain.soft.get(vcpu, every),
            )
            for vcpu in range(domain.vcpus)
        ]

    # Life.

    def create(self, request: CreateRequest) -> Created:
        """Makes a domain: paused, no vCPUs, no memory."""
        if request.domid is not None and (request.domid in self.all or request.domid >= FIRST_RESERVED):
            raise HypercallError("createdomain", EEXIST, domid=request.domid, detail="the domid is taken")
        # A domid is used up even if the creation is refused then.
        domid = self._next_domid() if request.domid is None else request.domid
        request = request.replace(gic_version=request.gic_version or self.machine.gic)
        self._check(request)
        pool = _FIRST_POOL_PAGES if self.machine.xen < (4, 18) else 0
        if pool > self.free_pages:
            raise HypercallError("createdomain", ENOMEM, detail="Xen has no memory left for it")
        domain = SimDomain(domid, request, self._new_ram(domid))
        domain.pool, domain.gpaddr_bits = pool, self.machine.gpaddr_bits
        self.free_pages -= pool
        self.enter(domain)
        self.channels.add(domid, request.max_evtchn_port)
        return Created(domid, request.gic_version, 0)

    def _check(self, request: CreateRequest) -> None:
        if request.gic_version != self.machine.gic:
            raise HypercallError("createdomain", ENODEV, detail="the host cannot provide this GIC version")
        wrong = (
            not 0 < request.max_vcpus <= self.machine.max_vcpus,
            not 0 <= request.nr_spis <= _MOST_SPIS,
            request.max_grant_version != 1 or request.max_grant_frames == 0,
            request.iommu and not self.machine.iommu,
            request.sve_bits > self.machine.sve_bits or request.sve_bits % 128 != 0,
            request.tee not in ("none", self.machine.tee),
            request.sci != "none" and not self.machine.scmi,
            request.vpmu and not self.machine.vpmu,
            not request.trap_unmapped and self.machine.xen < (4, 21),
        )
        if any(wrong):
            reason = "too many vCPUs for the GIC, more than 960 SPIs, or what this host does not have"
            raise HypercallError("createdomain", EINVAL, detail=reason)
        if request.cpupool not in self.pool_cpus:
            raise HypercallError("createdomain", ESRCH, detail="there is no such cpupool")
        if not self.pool_cpus[request.cpupool]:
            raise HypercallError("createdomain", ENODEV, detail="the cpupool has no CPUs")

    def _next_domid(self) -> Domid:
        for _ in range(FIRST_RESERVED):
            domid, self.rotor = Domid(self.rotor), self.rotor + 1
            if self.rotor >= FIRST_RESERVED:
                self.rotor = 1
            if domid not in self.all:
                return domid
        raise HypercallError("createdomain", EEXIST, detail="all domids are in use")

    def destroy(self, domid: Domid) -> None:
        """Ends a domain; it stays while others map pages of it."""
        domain = self._other("destroydomain", domid)
        if domain.dying:
            return
        domain.dying = True
        self.channels.remove(domid)
        self.free_pages += domain.tot_pages - domain.held + domain.pool
        domain.tot_pages, domain.pool, domain.claimed = domain.held, 0, 0
        domain.frames.remove(0, 1 << 52)
        domain.tables.clear()
        if not domain.held:
            self._bury(domain)
        self.on_death(domid)

    def _bury(self, domain: SimDomain) -> None:
        del self.all[domain.domid]
        self.free_pages += domain.pool  # it can still be given one while it is dead
        self._stale.add(domain.domid)
        domain.ram.release()

    def hold(self, domain: SimDomain, pages: int) -> None:
        """Another domain maps pages of this one."""
        domain.held += pages

    def let_go(self, domain: SimDomain, pages: int) -> None:
        """It maps them no more: a dead domain may vanish now."""
        domain.held -= pages
        if domain.dying:
            domain.tot_pages -= pages
            self.free_pages += pages
            if not domain.held:
                self._bury(domain)
                self.on_death(domain.domid)

    def pause(self, domid: Domid) -> None:
        """Raises the pause count by one."""
        domain = self._other("pausedomain", domid)
        if domain.pauses == _MOST_PAUSES:
            raise HypercallError("pausedomain", EOVERFLOW, domid=domid)
        domain.pauses += 1

    def unpause(self, domid: Domid) -> None:
        """Lowers the pause count by one; the first time that it gets to zero, the domain is complete and runs."""
        domain = self._other("unpausedomain", domid)
        if not domain.pauses:
            raise HypercallError("unpausedomain", EINVAL, domid=domid, detail="the domain is not paused")
        domain.pauses -= 1
        if not domain.pauses:
            domain.started = True
            self.on_run(domid)

    def shutdown(self, domid: Domid, reason: int) -> None:
        """Stops all vCPUs and latches `reason`; the first reason wins."""
        domain = self._other("remote_shutdown", domid)
        if domain.code is None and not domain.dying:
            domain.code = reason & 0xFF
            self.on_death(domid)

    def resume(self, domid: Domid) -> None:
        """Clears the shutdown state of a suspended domain."""
        domain = self._other("resumedomain", domid)
        domain.code = None
        if domain.runs:
            self.on_run(domid)

    # Limits and vCPUs.

    def set_max_vcpus(self, domid: Domid, count: int) -> None:
        """Allocates the vCPUs; `count` must be that of `create`."""
        domain = self._get("max_vcpus", domid)
        if count != domain.request.max_vcpus:
            detail = "not the number that the domain was created with"
            raise HypercallError("max_vcpus", EINVAL, domid=domid, detail=detail)
        domain.vcpus = count

    def set_address_size(self, domid: Domid, bits: int) -> None:
        """64 or 32; refused before `set_max_vcpus`, as a real host would not survive it."""
        domain = self.all.get(domid)
        if domain is None or not domain.vcpus:
            raise HypercallError("set_address_size", EINVAL, domid=domid, detail="set_max_vcpus must come first")
        if domain.tot_pages:
            raise HypercallError("set_address_size", EBUSY, domid=domid, detail="the domain owns memory already")
        if bits != 64 and (bits != 32 or not self.machine.arm32 or domain.request.sve_bits):
            raise HypercallError("set_address_size", EINVAL, domid=domid, detail="no such guests on this host")
        domain.bits = bits

    def set_max_mem(self, domid: Domid, limit: KiB) -> None:
        """How much memory the domain may own, whatever it owns now."""
        self._get("max_mem", domid).max_pages = limit // 4

    def set_paging_pool(self, domid: Domid, size: int) -> None:
        """Size in bytes of the pool of p2m page tables; a multiple of 4096."""
        domain, name = self._get("set_paging_mempool_size", domid), "set_paging_mempool_size"
        if size % PAGE_SIZE:
            raise HypercallError(name, EINVAL, domid=domid, detail="not a whole number of pages")
        pages = size // PAGE_SIZE
        if pages < len(domain.tables) or pages - domain.pool > self.free_pages:
            raise HypercallError(name, ENOMEM, domid=domid, detail="Xen has no memory left for it")
        self.free_pages -= pages - domain.pool
        domain.pool = pages

    def set_affinity(
        self,
        domid: Domid,
        vcpu: int,
        hard: frozenset[int] | None,
        soft: frozenset[int] | None,
        *,
        force: bool = False,
    ) -> None:
        """Where a vCPU may run; None leaves that half alone."""
        if hard is None and soft is None:
            return
        domain, name = self._get("setvcpuaffinity", domid), "setvcpuaffinity"
        if vcpu < domain.request.max_vcpus and not domain.vcpus:
            raise HypercallError(name, ESRCH, domid=domid, detail="it has no vCPUs yet")
        every, pool = frozenset(range(self.machine.cpus)), self.pool_cpus[domain.cpupool]
        most = (self.machine.cpus + 7) & ~7  # a map has whole bytes
        known = all(cpu < most for cpus in (hard, soft) for cpu in cpus or ())
        if vcpu >= domain.vcpus or not known or (hard is not None and not hard & pool):
            detail = "none of these CPUs is in the domain's pool"
            raise HypercallError(name, EINVAL, domid=domid, detail=detail)
        if hard is not None:
            domain.hard[vcpu] = hard & pool
        if soft is not None:
            domain.soft[vcpu] = soft & every

    def registers(self, domid: Domid, vcpu: int) -> bytes | None:
        """The struct vcpu_guest_context of a vCPU: only where it started is known of a simulated one."""
        domain = self._get("getvcpucontext", domid)
        if vcpu not in domain.online:
            return None
        context = bytearray(_CONTEXT_SIZE)
        context[0] = 1
        if domain.entry is not None and not vcpu:
            context[_CONTEXT_PC : _CONTEXT_PC + 8] = domain.entry.pc.to_bytes(8, "little")
        return bytes(context)

    def set_entry(self, domid: Domid, context: VcpuContext) -> None:
        """Sets the registers of vCPU 0 and puts it online."""
        domain = self._other("setvcpucontext", domid)
        if not domain.vcpus or context.bits != domain.bits or (context.pc | context.dtb) >> domain.bits:
            detail = "the domain is not of this width, or has no vCPUs"
            raise HypercallError("setvcpucontext", EINVAL, domid=domid, detail=detail)
        domain.entry = context
        domain.set_online(0, True)
