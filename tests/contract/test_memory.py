"""What every hypervisor does with memory, event channels, parameters and grants."""

from __future__ import annotations

from errno import EINVAL, ENOSPC, EPERM, ESRCH

from tests.contract.conftest import MIB, RAM, Guests
from tests.contract.refusals import refused
from tests.contract.test_domains import NOBODY
from xenvm.host.hyper import PARAM_CALLBACK_IRQ, PARAM_CONSOLE_PFN, PARAM_STORE_PFN, Hypervisor
from xenvm.types import DOM0, PAGE_SIZE, Gfn, KiB

MAGIC = Gfn(0x39000)


def pages(hyper: Hypervisor, domid: int) -> int:
    return next(info.tot_pages for info in hyper.domains() if info.domid == domid)


def test_the_limit_shows_as_a_short_count(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    hyper.set_max_mem(domid, KiB(5 * 1024))
    assert hyper.populate(domid, RAM, 9, 4) == 2
    assert pages(hyper, domid) == 4 * MIB
    assert hyper.populate(domid, Gfn(RAM + 4 * MIB), 0, 4 * MIB) == MIB


def test_no_limit_is_no_memory(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    assert hyper.populate(domid, RAM, 0, 1) == 0
    assert hyper.populate(NOBODY, RAM, 0, 1) == 0


def test_the_pool_of_page_tables(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    hyper.set_max_vcpus(domid, 1)
    hyper.set_address_size(domid, 64)
    hyper.set_max_mem(domid, KiB(8192))
    refused(EINVAL, hyper.set_paging_pool, domid, 100)
    given = hyper.populate(domid, RAM, 9, 1)
    if hyper.version.release < (4, 18):
        assert given == 1  # Xen itself has put some pages there
    else:
        # What could not be mapped stays the domain's, for ever.
        assert given == 0 and pages(hyper, domid) == 2 * MIB


def test_memory_that_is_given_twice_is_paid_twice(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    assert hyper.populate(domid, RAM, 0, 4) == 4
    with hyper.map_foreign(domid, RAM, 1) as mapping:
        mapping.view[:4] = b"mine"
    assert hyper.populate(domid, RAM, 0, 1) == 1
    assert pages(hyper, domid) == 5


def test_a_window_is_the_memory_itself(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    with hyper.map_foreign(domid, Gfn(RAM + 1), 2) as one, hyper.map_foreign(domid, Gfn(RAM + 2), 1) as other:
        assert len(one.view) == 2 * PAGE_SIZE
        one.view[PAGE_SIZE : PAGE_SIZE + 5] = b"hello"
        assert bytes(other.view[:5]) == b"hello"
    refused(EINVAL, hyper.map_foreign, domid, Gfn(RAM + 8 * MIB - 1), 2)
    refused(ESRCH, hyper.map_foreign, NOBODY, RAM, 1)


def test_ram_is_read_around_its_holes(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    end = RAM + 8 * MIB
    with hyper.map_foreign(domid, Gfn(end - 1), 1) as mapping:
        mapping.view[:4] = b"last"
    ((first, data),) = hyper.read_ram(domid, Gfn(end - 2), 4)
    assert (first, len(data), data[PAGE_SIZE:][:4]) == (end - 2, 2 * PAGE_SIZE, b"last")
    assert hyper.read_ram(domid, Gfn(end), 3) == []
    refused(ESRCH, hyper.read_ram, NOBODY, RAM, 1)


def test_images_are_filled_in_and_padded(hyper: Hypervisor, guests: Guests) -> None:
    domid, size = guests.build(), 3 * PAGE_SIZE + 100
    data, at = bytes(n % 251 for n in range(size)), 0

    def read_into(view: memoryview) -> None:
        nonlocal at
        view[:] = data[at : at + len(view)]
        at += len(view)

    with hyper.map_foreign(domid, RAM, 4) as mapping:
        mapping.view[:] = b"x" * len(mapping.view)
    hyper.fill(domid, RAM, size, read_into)
    hyper.cache_flush(domid, RAM, 4)
    with hyper.map_foreign(domid, RAM, 4) as mapping:
        assert bytes(mapping.view) == data + bytes(4 * PAGE_SIZE - size)


def test_event_channels(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create(max_evtchn_port=2)
    assert [hyper.alloc_unbound(domid, DOM0), hyper.alloc_unbound(domid, DOM0)] == [1, 2]
    refused(ENOSPC, hyper.alloc_unbound, domid, DOM0)
    refused(ESRCH, hyper.alloc_unbound, NOBODY, DOM0)


def test_parameters(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    assert hyper.get_param(domid, PARAM_STORE_PFN) == 0
    hyper.set_params(domid, {PARAM_STORE_PFN: 0x39001, PARAM_CALLBACK_IRQ: 2 << 56 | 31})
    assert hyper.get_param(domid, PARAM_STORE_PFN) == 0x39001
    assert hyper.get_param(domid, PARAM_CALLBACK_IRQ) == 2 << 56 | 31
    hyper.set_params(domid, {PARAM_STORE_PFN: 0x39002})  # on ARM they can be set again
    refused(EINVAL, hyper.set_params, domid, {PARAM_CONSOLE_PFN: 1, 3: 1})
    assert hyper.get_param(domid, PARAM_CONSOLE_PFN) == 1
    refused(EINVAL, hyper.get_param, domid, 3)
    refused(ESRCH, hyper.get_param, NOBODY, PARAM_STORE_PFN)


def test_grants_are_seeded(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    hyper.seed_grants(domid, {0: (DOM0, RAM), 1: (DOM0, Gfn(RAM + 1))})
    refused(EINVAL, hyper.seed_grants, domid, {512: (DOM0, RAM)})
    refused(EINVAL, hyper.seed_grants, domid, {1: (DOM0, Gfn(1 << 32))})


def test_the_vuart_comes_before_the_first_run(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build(nr_spis=32)
    assert hyper.populate(domid, MAGIC, 0, 1) == 1
    assert hyper.init_vuart(domid, MAGIC, DOM0) > 0
    refused(EINVAL, hyper.init_vuart, domid, MAGIC, DOM0)
    other = guests.build(nr_spis=32)
    hyper.unpause(other)  # its vCPU is offline: nothing runs
    refused(EPERM, hyper.init_vuart, other, RAM, DOM0)


def test_what_dom0_itself_has_not(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    refused(EPERM, hyper.allow_iomem, domid, RAM, 1)
    refused(EPERM, hyper.map_iomem, domid, Gfn(0x1000), 0x9000, 1)
    refused(EPERM, hyper.bind_irq, domid, 5)


def test_the_host(hyper: Hypervisor) -> None:
    physical = hyper.physinfo()
    assert physical.total_pages >= physical.free_pages > 0
    assert hyper.capabilities().startswith("xen-3.0-")
    assert hyper.version_info().capabilities == hyper.capabilities()
    assert 0 in hyper.cpupools() and hyper.cpupools()[0] <= set(range(physical.max_cpu_id + 1))
    assert hyper.version_info().pagesize == PAGE_SIZE
