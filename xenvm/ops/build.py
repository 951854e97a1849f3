"""A domain in the hypervisor: vCPUs, memory, images, rings, grants and entry state. No store, no devices.

The order is Xen's where it matters (docs and headers: public/domctl.h, public/memory.h): vCPUs before the address
size, limits and page pool before RAM, grants before the store is told.
"""

from __future__ import annotations

from xenvm.errors import ConfigError, HypercallError, UnsupportedError
from xenvm.guest import layout
from xenvm.guest.blueprint import limit_for
from xenvm.guest.image import Held
from xenvm.guest.nodes import Ports
from xenvm.host.hyper import (
    PARAM_CALLBACK_IRQ,
    PARAM_CONSOLE_EVTCHN,
    PARAM_CONSOLE_PFN,
    PARAM_MONITOR_RING_PFN,
    PARAM_STORE_EVTCHN,
    PARAM_STORE_PFN,
    CreateRequest,
    VcpuContext,
)
from xenvm.ops.aside import Aside
from xenvm.types import DOM0, PAGE_SHIFT, Domid, Gfn, Gpa

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenvm.guest.blueprint import Blueprint
    from xenvm.guest.image import Source
    from xenvm.guest.layout import MemoryLayout, Region
    from xenvm.host.hyper import Hypervisor

_CALLBACK_PPI = 2 << 56 | 2 << 8 | 31
"""Event channels by a per-processor interrupt: type 2, active low, PPI 31."""
_GRANT_CONSOLE, _GRANT_STORE = 0, 1
_CONSOLE_CONNECTION = 0xC10
"""Offset of the byte that says whether somebody serves the console, in its ring page; from Xen 4.21 on."""
_GIC_NUMBERS = {"default": 0, "v2": 2, "v3": 3}


def create_request(plan: Blueprint, pool: int, ssidref: int = 0) -> CreateRequest:
    """The arguments of createdomain, for a guest in the cpupool and with the security label of these numbers."""
    spec = plan.spec
    return CreateRequest(
        uuid=plan.uuid,
        max_vcpus=spec.maxvcpus,
        gic_version=_GIC_NUMBERS[spec.gic_version],
        nr_spis=plan.nr_spis,
        max_evtchn_port=spec.max_event_channels,
        max_grant_frames=spec.max_grant_frames,
        max_maptrack_frames=spec.max_maptrack_frames,
        max_grant_version=spec.max_grant_version,
        iommu=plan.passthrough,
        cpupool=pool,
        ssidref=ssidref,
        sve_bits=spec.sve if spec.sve >= 0 else plan.facts.sve_bits or 0,
        tee=spec.tee,
        sci=spec.arm_sci,
        vpmu=spec.vpmu,
        trap_unmapped=spec.trap_unmapped_accesses,
    )


def prepare(hyper: Hypervisor, domid: Domid, plan: Blueprint) -> Ports:
    """vCPUs, limits, event channels and page pool: everything that must come before the first page."""
    hyper.set_max_vcpus(domid, plan.spec.maxvcpus)
    hyper.set_address_size(domid, plan.kernel.bits)
    hyper.set_max_mem(domid, plan.memory_limit)
    _pin(hyper, domid, plan)
    store = hyper.alloc_unbound(domid, DOM0)
    console = hyper.alloc_unbound(domid, DOM0)
    hyper.set_paging_pool(domid, plan.paging_pool)
    return Ports(store, console)


def _pin(hyper: Hypervisor, domid: Domid, plan: Blueprint) -> None:
    affinity, host = plan.spec.affinity, plan.facts.cpus
    for vcpu in range(plan.spec.maxvcpus):
        hard = affinity.hard[vcpu] if vcpu < len(affinity.hard) else None
        soft = affinity.soft[vcpu] if vcpu < len(affinity.soft) else None
        if hard is not None or soft is not None:
            hyper.set_affinity(domid, vcpu, hard and hard & host, soft and soft & host)


def populate(hyper: Hypervisor, domid: Domid, plan: Blueprint) -> None:
    """All RAM in the largest extents that fit, and the four pages shared with back ends, cleared."""
    for bank in plan.banks:
        layout.populate(bank, lambda first, order, count: hyper.populate(domid, first, order, count))
    pages = layout.MAGIC_GFNS
    if hyper.populate(domid, pages[0], 0, len(pages)) != len(pages):
        raise HypercallError("populate_physmap", 12, domid=domid, detail="no memory for the pages of the rings")
    # Fresh memory is not zero: a debug Xen fills it with a pattern, bootscrub=0 leaves what was there.
    with hyper.map_foreign(domid, pages[0], len(pages)) as mapping:
        mapping.view[:] = bytes(len(mapping.view))
        if plan.facts.release >= (4, 21):
            mapping.view[_CONSOLE_CONNECTION] = 1
    hyper.cache_flush(domid, pages[0], len(pages))
    if plan.spec.memory < plan.spec.maxmem:
        # The guest finds all of its RAM and gives the rest back; from then on this is what it may own.
        hyper.set_max_mem(domid, limit_for(plan.spec.memory))


def connect_rings(hyper: Hypervisor, domid: Domid, plan: Blueprint, rings: Ports) -> Ports:
    """Tells the guest where its rings are and lets the daemons map them; makes the vuart."""
    hyper.set_params(
        domid,
        {
            PARAM_CALLBACK_IRQ: _CALLBACK_PPI,
            PARAM_CONSOLE_PFN: layout.CONSOLE_GFN,
            PARAM_STORE_PFN: layout.XENSTORE_GFN,
            PARAM_MONITOR_RING_PFN: layout.MONITOR_GFN,
            PARAM_CONSOLE_EVTCHN: rings.console,
            PARAM_STORE_EVTCHN: rings.store,
        },
    )
    hyper.seed_grants(domid, {_GRANT_CONSOLE: (DOM0, layout.CONSOLE_GFN), _GRANT_STORE: (DOM0, layout.XENSTORE_GFN)})
    if not plan.spec.vuart:
        return rings
    return rings.replace(vuart=hyper.init_vuart(domid, layout.VUART_GFN, DOM0))


class Loader(Aside):
    """Copies the images into the guest, in a thread of its own: the copying is the kernel's work, not Python's.

    Caches are cleaned by who calls `finish`.
    """

    def __init__(self, hyper: Hypervisor, domid: Domid, segments: Sequence[tuple[Gpa, Source]]) -> None:
        self._hyper, self._domid, self._segments = hyper, domid, segments
        super().__init__(self._load_all)

    def _load_all(self) -> None:
        for start, source in self._segments:
            self._load(layout.Region(start, source.size), source)

    def _load(self, region: Region, source: Source) -> None:
        with source.open() as reader:
            self._hyper.fill(self._domid, frames(region)[0], region.size, reader.read_into, stamp=reader.stamp)

    def finish(self) -> None:
        """Waits for the images to be in place and cleans the caches, which the guest starts without."""
        super().finish()
        for start, source in self._segments:
            self._hyper.cache_flush(self._domid, *frames(layout.Region(start, source.size)))


def segments(plan: Blueprint, place: MemoryLayout, tree: bytes) -> list[tuple[Gpa, Source]]:
    """What to load and where, in increasing order."""
    found: list[tuple[Gpa, Source]] = [(plan.kernel.load, plan.kernel)]
    if place.initrd is not None and plan.ramdisk is not None:
        found.append((place.initrd.start, plan.ramdisk))
    return [*found, (place.dtb, Held(tree))]


def frames(region: Region) -> tuple[Gfn, int]:
    """First guest frame and number of frames that hold a region."""
    first = region.start >> PAGE_SHIFT
    return Gfn(first), -(-region.end >> PAGE_SHIFT) - first


def pass_through(hyper: Hypervisor, domid: Domid, plan: Blueprint) -> None:
    """The host's interrupts, pages and devices that the configuration gives to the guest."""
    for irq in plan.spec.irqs:
        hyper.bind_irq(domid, irq)
    for pages in plan.spec.iomem:
        hyper.allow_iomem(domid, pages.start, pages.count)
        hyper.map_iomem(domid, Gfn(pages.gfn), pages.start, pages.count)
    for path in plan.spec.dtdev:
        hyper.assign_dt_device(domid, path)


def entry(plan: Blueprint, place: MemoryLayout) -> VcpuContext:
    """Where vCPU 0 begins."""
    return VcpuContext(bits=plan.kernel.bits, pc=plan.kernel.entry, dtb=place.dtb)


def explain_refusal(plan: Blueprint, error: HypercallError) -> Exception:
    """A refused createdomain in the words of the configuration, where Xen's number leaves only one reason."""
    spec = plan.spec
    if error.errno == 19 and spec.gic_version != "default":
        return UnsupportedError(f"{spec.source}: gic_version={spec.gic_version}: this host has no such controller")
    if error.errno == 22 and (spec.tee != "none" or spec.arm_sci != "none"):
        wanted = f"tee={spec.tee}" if spec.tee != "none" else "arm_sci"
        return UnsupportedError(f"{spec.source}: Xen refused {wanted}: this host's firmware, or its Xen, has none")
    if error.errno == 22 and spec.maxvcpus > 8 and spec.gic_version == "default":
        return ConfigError(
            f"Xen refused {spec.maxvcpus} vCPUs; a host with a GICv2 has at most 8 for each guest", source=spec.source
        )
    return error
