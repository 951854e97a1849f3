"""A hypervisor in memory for tests of the toolstack: Xen's states, limits and error numbers, and faults on demand.

It follows Xen where a toolstack can see the difference: the order of calls that it insists on, short counts instead
of errors when memory runs out, fresh memory that is not zero, domids that are not given out again at once.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from errno import EBUSY, EEXIST, EINVAL, ENODEV, ENOMEM, ENOSPC, EPERM, ESRCH

from tests.support.fakedomain import FakeDomain, FakeMapping
from tests.support.fakepolicy import FakePolicy
from xenvm.errors import HypercallError
from xenvm.host.hyper import (
    Created,
    CreateRequest,
    DomainInfo,
    PhysInfo,
    VcpuContext,
    VcpuInfo,
    VersionInfo,
    XenVersion,
)
from xenvm.types import DOM0, PAGE_SIZE, Domid, Gfn, KiB, Port, Stamp

Step = tuple[str, int]
"""One call: the operation, and which of its calls it is, from 1 on; threads cannot change that."""
_FILLED_AT_ONCE = 3 * PAGE_SIZE
_CONSTANT_PARAMS = (1, 2, 17, 18)
"""Rings and their event channels: once set, Xen keeps them."""


class FakeHyper(FakePolicy):
    """Implements xenvm.host.hyper.Hypervisor. Single faults: `fail_at`; what is left: `leaks`."""

    def __init__(self, release: tuple[int, int] = (4, 20), free_mib: int = 4096) -> None:
        self.version = XenVersion(*release, ".0")
        self.texts = VersionInfo("xen-3.0-aarch64 xen-3.0-armv7l")
        self.free_pages = free_mib * 256
        self.total_pages = self.free_pages + (1 << 18)
        self.gic = 3
        self.iommu = False
        self.cpus = frozenset(range(4))
        self.spare_iomem: set[int] = set()
        """Host pages that guests may have."""
        self.dt_devices: set[str] = set()
        self.log: list[tuple[str, str]] = []
        """Thread and text of every call."""
        self.steps: list[Step] = []
        self.mappings: list[FakeMapping] = []
        self.closed = 0
        self.on_call: dict[str, Callable[[], object]] = {}
        """What else happens at an operation, before its work."""
        self.on_death: Callable[[Domid], object] = lambda domid: None
        """Told of each domain that shuts down or goes: xenstored's event channel."""
        self.rotor = 1
        dom0 = FakeDomain(DOM0, CreateRequest("00000000-0000-0000-0000-000000000000", 4))
        dom0.vcpus, dom0.online, dom0.pauses, dom0.running = 4, set(range(4)), 0, True
        dom0.frames, dom0.max_pages = set(map(Gfn, range(1024))), 1 << 18
        self.all: dict[Domid, FakeDomain] = {DOM0: dom0}
        self._main = threading.get_ident()
        self._counts: Counter[str] = Counter()
        self._faults: dict[Step, BaseException | int] = {}

    # For tests.

    def fail_at(self, step: Step, fault: BaseException | int) -> None:
        """Makes one call fail: with an error number, or whatever exception."""
        self._faults[step] = fault

    def lines(self, thread: str = "MainThread") -> str:
        """The calls of one thread as text."""
        return "".join(f"{text}\n" for who, text in self.log if who == thread)

    def leaks(self) -> dict[str, object]:
        """What must be as before when a guest is gone."""
        return {"domains": sorted(self.all), "mappings": len(self.mappings), "free pages": self.free_pages}

    def add(self, uuid: str, mib: int = 64, vcpus: int = 1) -> FakeDomain:
        """A guest that runs already."""
        domain = FakeDomain(self._next_domid(), CreateRequest(uuid, vcpus))
        domain.vcpus, domain.online, domain.pauses, domain.ran = vcpus, set(range(vcpus)), 0, True
        domain.frames = set(map(Gfn, range(mib * 256)))
        domain.max_pages = len(domain.frames) + 256
        self.free_pages -= len(domain.frames)
        self.all[domain.domid] = domain
        return domain

    def go_down(self, domid: Domid, code: int) -> None:
        """The guest stops by itself."""
        self.all[domid].code = code
        self.on_death(domid)

    # The machinery.

    def _enter(self, operation: str, *arguments: object) -> None:
        self._counts[operation] += 1
        step = operation, self._counts[operation]
        self.steps.append(step)
        thread = "MainThread" if threading.get_ident() == self._main else "loader"
        self.log.append((thread, " ".join([operation, *map(_text, arguments)])))
        if operation in self.on_call:
            self.on_call[operation]()
        fault = self._faults.pop(step, None)
        if isinstance(fault, int):
            domid = arguments[0] if arguments and isinstance(arguments[0], int) else None
            raise HypercallError(operation, fault, domid=domid, detail="a fault on demand")
        if fault is not None:
            raise fault

    def _on(self, operation: str, domid: Domid, *arguments: object) -> FakeDomain:
        self._enter(operation, domid, *arguments)
        domain = self.all.get(domid)
        if domain is None or domain.dying:
            raise HypercallError(operation, ESRCH, domid=domid)
        return domain

    def _next_domid(self) -> Domid:
        while self.rotor in self.all:
            self.rotor += 1
        self.rotor += 1
        return Domid(self.rotor - 1)

    def _take(self, pages: int) -> bool:
        if pages > self.free_pages:
            return False
        self.free_pages -= pages
        return True

    # The host.

    def version_info(self) -> VersionInfo:
        self._enter("version_info")
        return self.texts

    def capabilities(self) -> str:
        self._enter("capabilities")
        return self.texts.capabilities

    def physinfo(self) -> PhysInfo:
        self._enter("physinfo")
        capabilities = 0x309 | (4 if self.iommu else 0)
        return PhysInfo(len(self.cpus), max(self.cpus), self.total_pages, self.free_pages, capabilities=capabilities)

    def scheduler(self) -> str:
        self._enter("scheduler")
        return "credit2"

    def free_cpus(self) -> int:
        self._enter("free_cpus")
        return 0

    def cpupools(self) -> dict[int, frozenset[int]]:
        self._enter("cpupools")
        return {0: self.cpus}

    def console_ring(self, *, clear: bool = False) -> bytes:
        self._enter("console_ring", clear)
        return b"(XEN) a fake\n"

    def close(self) -> None:
        self.closed += 1

    # Domains.

    def domains(self) -> list[DomainInfo]:
        self._enter("domains")
        return [self.all[domid].info for domid in sorted(self.all)]

    def domain(self, domid: Domid) -> DomainInfo | None:
        self._enter("domain", domid)
        return self.all[domid].info if domid in self.all else None

    def vcpus(self, domid: Domid) -> list[VcpuInfo]:
        domain = self._on("vcpus", domid)
        return [
            VcpuInfo(n, n in domain.online, False, False, 0, 0, *(cpus or self.cpus for cpus in domain.affinity[n]))
            for n in range(domain.vcpus)
        ]

    def create(self, request: CreateRequest) -> Created:
        self._enter("create", request.max_vcpus, f"gic={request.gic_version}", f"spis={request.nr_spis}")
        gic = request.gic_version or self.gic
        if gic > self.gic:
            raise HypercallError("create", ENODEV)
        if not 0 < request.max_vcpus <= (8 if gic == 2 else 128) or request.nr_spis > 960:
            raise HypercallError("create", EINVAL)
        if request.iommu and not self.iommu:
            raise HypercallError("create", EINVAL)
        if request.domid in self.all:
            raise HypercallError("create", EEXIST, domid=request.domid)
        domid = self._next_domid() if request.domid is None else request.domid
        self.all[domid] = FakeDomain(domid, request)
        return Created(domid, gic, 0)

    def destroy(self, domid: Domid) -> None:
        domain = self._on("destroy", domid)
        domain.dying = True
        self.free_pages += len(domain.frames) + domain.pool // PAGE_SIZE
        domain.frames.clear()
        domain.pool = 0
        if not domain.held:
            del self.all[domid]
        self.on_death(domid)

    def pause(self, domid: Domid) -> None:
        self._on("pause", domid).pauses += 1

    def unpause(self, domid: Domid) -> None:
        domain = self._on("unpause", domid)
        if not domain.pauses:
            raise HypercallError("unpause", EINVAL, domid=domid)
        domain.pauses -= 1
        domain.ran = True

    def shutdown(self, domid: Domid, reason: int) -> None:
        domain = self._on("shutdown", domid, reason)
        if domain.code is None:
            self.go_down(domid, reason)

    def resume(self, domid: Domid) -> None:
        self._on("resume", domid).code = None

    def set_max_vcpus(self, domid: Domid, count: int) -> None:
        domain = self._on("set_max_vcpus", domid, count)
        if count != domain.request.max_vcpus:
            raise HypercallError("set_max_vcpus", EINVAL, domid=domid)
        domain.vcpus = count

    def set_address_size(self, domid: Domid, bits: int) -> None:
        domain = self._on("set_address_size", domid, bits)
        if not domain.vcpus or bits not in (32, 64):
            # The real one would take the host down at the first unpause.
            raise HypercallError("set_address_size", EINVAL, domid=domid, detail="set_max_vcpus must come first")
        if domain.frames:
            raise HypercallError("set_address_size", EBUSY, domid=domid)
        domain.bits = bits

    def set_max_mem(self, domid: Domid, limit: KiB) -> None:
        self._on("set_max_mem", domid, limit).max_pages = limit // 4

    def set_paging_pool(self, domid: Domid, size: int) -> None:
        domain = self._on("set_paging_pool", domid, size)
        if size % PAGE_SIZE:
            raise HypercallError("set_paging_pool", EINVAL, domid=domid)
        if not self._take((size - domain.pool) // PAGE_SIZE):
            raise HypercallError("set_paging_pool", ENOMEM, domid=domid)
        domain.pool = size

    def set_affinity(
        self,
        domid: Domid,
        vcpu: int,
        hard: frozenset[int] | None,
        soft: frozenset[int] | None,
        *,
        force: bool = False,
    ) -> None:
        domain = self._on("set_affinity", domid, vcpu, hard, soft, *(["force"] if force else []))
        if vcpu >= domain.vcpus:
            raise HypercallError("set_affinity", EINVAL, domid=domid)
        if any(cpus is not None and not cpus & self.cpus for cpus in (hard, soft)):
            raise HypercallError("set_affinity", EINVAL, domid=domid)
        domain.affinity[vcpu] = hard or domain.affinity[vcpu][0], soft or domain.affinity[vcpu][1]

    def registers(self, domid: Domid, vcpu: int) -> bytes | None:
        domain = self._on("registers", domid, vcpu)
        return bytes([1]) * 352 if vcpu in domain.online else None

    def set_entry(self, domid: Domid, context: VcpuContext) -> None:
        domain = self._on("set_entry", domid, context.bits, f"pc={context.pc:#x}", f"dtb={context.dtb:#x}")
        if not domain.vcpus or context.bits != domain.bits:
            raise HypercallError("set_entry", EINVAL, domid=domid)
        domain.entry = context
        domain.online.add(0)

    # Memory.

    def populate(self, domid: Domid, first: Gfn, order: int, count: int) -> int:
        domain = self._on("populate", domid, f"{first:#x}", f"order={order}", f"count={count}")
        for done in range(count):
            pages = range(first + (done << order), first + (done + 1 << order))
            full = len(domain.frames) + len(pages) > domain.max_pages or not domain.pool
            if full or not self._take(len(pages)):
                return done
            domain.frames.update(map(Gfn, pages))
        return count

    def map_foreign(self, domid: Domid, first: Gfn, count: int) -> FakeMapping:
        domain = self._on("map_foreign", domid, f"{first:#x}", count)
        if not count or not domain.frames.issuperset(range(first, first + count)):
            raise HypercallError("map_foreign", EINVAL, domid=domid)
        return FakeMapping(self.mappings, domain, first, count)

    def read_ram(self, domid: Domid, first: Gfn, count: int) -> list[tuple[Gfn, bytes]]:
        domain = self._on("read_ram", domid, f"{first:#x}", count)
        return [(Gfn(gfn), domain.page(gfn)) for gfn in range(first, first + count) if gfn in domain.frames]

    def fill(
        self,
        domid: Domid,
        first: Gfn,
        size: int,
        read_into: Callable[[memoryview], None],
        stamp: Stamp | None = None,
    ) -> None:
        domain = self._on("fill", domid, f"{first:#x}", size)
        for start in range(0, size, _FILLED_AT_ONCE):
            piece = min(size - start, _FILLED_AT_ONCE)
            with FakeMapping(self.mappings, domain, Gfn(first + start // PAGE_SIZE), -(-piece // PAGE_SIZE)) as mapping:
                with mapping.view[:piece] as data:
                    read_into(data)
                with mapping.view[piece:] as rest:
                    rest[:] = bytes(len(rest))

    def cache_flush(self, domid: Domid, first: Gfn, count: int) -> None:
        self._on("cache_flush", domid, f"{first:#x}", count)

    def seed_grants(self, domid: Domid, entries: Mapping[int, tuple[Domid, Gfn]]) -> None:
        domain = self._on("seed_grants", domid, *(f"{ref}:{who}:{gfn:#x}" for ref, (who, gfn) in entries.items()))
        domain.grants.update(entries)

    def allow_iomem(self, domid: Domid, start: int, count: int) -> None:
        domain = self._on("allow_iomem", domid, f"{start:#x}", count)
        if not self.spare_iomem.issuperset(range(start, start + count)):
            raise HypercallError("allow_iomem", EPERM, domid=domid)
        domain.iomem.update(range(start, start + count))

    def map_iomem(self, domid: Domid, gfn: Gfn, start: int, count: int) -> None:
        domain = self._on("map_iomem", domid, f"{gfn:#x}", f"{start:#x}", count)
        if not domain.iomem.issuperset(range(start, start + count)):
            raise HypercallError("map_iomem", EPERM, domid=domid)
        domain.mapped.update({gfn + n: start + n for n in range(count)})

    # Rings and devices.

    def alloc_unbound(self, domid: Domid, remote: Domid) -> Port:
        domain = self._on("alloc_unbound", domid, remote)
        if domain.ports == domain.request.max_evtchn_port:
            raise HypercallError("alloc_unbound", ENOSPC, domid=domid)
        domain.ports += 1
        return Port(domain.ports)

    def set_params(self, domid: Domid, params: Mapping[int, int]) -> None:
        domain = self._on("set_params", domid, *(f"{index}={value:#x}" for index, value in params.items()))
        for index, value in params.items():
            if index in _CONSTANT_PARAMS and domain.params.get(index, value) != value:
                raise HypercallError(f"set_param {index}", EEXIST, domid=domid)
            domain.params[index] = value

    def get_param(self, domid: Domid, index: int) -> int:
        return self._on("get_param", domid, index).params.get(index, 0)

    def init_vuart(self, domid: Domid, gfn: Gfn, console: Domid) -> Port:
        domain = self._on("init_vuart", domid, f"{gfn:#x}", console)
        if domain.ran:
            raise HypercallError("init_vuart", EPERM, domid=domid)
        if domain.vuart is not None:
            raise HypercallError("init_vuart", EINVAL, domid=domid)
        domain.vuart = gfn
        domain.ports += 1
        return Port(domain.ports)

    def bind_irq(self, domid: Domid, irq: int) -> None:
        domain = self._on("bind_irq", domid, irq)
        if irq < 32:
            raise HypercallError("bind_irq", EINVAL, domid=domid)
        if irq >= 32 + domain.request.nr_spis:
            raise HypercallError("bind_irq", EBUSY, domid=domid)
        domain.irqs.append(irq)

    def assign_dt_device(self, domid: Domid, path: str) -> None:
        domain = self._on("assign_dt_device", domid, path)
        if path not in self.dt_devices:
            raise HypercallError("assign_dt_device", ESRCH, domid=domid)
        if not domain.request.iommu:
            raise HypercallError("assign_dt_device", EINVAL, domid=domid)
        domain.devices.append(path)


def _text(argument: object) -> str:
    return ",".join(map(str, sorted(argument))) if isinstance(argument, frozenset) else str(argument)
