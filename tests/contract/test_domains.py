"""What every hypervisor answers about the life of domains; errors are Xen's numbers."""

from __future__ import annotations

from errno import EBUSY, EEXIST, EINVAL, EOVERFLOW, ESRCH

import pytest

from tests.contract.conftest import RAM, Guests
from tests.contract.refusals import refused
from xenvm.host.hyper import Hypervisor, VcpuContext
from xenvm.types import DOM0, Domid, KiB

NOBODY = Domid(0x7000)
ENTRY = VcpuContext(64, 0x40080000, 0x48000000)


def test_a_new_domain_is_empty_and_paused(hyper: Hypervisor, guests: Guests) -> None:
    uuid = "01020304-0506-0708-090a-0b0c0d0e0f10"
    info = hyper.domain(guests.create(uuid=uuid, max_vcpus=2))
    assert info is not None and info.uuid == uuid
    assert (info.paused, info.shutdown, info.dying, info.running, info.blocked) == (True, False, False, False, False)
    assert (info.tot_pages, info.max_vcpu_id, info.nr_online_vcpus, info.shutdown_code) == (0, -1, 0, None)


def test_the_gic_is_told(hyper: Hypervisor, guests: Guests) -> None:
    from xenvm.host.hyper import CreateRequest

    created = hyper.create(CreateRequest("01020304-0506-0708-090a-0b0c0d0e0f10", 1))
    guests.made.append(created.domid)
    assert created.gic_version in (2, 3)


@pytest.mark.parametrize(
    "fields",
    [{"max_vcpus": 0}, {"max_vcpus": 129}, {"nr_spis": 5000 + 988}, {"max_grant_frames": 0}, {"max_grant_version": 2}],
)
def test_what_createdomain_refuses(hyper: Hypervisor, guests: Guests, fields: dict[str, int]) -> None:
    refused(EINVAL, lambda: guests.create(**fields))


def test_a_domid_is_not_given_out_again_at_once(hyper: Hypervisor, guests: Guests) -> None:
    first = guests.create()
    hyper.destroy(first)
    assert guests.create() != first


def test_a_wanted_domid(hyper: Hypervisor, guests: Guests) -> None:
    assert guests.create(domid=NOBODY) == NOBODY
    refused(EEXIST, lambda: guests.create(domid=NOBODY))
    refused(EEXIST, lambda: guests.create(domid=DOM0)) if hyper.version.release >= (4, 22) else None


def test_exactly_this_domain(hyper: Hypervisor, guests: Guests) -> None:
    guests.create(domid=NOBODY)
    assert hyper.domain(Domid(NOBODY - 1)) is None
    assert [info.domid for info in hyper.domains()] == sorted(info.domid for info in hyper.domains())
    assert hyper.domains()[0].domid == DOM0


def test_pauses_are_counted(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()

    def paused() -> bool:
        info = hyper.domain(domid)
        return info is not None and info.paused

    hyper.pause(domid)
    hyper.unpause(domid)
    assert paused()
    hyper.unpause(domid)
    assert not paused()
    refused(EINVAL, hyper.unpause, domid)
    for _ in range(255):
        hyper.pause(domid)
    refused(EOVERFLOW, hyper.pause, domid)


def test_dom0_is_spared(hyper: Hypervisor, guests: Guests) -> None:
    refused(EINVAL, hyper.pause, DOM0)
    refused(EINVAL, hyper.destroy, DOM0)


def test_the_first_reason_wins(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    hyper.shutdown(domid, 3)
    hyper.shutdown(domid, 0)
    info = hyper.domain(domid)
    assert info is not None and info.shutdown and info.shutdown_code == 3
    hyper.resume(domid)
    info = hyper.domain(domid)
    assert info is not None and not info.shutdown and info.shutdown_code is None


def test_vcpus_come_in_the_number_of_the_creation(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create(max_vcpus=2)
    refused(EINVAL, hyper.set_max_vcpus, domid, 1)
    assert hyper.vcpus(domid) == []
    hyper.set_max_vcpus(domid, 2)
    assert [(vcpu.vcpu, vcpu.online) for vcpu in hyper.vcpus(domid)] == [(0, False), (1, False)]
    info = hyper.domain(domid)
    assert info is not None and info.max_vcpu_id == 1


def test_the_order_that_a_host_survives(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    refused(EINVAL, hyper.set_address_size, domid, 64)
    hyper.set_max_vcpus(domid, 1)
    hyper.set_address_size(domid, 64)
    hyper.set_max_mem(domid, KiB(4096))
    hyper.set_paging_pool(domid, 1 << 20)
    assert hyper.populate(domid, RAM, 0, 1) == 1
    refused(EBUSY, hyper.set_address_size, domid, 64)


def test_the_entry_state(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    refused(EINVAL, hyper.set_entry, domid, ENTRY)
    hyper.set_max_vcpus(domid, 1)
    refused(EINVAL, hyper.set_entry, domid, ENTRY)  # it is a 32-bit domain until that is changed
    hyper.set_address_size(domid, 64)
    hyper.set_entry(domid, ENTRY)
    info = hyper.domain(domid)
    assert info is not None and info.nr_online_vcpus == 1


def test_registers(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.create()
    hyper.set_max_vcpus(domid, 1)
    hyper.set_address_size(domid, 64)
    assert hyper.registers(domid, 0) is None, "it was never online"
    hyper.set_entry(domid, ENTRY)
    context = hyper.registers(domid, 0)
    assert context is not None and len(context) == (352 if hyper.version.release >= (4, 16) else 344)
    assert int.from_bytes(context[0x100:0x108], "little") == ENTRY.pc or len(context) == 344
    refused(ESRCH, hyper.registers, NOBODY, 0)


def test_affinity(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    hyper.set_affinity(domid, 0, frozenset({0}), None)
    (vcpu,) = hyper.vcpus(domid)
    assert vcpu.hard == {0} and 0 in vcpu.soft
    refused(EINVAL, hyper.set_affinity, domid, 0, frozenset[int](), None)
    hyper.set_affinity(domid, 9, None, None)  # nothing is asked for


def test_the_end(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    hyper.destroy(domid)
    assert hyper.domain(domid) is None
    refused(ESRCH, hyper.destroy, domid)


def test_who_holds_a_page_keeps_the_domain(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    mapping = hyper.map_foreign(domid, RAM, 2)
    hyper.destroy(domid)
    info = hyper.domain(domid)
    assert info is not None and info.dying and info.tot_pages == 2
    mapping.close()
    assert hyper.domain(domid) is None
