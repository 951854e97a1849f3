"""The Hypervisor contract: the one signature that real Xen and the simulated one both have.

Every call is one hypercall or a fixed small number of them; the semantics and error numbers are Xen's (public
headers domctl.h, memory.h, event_channel.h, hvm/params.h). Failures are :class:`xenvm.errors.HypercallError` with the
operation's name, the domid and Xen's errno.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.types import Domid, Gfn, KiB, Port, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from xenvm.host.admin import XenControl
    from xenvm.host.pools import PoolControl
else:
    Protocol = object

# enum xen HVM parameters that a toolstack sets on ARM (public/hvm/params.h).
PARAM_CALLBACK_IRQ = 0
PARAM_STORE_PFN = 1
PARAM_STORE_EVTCHN = 2
PARAM_CONSOLE_PFN = 17
PARAM_CONSOLE_EVTCHN = 18
PARAM_MONITOR_RING_PFN = 28

SHUTDOWN_REASONS = ("poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset")
"""Names of the shutdown codes 0..5 (public/sched.h)."""


class XenVersion(Value):
    """Version of a hypervisor; structures are chosen by (major, minor)."""

    major: int
    minor: int
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}{self.extra}"

    @property
    def release(self) -> tuple[int, int]:
        """(major, minor), which compares."""
        return self.major, self.minor


class VersionInfo(Value):
    """The texts of the xen_version hypercall."""

    capabilities: str
    """For instance ``xen-3.0-aarch64 xen-3.0-armv7l``."""
    changeset: str = ""
    commandline: str = ""
    compiler: str = ""
    compile_by: str = ""
    compile_domain: str = ""
    compile_date: str = ""
    build_id: str = ""
    pagesize: int = 4096
    virt_start: int = 0
    """Where Xen's own address space begins, as it tells (platform_parameters)."""


class PhysInfo(Value):
    """The host's resources (sysctl physinfo); memory in pages of 4 KiB."""

    nr_cpus: int
    max_cpu_id: int
    total_pages: int
    free_pages: int
    scrub_pages: int = 0
    outstanding_pages: int = 0
    threads_per_core: int = 1
    cores_per_socket: int = 1
    nr_nodes: int = 1
    cpu_khz: int = 0
    capabilities: int = 0
    """Bits: 0 hvm, 1 pv, 2 directio (IOMMU), 3 hap, 4 shadow, 5 iommu_hap_pt_share, 6 vmtrace, 7 vpmu, 8 gnttab_v1,
    9 gnttab_v2."""
    arch_capabilities: int = 0
    hw_cap: tuple[int, ...] = (0,) * 8

    @property
    def directio(self) -> bool:
        """Whether Xen drives an IOMMU."""
        return bool(self.capabilities & 4)

    @property
    def vpmu(self) -> bool:
        """Whether guests can have performance counters; before 4.16 Xen does not tell."""
        return bool(self.capabilities & 1 << 7)

    @property
    def sve_bits(self) -> int:
        """The longest vectors that guests can have; 0: no SVE, or a Xen before 4.18."""
        return (self.arch_capabilities & 0x1F) * 128

    @property
    def free_kib(self) -> KiB:
        """Memory that guests can have."""
        return KiB((self.free_pages + self.scrub_pages) * 4)


class DomainInfo(Value):
    """State of one domain (domctl getdomaininfo); memory in pages of 4 KiB, times in nanoseconds."""

    domid: Domid
    uuid: str
    dying: bool = False
    shutdown: bool = False
    paused: bool = False
    blocked: bool = False
    running: bool = False
    shutdown_code: int | None = None
    """Index into SHUTDOWN_REASONS, None while the domain has not shut down."""
    tot_pages: int = 0
    max_pages: int = 0
    outstanding_pages: int = 0
    cpu_time: int = 0
    nr_online_vcpus: int = 0
    max_vcpu_id: int = -1
    """-1 while the domain has no vCPUs yet."""
    ssidref: int = 0
    cpupool: int = 0
    gpaddr_bits: int = 40
    """Width of guest-physical addresses in bits; 40 where Xen does not tell (before 4.16)."""


class Scheduling(Value):
    """A domain's parameters for the scheduler of its cpupool; None: unchanged, or not the scheduler's."""

    weight: int | None = None
    """credit and credit2, as `cap` is."""
    cap: int | None = None
    """Percent of one CPU; 0: no limit."""
    period: int | None = None
    """Microseconds, as `budget` is; rtds."""
    budget: int | None = None
    extratime: bool | None = None


class VcpuInfo(Value):
    """State of one vCPU (domctl getvcpuinfo and getvcpuaffinity)."""

    vcpu: int
    online: bool
    blocked: bool
    running: bool
    cpu_time: int
    cpu: int
    hard: frozenset[int] = frozenset()
    soft: frozenset[int] = frozenset()


class CreateRequest(Value):
    """Arguments of createdomain, in meaning rather than layout."""

    uuid: str
    max_vcpus: int
    gic_version: int = 0
    """0 native, 2 or 3."""
    nr_spis: int = 0
    max_evtchn_port: int = 1023
    max_grant_frames: int = -1
    max_maptrack_frames: int = -1
    max_grant_version: int = 1
    iommu: bool = False
    cpupool: int = 0
    ssidref: int = 0
    domid: Domid | None = None
    """A wanted domid, or None: Xen chooses."""
    sve_bits: int = 0
    """Length of vectors, a multiple of 128; 0: none. From Xen 4.18 on."""
    tee: str = "none"
    """none, optee or ffa, which is known from 4.18 on."""
    sci: str = "none"
    """none or scmi_smc; from 4.21 on."""
    vpmu: bool = False
    """From 4.16 on."""
    trap_unmapped: bool = True
    """Whether accesses to unmapped addresses fault, as they always do before 4.21."""


class Created(Value):
    """What createdomain returns."""

    domid: Domid
    gic_version: int
    """2 or 3, never 0."""
    clock_frequency: int
    """0: do not tell the guest."""


class VcpuContext(Value):
    """Entry state of vCPU 0; all other registers are zero, MMU and caches off."""

    bits: int
    """64 or 32."""
    pc: int
    dtb: int
    """Guest-physical address of the device tree: x0, or r2 of a 32-bit guest."""


class Hypervisor(Protocol):
    """What a toolstack asks of a hypervisor."""

    version: XenVersion

    def version_info(self) -> VersionInfo:
        """The texts of the xen_version hypercall."""

    def capabilities(self) -> str:
        """What guests this Xen can run, as it says it: ``xen-3.0-aarch64 xen-3.0-armv7l ``."""

    def physinfo(self) -> PhysInfo:
        """Resources of the host."""

    def scheduler(self) -> str:
        """Name of the host's default scheduler: credit, credit2, rtds, null, arinc653."""

    def free_cpus(self) -> int:
        """How many CPUs are in no cpupool."""

    def cpupools(self) -> dict[int, frozenset[int]]:
        """CPUs of each cpupool by its number."""

    def pool_scheduler(self, pool: int) -> str:
        """Name of a cpupool's scheduler; ENOENT if there is no such pool."""

    @property
    def pools(self) -> PoolControl:
        """What changes cpupools."""

    @property
    def admin(self) -> XenControl:
        """What asks and changes Xen's security policy, and the device tree that it knows."""

    def console_ring(self, *, clear: bool = False) -> bytes:
        """Xen's own log (``xl dmesg``)."""

    def debug_keys(self, keys: bytes) -> None:
        """Has Xen act as if these keys were typed on its console."""

    def domains(self) -> list[DomainInfo]:
        """All domains, in the order of their domids."""

    def domain(self, domid: Domid) -> DomainInfo | None:
        """One domain, or None if there is none with exactly this domid."""

    def vcpus(self, domid: Domid) -> list[VcpuInfo]:
        """All vCPUs of a domain, offline ones too."""

    def create(self, request: CreateRequest) -> Created:
        """Makes a domain: paused, no vCPUs, no memory."""

    def destroy(self, domid: Domid) -> None:
        """Ends a domain; returns when its memory is given back or held only by other domains' mappings."""

    def pause(self, domid: Domid) -> None:
        """Raises the pause count by one."""

    def unpause(self, domid: Domid) -> None:
        """Lowers the pause count by one; EINVAL when it is zero."""

    def shutdown(self, domid: Domid, reason: int) -> None:
        """Stops all vCPUs and latches `reason` (SCHEDOP_remote_shutdown)."""

    def resume(self, domid: Domid) -> None:
        """Clears the shutdown state of a suspended domain."""

    def set_max_vcpus(self, domid: Domid, count: int) -> None:
        """Allocates the vCPUs; `count` must be that of `create`. Before `set_address_size`."""

    def set_address_size(self, domid: Domid, bits: int) -> None:
        """64 or 32. Only after `set_max_vcpus` and before the first page: an implementation refuses the wrong order,
        which would bring the whole host down."""

    def set_max_mem(self, domid: Domid, limit: KiB) -> None:
        """How much memory the domain may own."""

    def set_paging_pool(self, domid: Domid, size: int) -> None:
        """Size in bytes of the pool of p2m page tables; a multiple of 4096."""

    def set_affinity(
        self,
        domid: Domid,
        vcpu: int,
        hard: frozenset[int] | None,
        soft: frozenset[int] | None,
        *,
        force: bool = False,
    ) -> None:
        """Where a vCPU may run; None leaves that half alone. `force` ends a pinning for a moment by dom0's kernel."""

    def scheduling(self, domid: Domid) -> Scheduling:
        """A domain's parameters for its scheduler; all None if it has none. rtds tells its defaults."""

    def set_scheduling(self, domid: Domid, wanted: Scheduling) -> None:
        """Changes what is not None; EINVAL if the domain's scheduler has no such parameter, or refuses the value."""

    def set_llc_colors(self, domid: Domid, colors: tuple[int, ...]) -> None:
        """Which parts of the last-level cache its memory may use; before the first page. EOPNOTSUPP: no coloring."""

    def security_id(self, label: str) -> int:
        """The number of a security label. ENOSYS: this Xen has no Flask; EINVAL: its policy has no such label."""

    def relabel(self, domid: Domid, ssidref: int) -> None:
        """Gives a domain another security label."""

    def claim(self, domid: Domid, pages: int) -> None:
        """Sets memory aside for a domain, up to `pages` in all; 0 gives back what it has not taken. ENOMEM: not so
        much is free; EINVAL: more than its limit, or not more than it has. Another error for nobody: EINVAL."""

    def populate(self, domid: Domid, first: Gfn, order: int, count: int) -> int:
        """Gives RAM: up to `count` extents of 2**order pages from `first` on. Returns how many were given, 0..count:
        a short count is Xen's only sign of no memory."""

    def map_foreign(self, domid: Domid, first: Gfn, count: int) -> ForeignMapping:
        """Maps `count` pages of a domain from `first` on, writable, all or none (EINVAL: not RAM; ESRCH)."""

    def read_ram(self, domid: Domid, first: Gfn, count: int) -> list[tuple[Gfn, bytes]]:
        """Copies those of `count` pages from `first` on that the domain has, as runs; of a paused domain, or the pages
        are of different moments."""

    def fill(
        self,
        domid: Domid,
        first: Gfn,
        size: int,
        read_into: Callable[[memoryview], None],
        stamp: Stamp | None = None,
    ) -> None:
        """Fills memory of a domain that is not yet started, from the frame `first` on, with `size` bytes and zeros up
        to the end of the last page. `read_into` is given one writable view after the other, and fills each. EINVAL: no
        size; EFAULT, or EINVAL where pages are mapped: not RAM.

        `stamp`: two fills with the same one are given the same bytes, so they need not be read again.
        """

    def cache_flush(self, domid: Domid, first: Gfn, count: int) -> None:
        """Cleans and invalidates the caches for guest pages that were written; any count."""

    def alloc_unbound(self, domid: Domid, remote: Domid) -> Port:
        """A port in `domid` that `remote` can bind to; ESRCH if either is not there."""

    def set_params(self, domid: Domid, params: Mapping[int, int]) -> None:
        """Writes HVM parameters, in order."""

    def get_param(self, domid: Domid, index: int) -> int:
        """Reads one HVM parameter."""

    def seed_grants(self, domid: Domid, entries: Mapping[int, tuple[Domid, Gfn]]) -> None:
        """Writes entries of the domain's grant table: reference -> (who may map, which frame)."""

    def init_vuart(self, domid: Domid, gfn: Gfn, console: Domid) -> Port:
        """Makes Xen emulate an SBSA UART whose ring is page `gfn`; before the first unpause."""

    def set_entry(self, domid: Domid, context: VcpuContext) -> None:
        """Sets the registers of vCPU 0 and puts it online."""

    def registers(self, domid: Domid, vcpu: int) -> bytes | None:
        """The struct vcpu_guest_context of a vCPU, as this Xen has it; None of one that was never online."""

    def allow_iomem(self, domid: Domid, start: int, count: int) -> None:
        """Lets the domain have host pages mapped."""

    def map_iomem(self, domid: Domid, gfn: Gfn, start: int, count: int) -> None:
        """Maps host pages at `gfn`; any count; after `allow_iomem`."""

    def bind_irq(self, domid: Domid, irq: int) -> None:
        """Routes a host SPI to the same number in the domain."""

    def assign_dt_device(self, domid: Domid, path: str) -> None:
        """Puts a device of the host's device tree behind the domain's IOMMU context."""

    def close(self) -> None:
        """Releases the host's handles."""


class ForeignMapping(Protocol):
    """A window onto a domain's pages; a context manager that unmaps."""

    view: memoryview
    """Writable bytes of the pages, in guest order."""

    def close(self) -> None:
        """Unmaps. The view is dead afterwards."""

    def __enter__(self) -> ForeignMapping: ...

    def __exit__(self, *exc: object) -> None: ...
