"""The edges of each operation: numbers that are too large, too small, or not there."""

from __future__ import annotations

from errno import EFAULT, EINVAL, ENOBUFS, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM, ESRCH

import pytest

from tests.contract.conftest import MIB, RAM, Guests
from tests.contract.refusals import outcome, refused
from tests.contract.test_memory import pages
from xenvm.host.hyper import PARAM_CONSOLE_PFN, PARAM_STORE_PFN, Hypervisor, VcpuContext
from xenvm.types import DOM0, PAGE_SIZE, Domid, Gfn, KiB

MAGIC = Gfn(0x39000)


# Creation.


def test_a_pool_that_is_not_there(hyper: Hypervisor, guests: Guests) -> None:
    refused(ESRCH, lambda: guests.create(cpupool=77))


def test_the_uuid_may_be_anybodys(hyper: Hypervisor, guests: Guests) -> None:
    uuid = "01020304-0506-0708-090a-0b0c0d0e0f10"
    assert guests.create(uuid=uuid) != guests.create(uuid=uuid)


def test_what_a_new_domain_says_of_itself(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create(max_vcpus=3)
    hyper.set_max_mem(domid, KiB(4100))
    info, dom0 = hyper.domain(domid), hyper.domain(DOM0)
    assert info is not None and dom0 is not None
    assert (info.max_pages, info.cpupool, info.cpu_time, info.outstanding_pages) == (1025, 0, 0, 0)
    assert info.gpaddr_bits == dom0.gpaddr_bits


# vCPUs.


def test_the_number_of_vcpus(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create(max_vcpus=2)
    for count in (0, 3, 1 << 31):
        refused(EINVAL, hyper.set_max_vcpus, domid, count)
    hyper.set_max_vcpus(domid, 2)
    hyper.set_max_vcpus(domid, 2)
    assert len(hyper.vcpus(domid)) == 2


@pytest.mark.parametrize("bits", [0, 16, 128])
def test_the_width(hyper: Hypervisor, guests: Guests, bits: int) -> None:
    domid = guests.create()
    hyper.set_max_vcpus(domid, 1)
    refused(EINVAL, hyper.set_address_size, domid, bits)


def test_a_32_bit_entry(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    hyper.set_max_vcpus(domid, 1)
    refused(EINVAL, hyper.set_entry, domid, VcpuContext(32, 1 << 32, 0x48000000))
    hyper.set_entry(domid, VcpuContext(32, 0x40008000, 0x48000000))
    hyper.set_entry(domid, VcpuContext(32, 0x40008000, 0x48000000))
    refused(EINVAL, hyper.set_entry, domid, VcpuContext(64, 0x40008000, 0x48000000))
    (vcpu,) = hyper.vcpus(domid)
    assert vcpu.online


def test_affinity_of_what_is_not_there(hyper: Hypervisor, guests: Guests) -> None:
    last = hyper.physinfo().max_cpu_id
    domid = guests.create(max_vcpus=2)
    refused(ESRCH, hyper.set_affinity, domid, 0, frozenset({0}), None)  # no vCPU yet
    hyper.set_max_vcpus(domid, 2)
    refused(EINVAL, hyper.set_affinity, domid, 2, frozenset({0}), None)
    refused(EINVAL, hyper.set_affinity, domid, 0, frozenset({last + 1}), None)
    refused(EINVAL, hyper.set_affinity, domid, 0, frozenset({4000}), None)
    refused(EINVAL, hyper.set_affinity, domid, 0, None, frozenset({4000}))
    hyper.set_affinity(domid, 1, frozenset({last, last + 1}), None)
    assert hyper.vcpus(domid)[1].hard == {last}


def test_soft_affinity_may_be_to_nothing(hyper: Hypervisor, guests: Guests) -> None:
    domid, last = guests.prepare(), hyper.physinfo().max_cpu_id
    hyper.set_affinity(domid, 0, None, frozenset({last + 1}))
    assert hyper.vcpus(domid)[0].soft == set()
    hyper.set_affinity(domid, 0, frozenset({0}), frozenset[int]())
    (vcpu,) = hyper.vcpus(domid)
    assert (vcpu.hard, vcpu.soft) == ({0}, set())


def test_both_halves_at_once(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    hyper.set_affinity(domid, 0, frozenset({0, 1}), frozenset({1}))
    (vcpu,) = hyper.vcpus(domid)
    assert (vcpu.hard, vcpu.soft) == ({0, 1}, {1})


# Life.


@pytest.mark.parametrize("reason", [0, 1, 2, 3, 4, 5, 6, 254])
def test_every_reason_is_kept(hyper: Hypervisor, guests: Guests, reason: int) -> None:
    domid = guests.prepare()
    hyper.shutdown(domid, reason)
    info = hyper.domain(domid)
    assert info is not None and (info.shutdown, info.shutdown_code, info.dying) == (True, reason, False)


def test_who_is_down_can_be_paused_and_filled(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    hyper.shutdown(domid, 0)
    hyper.pause(domid)
    hyper.unpause(domid)
    assert hyper.populate(domid, MAGIC, 0, 1) == 1
    hyper.unpause(domid)
    info = hyper.domain(domid)
    assert info is not None and info.shutdown and not info.paused and not info.running


def test_resuming_who_runs_changes_nothing(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    hyper.resume(domid)
    info = hyper.domain(domid)
    assert info is not None and info.paused and not info.shutdown


# Memory.


def test_orders_and_counts(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare(16)
    assert hyper.populate(domid, RAM, 19, 1) == 0
    assert hyper.populate(domid, RAM, 0, 0) == 0
    assert pages(hyper, domid) == 0
    assert hyper.populate(domid, Gfn(RAM + 1), 9, 2) == 2, "no alignment is asked for"
    with hyper.map_foreign(domid, Gfn(RAM + 1), 1024):
        pass
    refused(EINVAL, hyper.map_foreign, domid, RAM, 1)


def test_beyond_all_addresses(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    assert hyper.populate(domid, Gfn(1 << 40), 0, 2) == 0
    assert pages(hyper, domid) == 1, "it is paid for, as where page tables are missing"


def test_a_limit_below_what_is_there(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    hyper.set_max_mem(domid, KiB(0))
    info = hyper.domain(domid)
    assert info is not None and (info.max_pages, info.tot_pages) == (0, 8 * MIB)
    assert hyper.populate(domid, MAGIC, 0, 1) == 0


def test_a_pool_that_is_in_use_cannot_shrink(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    refused(ENOMEM, hyper.set_paging_pool, domid, 0)
    hyper.set_paging_pool(domid, 2 << 20)


def test_windows_onto_nothing(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    refused(EINVAL, hyper.map_foreign, domid, Gfn(RAM - 1), 1)
    refused(EINVAL, hyper.map_foreign, domid, Gfn(RAM - 1), 2)
    refused(EINVAL, hyper.map_foreign, domid, Gfn(1 << 40), 1)
    mapping = hyper.map_foreign(domid, RAM, 1)
    mapping.close()
    mapping.close()
    with pytest.raises(ValueError):
        bytes(mapping.view)


def test_whatever_frames_are_cleaned(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    for first, count in ((RAM, 0), (Gfn(0), 1), (Gfn(RAM + 8 * MIB - 1), 2), (Gfn(1 << 40), 1)):
        hyper.cache_flush(domid, first, count)


def test_filling_what_is_not_there(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    refused(EINVAL, hyper.fill, domid, RAM, 0, lambda view: None)
    for first in (Gfn(RAM + 8 * MIB - 1), Gfn(0)):
        refused(EFAULT, hyper.fill, domid, first, 2 * PAGE_SIZE, lambda view: None)


def test_windows_onto_oneself(hyper: Hypervisor) -> None:
    assert outcome(hyper.map_foreign, DOM0, RAM, 1) in ("ESRCH", "EPERM"), "releases, or kernels, differ"


def test_memory_is_taken_from_the_host(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare(32)
    before = hyper.physinfo().free_kib
    assert hyper.populate(domid, RAM, 9, 16) == 16
    assert before - hyper.physinfo().free_kib >= 32 * 1024


# Rings.


def test_ports_are_given_in_order(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    assert [hyper.alloc_unbound(domid, remote) for remote in (DOM0, domid, DOM0)] == [1, 2, 3]
    refused(ESRCH, hyper.alloc_unbound, domid, Domid(0x7000))
    assert hyper.alloc_unbound(domid, DOM0) == 4


def test_a_domain_without_ports(hyper: Hypervisor, guests: Guests) -> None:
    refused(ENOSPC, hyper.alloc_unbound, guests.create(max_evtchn_port=0), DOM0)


def test_parameters_of_this_domain(hyper: Hypervisor) -> None:
    refused(EPERM, hyper.set_params, DOM0, {PARAM_STORE_PFN: hyper.get_param(DOM0, PARAM_STORE_PFN)})


@pytest.mark.parametrize("index", [3, 5, 16, 37, 1000])
def test_parameters_that_arm_has_not(hyper: Hypervisor, guests: Guests, index: int) -> None:
    domid = guests.create()
    refused(EINVAL, hyper.set_params, domid, {PARAM_CONSOLE_PFN: 5, index: 1})
    refused(EINVAL, hyper.get_param, domid, index)
    assert hyper.get_param(domid, PARAM_CONSOLE_PFN) == 5


def test_a_parameter_has_64_bits(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    hyper.set_params(domid, {PARAM_STORE_PFN: (1 << 64) - 1})
    assert hyper.get_param(domid, PARAM_STORE_PFN) == (1 << 64) - 1


def test_grants_before_memory(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create(max_grant_frames=1)
    hyper.seed_grants(domid, {0: (DOM0, RAM), 511: (DOM0, RAM)})
    hyper.seed_grants(domid, {0: (DOM0, Gfn(RAM + 1))})
    refused(EINVAL, hyper.seed_grants, domid, {-1: (DOM0, RAM)})


# Devices.


def test_a_vuart_needs_an_interrupt_and_a_page(hyper: Hypervisor, guests: Guests) -> None:
    refused(EINVAL, hyper.init_vuart, guests.build(), RAM, DOM0)
    domid = guests.build(nr_spis=32)
    refused(EINVAL, hyper.init_vuart, domid, MAGIC, DOM0)
    assert hyper.init_vuart(domid, RAM, DOM0) == 1


@pytest.mark.parametrize("irq", [0, 5, 31, 32, 40, 1000, 1023, 1024])
@pytest.mark.parametrize("spis", [0, 32])
def test_interrupts_that_dom0_has_not(hyper: Hypervisor, guests: Guests, irq: int, spis: int) -> None:
    refused(EPERM, hyper.bind_irq, guests.create(nr_spis=spis), irq)


def test_devices_without_an_iommu(hyper: Hypervisor, guests: Guests) -> None:
    if hyper.physinfo().directio:
        pytest.skip("this host has an IOMMU")
    refused(EINVAL, lambda: guests.create(iommu=True))
    domid = guests.create()
    for path in ("/nothing", "/memory", "", "/" * (PAGE_SIZE - 1)):
        refused(EOPNOTSUPP, hyper.assign_dt_device, domid, path)
    refused(ENOBUFS, hyper.assign_dt_device, domid, "/" * PAGE_SIZE)


# The host.


def test_what_the_host_says(hyper: Hypervisor) -> None:
    physical, texts, pools = hyper.physinfo(), hyper.version_info(), hyper.cpupools()
    assert texts.capabilities == hyper.capabilities() and texts.pagesize == PAGE_SIZE
    assert physical.nr_cpus == physical.max_cpu_id + 1 and physical.nr_nodes == 1
    assert pools[0] <= frozenset(range(physical.nr_cpus))
    assert sum(map(len, pools.values())) + hyper.free_cpus() == physical.nr_cpus
    assert hyper.scheduler() in ("credit", "credit2", "rtds", "null", "arinc653")
    assert hyper.console_ring()
    assert {bit for bit in (0, 1, 4) if physical.capabilities >> bit & 1} == {0}, "hvm, neither pv nor shadow"
    dom0 = hyper.domain(DOM0)
    assert dom0 is not None and not dom0.paused and dom0.running and dom0.tot_pages > 0
    assert len(hyper.vcpus(DOM0)) == dom0.max_vcpu_id + 1
