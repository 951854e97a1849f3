"""Machines of all kinds."""

from __future__ import annotations

from errno import EBUSY, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EPERM, ESRCH

import pytest

from tests.contract.conftest import RAM, Guests
from xenvm.errors import HypercallError, UnsupportedError
from xenvm.host.sim.hypervisor import SimHypervisor
from xenvm.host.sim.machine import DEFAULT, machine_from
from xenvm.types import Gfn, KiB


def refused(errno: int, call: object, *arguments: object, **named: object) -> None:
    with pytest.raises(HypercallError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    assert caught.value.errno == errno


def test_passthrough() -> None:
    machine = DEFAULT.replace(iommu=True, dt_devices=("/soc/uart",), irqs=(40, 41), iomem=((0x9000, 2),))
    guests = Guests(SimHypervisor(machine))
    hyper, domid = guests.hyper, guests.create(iommu=True, nr_spis=9)
    assert hyper.physinfo().directio
    hyper.assign_dt_device(domid, "/soc/uart")
    refused(EBUSY, hyper.assign_dt_device, domid, "/soc/uart")
    refused(ESRCH, hyper.assign_dt_device, domid, "/soc/other")
    refused(EINVAL, hyper.assign_dt_device, guests.create(), "/soc/uart")
    hyper.bind_irq(domid, 40)
    refused(EBUSY, hyper.bind_irq, domid, 40)
    refused(EBUSY, hyper.bind_irq, guests.create(), 41)
    refused(EPERM, hyper.bind_irq, domid, 63)
    hyper.bind_irq(domid, 41)  # 32 interrupts: Xen rounds up
    hyper.allow_iomem(domid, 0x9000, 2)
    hyper.map_iomem(domid, Gfn(0x22000), 0x9000, 2)


def test_no_iommu() -> None:
    guests = Guests(SimHypervisor())
    refused(EINVAL, guests.create, iommu=True)
    refused(EOPNOTSUPP, guests.hyper.assign_dt_device, guests.create(), "/soc/uart")


def test_the_interrupt_controller() -> None:
    guests = Guests(SimHypervisor(DEFAULT.replace(gic=2)))
    guests.create(max_vcpus=8)
    refused(EINVAL, guests.create, max_vcpus=9)
    refused(ENODEV, guests.create, gic_version=3)


def test_processors_without_32_bits() -> None:
    hyper = SimHypervisor(DEFAULT.replace(arm32=False))
    domid = Guests(hyper).create()
    hyper.set_max_vcpus(domid, 1)
    assert "armv7l" not in hyper.capabilities()
    refused(EINVAL, hyper.set_address_size, domid, 32)


def test_pools() -> None:
    hyper = SimHypervisor(DEFAULT.replace(pools=((3, (2, 3)),)))
    assert hyper.cpupools() == {0: {0, 1}, 3: {2, 3}} and hyper.free_cpus() == 0
    guests = Guests(hyper)
    domid = guests.prepare(cpupool=3)
    refused(EINVAL, hyper.set_affinity, domid, 0, frozenset({0, 1}), None)
    hyper.set_affinity(domid, 0, frozenset({1, 2}), None)
    assert hyper.vcpus(domid)[0].hard == {2}
    refused(ESRCH, lambda: guests.create(cpupool=9))


def test_a_full_host() -> None:
    guests = Guests(SimHypervisor(DEFAULT.replace(memory=4)))
    domid = guests.prepare(8)
    assert guests.hyper.populate(domid, RAM, 9, 4) == 1, "the pool of page tables has a part of the last extent"
    refused(ENOMEM, guests.hyper.set_paging_pool, domid, 8 << 20)
    refused(ENOMEM, guests.hyper.set_paging_pool, domid, 0)


@pytest.mark.parametrize(("gpaddr_bits", "reach"), [(32, 39), (40, 40), (42, 42), (44, 48)])
def test_memory_beyond_the_page_tables(gpaddr_bits: int, reach: int) -> None:
    """A root of one page reaches further than the processors' addresses do."""
    guests = Guests(SimHypervisor(DEFAULT.replace(gpaddr_bits=gpaddr_bits)))
    domid = guests.prepare()
    assert guests.hyper.populate(domid, Gfn((1 << reach - 12) - 1), 0, 2) == 1
    info = guests.hyper.domain(domid)
    assert info is not None and info.gpaddr_bits == gpaddr_bits


def test_large_guests_cost_nothing() -> None:
    hyper = SimHypervisor()
    domid = Guests(hyper).prepare(4608 + 64)
    hyper.set_max_mem(domid, KiB(1 << 30))
    assert hyper.populate(domid, RAM, 18, 3) == 3
    assert hyper.populate(domid, Gfn(0x200000), 9, 768) == 768
    assert list(hyper.all[domid].frames) == [(0x40000, 0x100000), (0x200000, 0x260000)]
    assert not len(hyper.all[domid].ram.written)


def test_out_of_a_snapshot() -> None:
    machine = DEFAULT.replace(xen=(4, 17), pools=((1, (3,)),), gic=2)
    from json import dumps, loads

    assert machine_from(loads(dumps(machine.as_dict()))) == machine
    with pytest.raises(UnsupportedError, match=r"no simulation of Xen 4\.9"):
        machine_from({"xen": [4, 9]})


def test_it_never_pretends() -> None:
    hyper = SimHypervisor()
    assert str(hyper.version) == "4.20.0-simulated"
    assert b"simulated" in hyper.console_ring(clear=True) and hyper.console_ring() == b""
    assert hyper.scheduler() == "credit2"
