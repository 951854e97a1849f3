"""One simulated domain: what Xen knows of it."""

from __future__ import annotations

from xenvm.host.hyper import CreateRequest, DomainInfo, Scheduling, VcpuContext
from xenvm.host.sim.extents import Extents
from xenvm.host.sim.grants import Grant, GrantTable
from xenvm.host.sim.memory import Ram
from xenvm.types import DOM0, Domid, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_GIB_SHIFT, _TABLE_SHIFT = 18, 9
_PLAIN = (
    *("gic", "vcpus", "bits", "pauses", "started", "code", "max_pages", "tot_pages", "pool"),
    *("cpu_time", "vuart", "cpupool", "ssidref", "claimed"),
)
"""What a snapshot has as it is."""


class SimDomain:
    """The state of a domain; the rules are those of the hypervisor's operations."""

    gpaddr_bits = 40
    """Width of guest-physical addresses, which is the machine's."""
    stale: set[Domid] | None = None
    """Where domains are noted of which something has changed."""

    def __init__(self, domid: Domid, request: CreateRequest, ram: Ram) -> None:
        self.domid, self.request, self.ram = domid, request, ram
        self.gic = request.gic_version
        self.vcpus = 0
        self.bits = 32
        """Domains begin as 32-bit ones."""
        self.pauses = 1
        self.started = self.dying = False
        self.code: int | None = None
        self.max_pages = self.tot_pages = self.held = 0
        """`held`: pages that other domains map at this moment."""
        self.pool = 0
        """Pages that page tables may take."""
        self.cpu_time = 0
        self.vuart = False
        self.cpupool, self.ssidref = request.cpupool, request.ssidref
        self.claimed = 0
        """Pages that are set aside for it."""
        self.scheduling = Scheduling()
        self.of_vcpus: dict[int, Scheduling] = {}
        """What rtds has for single vCPUs."""
        self.colors: tuple[int, ...] = ()
        self.online: set[int] = set()
        self.frames = Extents()
        self.ballooned = Extents()
        """Frames whose memory its balloon has given back."""
        self.tables: set[tuple[int, int]] = set()
        """Page tables in use: level and number."""
        self.params: dict[int, int] = {}
        self.grants = GrantTable(domid, request.max_grant_frames)
        self.entry: VcpuContext | None = None
        self.hard: dict[int, frozenset[int]] = {}
        self.soft: dict[int, frozenset[int]] = {}
        self.iomem = Extents()
        self.mapped: dict[int, int] = {}
        """Frames at which frames of devices are mapped."""
        self.irqs: set[int] = set()
        self.devices: list[str] = []

    def __setattr__(self, name: str, value: Any) -> None:
        """Whatever changes, what was said of the domain is true no more."""
        object.__setattr__(self, name, value)
        if self.stale is not None:
            self.stale.add(self.domid)

    def set_online(self, vcpu: int, online: bool) -> None:
        """Starts or stops a vCPU."""
        self.online = self.online | {vcpu} if online else self.online - {vcpu}

    @property
    def runs(self) -> bool:
        """Whether its vCPUs may run."""
        return not (self.pauses or self.dying or self.code is not None)

    @property
    def nr_spis(self) -> int:
        """Shared interrupts that it has: Xen rounds them up."""
        return (self.request.nr_spis + 31) & ~31

    @property
    def info(self) -> DomainInfo:
        """What getdomaininfo says."""
        return DomainInfo(
            self.domid,
            self.request.uuid,
            dying=self.dying,
            shutdown=self.code is not None,
            paused=self.pauses > 0,
            blocked=self.runs and self.domid != DOM0,
            running=self.domid == DOM0,
            shutdown_code=self.code,
            tot_pages=self.tot_pages,
            max_pages=self.max_pages,
            cpu_time=self.cpu_time,
            nr_online_vcpus=len(self.online),
            max_vcpu_id=self.vcpus - 1,
            outstanding_pages=self.claimed,
            ssidref=self.ssidref,
            cpupool=self.cpupool,
            gpaddr_bits=self.gpaddr_bits,
        )

    def map_ram(self, first: Gfn, order: int, count: int, gpaddr_bits: int) -> int:
        """Puts extents into the address space; how many had page tables and room."""
        room = max(0, (1 << (_mappable_bits(gpaddr_bits) - 12)) - first) >> order
        fit = min(count, room)
        tables = _tables(first, fit << order, order)
        if len(self.tables | tables) > self.pool:
            fit = self._that_fit(first, order, fit)
            tables = _tables(first, fit << order, order)
        self.tables |= tables
        end = first + (fit << order)
        if fit:
            self.frames.add(first, end)
            self.ram.forget(first, end - first)
        return fit

    def _that_fit(self, first: Gfn, order: int, count: int) -> int:
        used = set(self.tables)
        for done in range(count):
            used |= _tables(first + (done << order), 1 << order, order)
            if len(used) > self.pool:
                return done
        return count

    # Snapshots.

    def state(self) -> dict[str, Any]:
        """All of it but what others map, as JSON has it."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "request": self.request.as_dict(),
            "online": sorted(self.online),
            "frames": list(self.frames),
            "ballooned": list(self.ballooned),
            "written": list(self.ram.written),
            "tables": sorted(self.tables),
            "params": list(self.params.items()),
            "grants": [(ref, *grant.as_dict().values()) for ref, grant in self.grants.entries.items()],
            "entry": self.entry and list(self.entry.as_dict().values()),
            "affinity": [[(vcpu, sorted(cpus)) for vcpu, cpus in of.items()] for of in (self.hard, self.soft)],
            "iomem": list(self.iomem),
            "mapped": list(self.mapped.items()),
            "irqs": sorted(self.irqs),
            "devices": self.devices,
            "scheduling": self.scheduling.as_dict(),
            "of_vcpus": [(vcpu, of.as_dict()) for vcpu, of in self.of_vcpus.items()],
            "colors": list(self.colors),
        }


def domain_from(domid: Domid, state: dict[str, Any], ram: Ram) -> SimDomain:
    """What `SimDomain.state` gave."""
    domain = SimDomain(domid, CreateRequest(**state["request"]), ram)
    for name in _PLAIN:
        setattr(domain, name, state[name])
    domain.online, domain.irqs, domain.devices = set(state["online"]), set(state["irqs"]), state["devices"]
    domain.frames, domain.ballooned = Extents(state["frames"]), Extents(state["ballooned"])
    domain.iomem = Extents(state["iomem"])
    domain.tables = set(map(tuple, state["tables"]))
    domain.scheduling, domain.colors = Scheduling(**state["scheduling"]), tuple(state["colors"])
    domain.of_vcpus = {vcpu: Scheduling(**of) for vcpu, of in state["of_vcpus"]}
    domain.params, domain.mapped = dict(state["params"]), dict(state["mapped"])
    domain.grants.entries = {ref: Grant(to, gfn, readonly) for ref, to, gfn, readonly in state["grants"]}
    domain.entry = VcpuContext(*state["entry"]) if state["entry"] else None
    domain.hard, domain.soft = ({vcpu: frozenset(cpus) for vcpu, cpus in of} for of in state["affinity"])
    return domain


def _mappable_bits(gpaddr_bits: int) -> int:
    """Page tables reach further than processors, where their root is a single page."""
    if gpaddr_bits > 42:
        return 48
    return max(39, gpaddr_bits)


def _tables(first: int, pages: int, order: int) -> set[tuple[int, int]]:
    """The page tables below the root that map a range: none for 1 GiB, one a GiB for 2 MiB, one more for 4 KiB."""
    found: set[tuple[int, int]] = set()
    for level, shift in ((2, _GIB_SHIFT), (3, _TABLE_SHIFT)):
        if pages and order < shift:
            found.update((level, number) for number in range(first >> shift, ((first + pages - 1) >> shift) + 1))
    return found
