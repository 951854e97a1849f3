"""Where everything lies in a guest's physical address space, and how its RAM is asked for.

The map is that of Xen's public/arch-arm.h (GUEST_* constants: not an ABI for guests, but shared by Xen and its tools);
the placement of kernel, ramdisk and device tree gives the addresses that libxenguest would.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import ConfigError, HostError
from xenvm.types import MIB, PAGE_SHIFT, PAGE_SIZE, Gfn, Gpa, KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from xenvm.guest.spec import IomemRange

GIB = 1 << 30


class Region(Value):
    """A range of guest-physical addresses, in bytes."""

    start: Gpa
    size: int

    @property
    def end(self) -> Gpa:
        """The first address behind it."""
        return Gpa(self.start + self.size)


GICD = Gpa(0x03001000)
GICV2_CPU = Gpa(0x03002000)
_GICV2_CPU_SIZE = 0x2000
GICV3_REDISTRIBUTORS = Region(Gpa(0x03020000), 0x1000000)
VUART = Region(Gpa(0x22000000), 0x1000)
VIRTIO = Region(Gpa(0x02000000), 0x100000)
"""Registers of virtio-mmio devices."""
GRANT_TABLE = Region(Gpa(0x38000000), 0x1000000)
"""Addresses where the guest may map its grant table."""
RAM_BANKS = (Region(Gpa(0x40000000), 3 * GIB), Region(Gpa(0x200000000), 1016 * GIB))

CONSOLE_GFN = Gfn(0x39000)
XENSTORE_GFN = Gfn(0x39001)
MONITOR_GFN = Gfn(0x39002)
VUART_GFN = Gfn(0x39003)
MAGIC_GFNS = (CONSOLE_GFN, XENSTORE_GFN, MONITOR_GFN, VUART_GFN)
"""Pages shared with back ends; populated apart from RAM."""

VUART_SPI = 32
FIRST_SPI = 32
VIRTIO_SPI = 33
MAX_VIRTIOS = 11
GIC_PHANDLE = 65000

_MODULES_START = Gpa(RAM_BANKS[0].start + 128 * MIB)
_MIN_EXTENDED = 64 * MIB
_MAX_EXTENDED = 256
_WINDOW_PAGES = 1 << 20
_ORDERS = (18, 9, 0)
_ORDER_STEP = 9
_MAX_EXTENTS = 4096


class MemoryLayout(Value):
    """RAM and what is loaded into it: all segments in bank 0, in increasing order, each starting on a page."""

    banks: tuple[Region, ...]
    kernel: Region
    """Exactly the data, as `initrd` is."""
    initrd: Region | None
    dtb: Gpa


def round_up(size: int, unit: int) -> int:
    """The least multiple of `unit`, a power of two, that is not below `size`."""
    return (size + unit - 1) & -unit


def banks_for(maxmem: KiB) -> tuple[Region, ...]:
    """The one or two RAM banks of a guest, whole MiB, bank 0 filled first. ConfigError: no RAM, or over 1019 GiB."""
    left = maxmem // 1024 * MIB
    if left <= 0:
        raise ConfigError("the guest has no memory: it needs at least 1 MiB")
    banks = []
    for place in RAM_BANKS:
        banks.append(Region(place.start, min(left, place.size)))
        left -= banks[-1].size
    if left:
        raise ConfigError(f"{maxmem // 1024} MiB of memory are too much: a guest can have {1019 * 1024} MiB")
    return tuple(bank for bank in banks if bank.size)


def check_width(banks: Sequence[Region], gpaddr_bits: int) -> None:
    """HostError if RAM reaches beyond the host's guest-physical addresses of `gpaddr_bits` bits."""
    if banks[-1].end > 1 << gpaddr_bits:
        total = sum(bank.size for bank in banks) // MIB
        raise HostError(f"{total} MiB of memory are too much for this host's {gpaddr_bits}-bit guest addresses")


def occupied(banks: Sequence[Region], gic: str, vuart: bool) -> Iterator[tuple[str, Region]]:
    """What lies where in a guest of these banks, apart from extended regions and iomem; `gic` as in xl.cfg."""
    magic = Gpa(MAGIC_GFNS[0] << PAGE_SHIFT)
    yield "its interrupt controller", Region(GICD, GICV2_CPU + _GICV2_CPU_SIZE - GICD)
    if gic != "v2":
        yield "its interrupt controller", GICV3_REDISTRIBUTORS
    if vuart:
        yield "its vuart", VUART
    yield "its grant table", GRANT_TABLE
    yield "the pages of its console and store", Region(magic, len(MAGIC_GFNS) * PAGE_SIZE)
    yield from (("its memory", bank) for bank in banks)


def check_iomem(taken: Iterable[tuple[str, Region]], iomem: Iterable[IomemRange]) -> None:
    """ConfigError where pages of devices would hide something of the guest's own, or each other."""
    taken = list(taken)
    for one in iomem:
        region = Region(Gpa(one.gfn << PAGE_SHIFT), one.count << PAGE_SHIFT)
        for what, other in taken:
            if region.start < other.end and other.start < region.end:
                raise ConfigError(f"iomem at {region.start:#x} would lie over {what} at {other.start:#x}")
        taken.append(("other iomem", region))


def place(banks: tuple[Region, ...], kernel: Region, initrd_size: int, dtb_size: int) -> MemoryLayout:
    """Places ramdisk (0: none) and device tree behind a kernel whose load address is fixed.

    `dtb_size` is that of libxl's first draft of the tree. ConfigError when the three do not fit into bank 0.
    """
    initrd_room = round_up(initrd_size, PAGE_SIZE)
    modules = initrd_room + round_up(dtb_size, PAGE_SIZE)
    kernel_end = round_up(kernel.end, 2 * MIB)
    ram_end = banks[0].end
    if kernel_end < _MODULES_START and _MODULES_START + modules <= ram_end:
        start = _MODULES_START
    elif kernel_end < ram_end - modules:
        start = Gpa(ram_end - modules)
    else:
        need = (kernel_end - banks[0].start + modules) / MIB
        raise ConfigError(
            f"not enough memory: kernel, ramdisk and device tree need more than {need:.1f} MiB,"
            f" the guest's first bank has {banks[0].size // MIB} MiB"
        )
    initrd = Region(start, initrd_size) if initrd_size else None
    return MemoryLayout(banks, kernel, initrd, Gpa(start + initrd_room))


def extended_regions(
    banks: Sequence[Region], gpaddr_bits: int, xen: tuple[int, int], iomem: Iterable[IomemRange] = ()
) -> tuple[Region, ...]:
    """Address space without RAM that the guest may use for foreign and grant mappings; none before Xen 4.16.

    From Xen 4.21 on the `iomem` ranges are cut out.
    """
    if xen < (4, 16):
        return ()
    holes = sorted((r.gfn << PAGE_SHIFT, (r.gfn + r.count) << PAGE_SHIFT) for r in iomem) if xen >= (4, 21) else []
    found: list[Region] = []
    for number, bank in enumerate(RAM_BANKS):
        used = banks[number].size if number < len(banks) else 0
        start = bank.start + round_up(used, 2 * MIB)
        found += _without_holes(start, min(1 << gpaddr_bits, bank.end), holes)
    return tuple(found[:_MAX_EXTENDED])


def _without_holes(start: int, end: int, holes: Iterable[tuple[int, int]]) -> Iterator[Region]:
    for first, behind in holes:
        if start >= end:
            return
        if behind <= start or first >= end:
            continue
        if first - start >= _MIN_EXTENDED:
            yield Region(Gpa(start), first - start)
        start = behind
    if end - start >= _MIN_EXTENDED:
        yield Region(Gpa(start), end - start)


def populate(bank: Region, give: Callable[[Gfn, int, int], int]) -> None:
    """Fills a bank with RAM in extents as large as Xen has them: 1 GiB, 2 MiB, 4 KiB.

    ``give(first, order, count)`` asks for `count` extents of 2**order pages and returns how many came (0..count).
    HostError when not even a single page comes.
    """
    gfn, end = bank.start >> PAGE_SHIFT, bank.end >> PAGE_SHIFT
    while gfn < end:
        given = _populate_some(gfn, min(end, gfn + _WINDOW_PAGES), give)
        if not given:
            had = ((gfn << PAGE_SHIFT) - bank.start) // MIB
            raise HostError(f"not enough free memory: Xen gave {had} of the {bank.size // MIB} MiB at {bank.start:#x}")
        gfn += given


def _populate_some(gfn: int, end: int, give: Callable[[Gfn, int, int], int]) -> int:
    """One round over the orders; the pages that came from the first order that gave any."""
    for order in _ORDERS:
        if gfn & ((1 << order) - 1):
            continue
        larger = 1 << (order + _ORDER_STEP)
        # Stop where a larger extent could start; if one could start right here, it was just refused.
        limit = min(end, round_up(gfn, larger)) if gfn & (larger - 1) else end
        if given := _populate_order(gfn, order, (limit - gfn) >> order, give):
            return given << order
    return 0


def _populate_order(gfn: int, order: int, count: int, give: Callable[[Gfn, int, int], int]) -> int:
    """Up to `count` extents of one order, in calls of bounded arrays; ends at the first short answer."""
    done = 0
    while done < count:
        ask = min(count - done, _MAX_EXTENTS)
        given = give(Gfn(gfn + (done << order)), order, ask)
        done += given
        if given < ask:
            break
    return done


def paging_pool_bytes(maxmem: KiB, vcpus: int) -> int:
    """Size of the pool for the guest's p2m page tables, as xl computes it: 3584 KiB for 1 vCPU and 512 MiB."""
    return 4 * (256 * vcpus + maxmem // 1024 + 128) * 1024


def spis_for(
    irqs: Sequence[int], vuart: bool, xen: tuple[int, int], wanted: int | None = None, virtios: int = 0
) -> int:
    """How many shared interrupts a guest's GIC must have for its physical `irqs`, its vuart and its virtio devices.

    ConfigError: an irq is another device's, or `wanted` is too few (Xen's tools before 4.21 raise it silently instead).
    """
    if vuart and VUART_SPI in irqs:
        raise ConfigError(f"irq {VUART_SPI} is the vuart's own interrupt")
    last = VIRTIO_SPI + virtios - 1
    for irq in irqs:
        if VIRTIO_SPI <= irq <= last:
            raise ConfigError(f"irq {irq} is the interrupt of a virtio device: those are {VIRTIO_SPI} to {last}")
    highest = max((irq for irq in irqs if irq >= FIRST_SPI), default=FIRST_SPI - 1)
    needed = max(highest - FIRST_SPI + 1, int(vuart), last - FIRST_SPI + 1 if virtios else 0)
    if wanted is not None and wanted < needed and xen >= (4, 21):
        raise ConfigError(f"nr_spis={wanted} is too small: the guest's interrupts need {needed}")
    return max(needed, wanted or 0)
