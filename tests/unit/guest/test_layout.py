"""Placement, extended regions and populating, against worked examples and as properties."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError, HostError
from xenvm.guest import layout
from xenvm.guest.layout import GIB, Region
from xenvm.guest.spec import IomemRange
from xenvm.types import MIB, Gpa, KiB

BASE = 0x40000000
BANK1 = 0x200000000


def mib(count: int) -> KiB:
    return KiB(count * 1024)


def region(start: int, size: int) -> Region:
    return Region(Gpa(start), size)


def pairs(regions: tuple[Region, ...]) -> list[tuple[int, int]]:
    return [(r.start, r.size) for r in regions]


# RAM banks


@pytest.mark.parametrize(
    ("kib", "banks"),
    [
        (1024, [(BASE, MIB)]),
        (512 * 1024 + 1023, [(BASE, 512 * MIB)]),
        (3 * MIB, [(BASE, 3 * GIB)]),
        (3 * MIB + 1023, [(BASE, 3 * GIB)]),
        (3 * MIB + 1024, [(BASE, 3 * GIB), (BANK1, MIB)]),
        (1019 * MIB, [(BASE, 3 * GIB), (BANK1, 1016 * GIB)]),
    ],
)
def test_bank_0_is_filled_first_with_whole_mebibytes(kib: int, banks: list[tuple[int, int]]) -> None:
    assert pairs(layout.banks_for(KiB(kib))) == banks


@pytest.mark.parametrize("kib", [-1024, 0, 1023, 1019 * MIB + 1024])
def test_sizes_that_no_guest_can_have(kib: int) -> None:
    with pytest.raises(ConfigError, match="memory"):
        layout.banks_for(KiB(kib))


def test_bank_1_must_lie_within_the_hosts_guest_addresses() -> None:
    one, two = layout.banks_for(mib(3072)), layout.banks_for(mib(3073))
    layout.check_width(one, 32)
    layout.check_width(two, 34)
    with pytest.raises(HostError, match="33-bit"):
        layout.check_width(two, 33)


def test_a_bank_may_end_exactly_at_the_width() -> None:
    full = layout.banks_for(KiB(1019 * MIB))
    layout.check_width(full, 40)
    with pytest.raises(HostError):
        layout.check_width(full, 39)


# Placement


def place(memory: int, kernel_size: int, initrd: int, dtb: int, load: int = BASE) -> layout.MemoryLayout:
    return layout.place(layout.banks_for(mib(memory)), region(load, kernel_size), initrd, dtb)


def test_the_usual_place_is_128_mib_into_ram() -> None:
    placed = place(512, 30 * MIB, 10_000_000, 1500)
    assert placed.kernel == region(BASE, 30 * MIB)
    assert placed.initrd == region(0x48000000, 10_000_000)
    assert placed.dtb == 0x4898A000


def test_small_guests_have_the_modules_at_the_end_of_ram() -> None:
    placed = place(96, 30 * MIB, 10_000_000, 1500)
    assert placed.initrd == region(0x46000000 - 0x98A000 - 0x1000, 10_000_000)
    assert placed.dtb == 0x46000000 - 0x1000


def test_in_small_guests_the_trees_size_moves_the_ramdisk() -> None:
    assert place(96, MIB, 4096, 4096).initrd == region(0x46000000 - 0x2000, 4096)
    assert place(96, MIB, 4096, 4097).initrd == region(0x46000000 - 0x3000, 4096)


def test_without_a_ramdisk_the_tree_takes_its_place() -> None:
    placed = place(512, MIB, 0, 1500)
    assert placed.initrd is None
    assert placed.dtb == 0x48000000


def test_modules_may_end_exactly_at_the_end_of_ram() -> None:
    assert place(129, MIB, MIB - 4096, 4096).dtb == 0x48000000 + MIB - 4096
    assert place(129, MIB, MIB - 4095, 4096).dtb == 0x48100000 - 4096
    assert place(129, MIB, MIB - 4095, 4096).initrd == region(0x48100000 - 4096 - MIB, MIB - 4095)


def test_a_kernel_that_reaches_128_mib_sends_the_modules_to_the_end() -> None:
    assert place(512, 126 * MIB, 0, 4096).dtb == 0x48000000
    assert place(512, 126 * MIB + 1, 0, 4096).dtb == BASE + 512 * MIB - 4096


def test_the_kernels_end_is_rounded_as_an_address() -> None:
    """A zImage at 32 KiB into RAM that is 2 MiB less 32 KiB long ends on the boundary, not behind it."""
    exact = 2 * MIB - 0x8000
    assert place(3, exact, 0, 4096, load=BASE + 0x8000).dtb == BASE + 3 * MIB - 4096
    with pytest.raises(ConfigError):
        place(3, exact + 1, 0, 4096, load=BASE + 0x8000)


def test_there_must_be_room_between_kernel_and_modules() -> None:
    assert place(5, 4 * MIB, MIB - 8192, 4096).dtb == BASE + 5 * MIB - 4096
    with pytest.raises(ConfigError, match="not enough memory"):
        place(5, 4 * MIB, MIB - 4096, 4096)


def test_the_second_bank_is_never_used_for_images() -> None:
    with pytest.raises(ConfigError, match="first bank has 3072 MiB"):
        place(8192, GIB, 2 * GIB, 4096)


@settings(max_examples=100)
@given(
    memory=st.integers(1, 8192),
    kernel_size=st.integers(64, GIB),
    load=st.integers(0, 512).map(lambda n: BASE + n * 4096),
    initrd=st.one_of(st.just(0), st.integers(1, GIB), st.integers(1, 64 * MIB)),
    dtb=st.integers(64, MIB),
)
def test_segments_never_overlap_and_lie_in_bank_0(
    memory: int, kernel_size: int, load: int, initrd: int, dtb: int
) -> None:
    try:
        placed = place(memory, kernel_size, initrd, dtb, load)
    except ConfigError:
        room = min(memory, 3072) * MIB - (layout.round_up(load + kernel_size, 2 * MIB) - BASE)
        assert room <= layout.round_up(initrd, 4096) + layout.round_up(dtb, 4096)
        return
    segments = [placed.kernel, *([placed.initrd] if placed.initrd else []), Region(placed.dtb, dtb)]
    assert placed.banks[0].start <= segments[0].start
    for before, after in pairwise(segments):
        assert layout.round_up(before.end, 4096) <= after.start
        assert after.start % 4096 == 0
    assert segments[-1].end <= placed.banks[0].end


# Extended regions


@pytest.mark.parametrize(
    ("memory", "bits", "expected"),
    [
        (512, 40, [(0x60000000, 0xA0000000), (BANK1, 0xFE00000000)]),
        (1024, 40, [(0x80000000, 0x80000000), (BANK1, 0xFE00000000)]),
        (4096, 40, [(0x240000000, 0xFDC0000000)]),
        (511, 40, [(0x60000000, 0xA0000000), (BANK1, 0xFE00000000)]),
        (512, 33, [(0x60000000, 0xA0000000)]),
        (512, 34, [(0x60000000, 0xA0000000), (BANK1, 0x200000000)]),
        (512, 48, [(0x60000000, 0xA0000000), (BANK1, 0xFE00000000)]),
        (3072, 33, []),
        (3072 - 64, 33, [(0xFC000000, 64 * MIB)]),
        (3072 - 63, 33, []),
        (512, 30, []),
    ],
)
def test_address_space_without_ram(memory: int, bits: int, expected: list[tuple[int, int]]) -> None:
    for xen in ((4, 16), (4, 20), (4, 21)):
        assert pairs(layout.extended_regions(layout.banks_for(mib(memory)), bits, xen)) == expected


def extended(xen: tuple[int, int], *iomem: tuple[int, int], bits: int = 33) -> list[tuple[int, int]]:
    """Regions of a guest whose RAM ends at 0x60000000, with iomem as (address, size)."""
    ranges = [IomemRange(start=0, count=size >> 12, gfn=start >> 12) for start, size in iomem]
    return pairs(layout.extended_regions(layout.banks_for(mib(512)), bits, xen, ranges))


def test_before_4_16_there_are_none() -> None:
    assert extended((4, 15)) == []


def test_before_4_21_iomem_is_not_considered() -> None:
    assert extended((4, 20), (0x80000000, 4096)) == [(0x60000000, 0xA0000000)]


@pytest.mark.parametrize(
    ("iomem", "expected"),
    [
        ([(0x80000000, 4096)], [(0x60000000, 0x20000000), (0x80001000, 0x7FFFF000)]),
        ([(0x09000000, 4096)], [(0x60000000, 0xA0000000)]),
        ([(0x60000000, 4096)], [(0x60001000, 0x9FFFF000)]),
        ([(0x50000000, 0x20000000)], [(0x70000000, 0x90000000)]),
        ([(0x63FFF000, 4096)], [(0x64000000, 0x9C000000)]),
        ([(0x64000000, 4096)], [(0x60000000, 64 * MIB), (0x64001000, 0x9BFFF000)]),
        ([(0xF0000000, 0x20000000)], [(0x60000000, 0x90000000)]),
        ([(0x50000000, 0x10000000)], [(0x60000000, 0xA0000000)]),
        ([(0x40000000, 0x200000000)], []),
        (
            [(0xA0000000, 4096), (0x80000000, 4096)],
            [(0x60000000, 0x20000000), (0x80001000, 0x1FFFF000), (0xA0001000, 0x5FFFF000)],
        ),
    ],
)
def test_from_4_21_iomem_is_cut_out(iomem: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    assert extended((4, 21), *iomem) == expected


def test_there_are_never_more_than_256() -> None:
    holes = [(BANK1 + n * 128 * MIB, 4096) for n in range(1, 400)]
    found = extended((4, 21), *holes, bits=40)
    assert len(found) == 256
    assert found[1] == (BANK1, 128 * MIB)


# Populating


class Host:
    """Gives extents as a host with so much memory would; remembers the calls and what is populated."""

    def __init__(self, pages: int, refuse: frozenset[int] = frozenset(), most: int = 1 << 30) -> None:
        self.free, self.refuse, self.most = pages, refuse, most
        self.calls: list[tuple[int, int, int]] = []
        self.next: int | None = None

    def give(self, first: int, order: int, count: int) -> int:
        self.calls.append((first, order, count))
        assert count > 0
        assert first % (1 << order) == 0
        assert self.next in (None, first), "a hole, or a frame twice"
        given = 0 if order in self.refuse else min(count, self.free >> order, self.most)
        self.free -= given << order
        self.next = first + (given << order)
        return given


def populate(size: int, host: Host, start: int = BASE) -> list[tuple[int, int, int]]:
    layout.populate(region(start, size), host.give)
    assert host.next == (start + size) >> 12
    return host.calls


def test_whole_gibibytes_come_first_then_2_mib_then_pages() -> None:
    calls = populate(GIB + 3 * MIB, Host(1 << 30))
    assert calls == [(0x40000, 18, 1), (0x80000, 9, 1), (0x80200, 0, 256)]


def test_4600_mib_as_seen_on_a_real_host() -> None:
    host = Host(1 << 30)
    for bank in layout.banks_for(mib(4600)):
        host.next = None
        layout.populate(bank, host.give)
    assert host.calls == [(0x40000, 18, 3), (0x200000, 18, 1), (0x240000, 9, 252)]


def test_256_mib_is_one_call() -> None:
    assert populate(256 * MIB, Host(1 << 30)) == [(0x40000, 9, 128)]


def test_a_window_is_4_gib_long() -> None:
    assert populate(9 * GIB, Host(1 << 30), BANK1) == [(0x200000, 18, 4), (0x300000, 18, 4), (0x400000, 18, 1)]


def test_smaller_extents_follow_refused_ones() -> None:
    assert populate(GIB, Host(1 << 30, frozenset({18}))) == [(0x40000, 18, 1), (0x40000, 9, 512)]


def test_pages_are_asked_for_in_bounded_arrays() -> None:
    calls = populate(32 * MIB + MIB, Host(1 << 30, frozenset({9})))
    assert calls == [(0x40000, 9, 16), (0x40000, 0, 4096), (0x41000, 0, 4096), (0x42000, 0, 256)]


def test_after_a_short_count_larger_extents_are_tried_again_where_they_fit() -> None:
    calls = populate(4 * MIB, Host(1 << 30, most=1))
    assert calls == [(0x40000, 9, 2), (0x40200, 9, 1)]


def test_from_an_odd_frame_pages_lead_to_the_next_boundary_only() -> None:
    calls = populate(5 * MIB, Host(1 << 30), BASE + MIB)
    assert calls == [(0x40100, 0, 256), (0x40200, 9, 2)]


def test_no_memory_is_an_error_that_says_how_far_it_came() -> None:
    host = Host((6 * MIB) >> 12)
    with pytest.raises(HostError, match="Xen gave 6 of the 16 MiB at 0x40000000"):
        layout.populate(region(BASE, 16 * MIB), host.give)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 3000), most=st.integers(1, 700), refuse=st.sampled_from([(), (18,), (9,), (18, 9)]))
def test_any_host_that_gives_something_is_enough(size: int, most: int, refuse: tuple[int, ...]) -> None:
    populate(size * MIB, Host(1 << 30, frozenset(refuse), most))


# Sizes for createdomain and the page pool


@pytest.mark.parametrize(("memory", "vcpus", "kib"), [(512, 1, 3584), (128, 1, 2048), (4096, 4, 20992)])
def test_page_pool(memory: int, vcpus: int, kib: int) -> None:
    assert layout.paging_pool_bytes(mib(memory), vcpus) == kib * 1024


@pytest.mark.parametrize(
    ("irqs", "vuart", "wanted", "expected"),
    [
        ((), False, None, 0),
        ((), True, None, 1),
        ((16, 31), False, None, 0),
        ((32,), False, None, 1),
        ((40, 100, 27), True, None, 69),
        ((40,), False, 64, 64),
        ((), False, 0, 0),
    ],
)
def test_shared_interrupts(irqs: tuple[int, ...], vuart: bool, wanted: int | None, expected: int) -> None:
    for xen in ((4, 20), (4, 21)):
        assert layout.spis_for(irqs, vuart, xen, wanted) == expected


def test_too_few_shared_interrupts_are_raised_before_4_21_and_refused_since() -> None:
    assert layout.spis_for((100,), False, (4, 20), 32) == 69
    with pytest.raises(ConfigError, match="nr_spis=32 is too small"):
        layout.spis_for((100,), False, (4, 21), 32)


def test_the_vuarts_interrupt_cannot_be_a_physical_one() -> None:
    assert layout.spis_for((32,), False, (4, 20)) == 1
    with pytest.raises(ConfigError, match="vuart"):
        layout.spis_for((32,), True, (4, 20))
