"""What a kernel may do in its own domain."""

from __future__ import annotations

from errno import EFAULT, EINVAL

import pytest

from tests.contract.conftest import MIB, RAM, Guests
from xenvm.errors import HypercallError
from xenvm.host.hyper import PARAM_STORE_PFN, VcpuContext
from xenvm.host.sim.backside import Dom0
from xenvm.host.sim.guestside import Guest
from xenvm.host.sim.hypervisor import SimHypervisor
from xenvm.host.sim.memory import FRESH
from xenvm.types import DOM0, PAGE_SIZE, Gfn

GPA = RAM * PAGE_SIZE


@pytest.fixture
def guest() -> Guest:
    hyper = SimHypervisor()
    return Guest(hyper, Guests(hyper).build(8, max_vcpus=2))


def hyper_of(guest: Guest) -> SimHypervisor:
    return guest._hyper


def test_memory(guest: Guest) -> None:
    at = GPA + PAGE_SIZE - 2
    guest.write(at, b"four")
    assert guest.read(at - 1, 6) == FRESH + b"four" + FRESH
    assert bytes(guest.page(Gfn(RAM + 1))[:2]) == b"ur"
    for beyond in (0, GPA + (8 << 20) - 1):
        with pytest.raises(HypercallError) as caught:
            guest.read(beyond, 2)
        assert caught.value.errno == EFAULT
    with pytest.raises(HypercallError):
        guest.write(GPA - 1, b"xy")
    with pytest.raises(HypercallError):
        guest.page(Gfn(3))


def test_the_balloon_takes_only_what_is_free(guest: Guest) -> None:
    hyper = hyper_of(guest)
    free = hyper.free_pages
    guest.write(GPA + 5 * PAGE_SIZE, b"kernel")
    assert guest.balloon(-10) == -10
    assert hyper.free_pages == free + 10
    assert guest.read(GPA + 5 * PAGE_SIZE, 6) == b"kernel"
    assert guest.balloon(-100 * MIB) == -(8 * MIB - 11), "all but the page that is in use"
    assert hyper.all[guest.domid].tot_pages == 1
    assert guest.balloon(20) == 20
    hyper.set_max_mem(guest.domid, hyper.all[guest.domid].tot_pages * 4)  # type: ignore[arg-type]
    assert guest.balloon(20) == 0


def test_vcpus(guest: Guest) -> None:
    hyper = hyper_of(guest)
    with pytest.raises(HypercallError):
        guest.entry()
    hyper.set_entry(guest.domid, VcpuContext(64, GPA, GPA))
    assert guest.entry().pc == GPA
    guest.set_vcpu(1, True)
    assert [vcpu.online for vcpu in hyper.vcpus(guest.domid)] == [True, True]
    guest.set_vcpu(0, False)
    assert [vcpu.online for vcpu in hyper.vcpus(guest.domid)] == [False, True]
    with pytest.raises(HypercallError) as caught:
        guest.set_vcpu(2, True)
    assert caught.value.errno == EINVAL


def test_it_goes_down(guest: Guest) -> None:
    hyper, told = hyper_of(guest), list[int]()
    hyper.on_death = told.append
    hyper.unpause(guest.domid)
    assert guest.runs
    guest.shutdown(1)
    assert told == [guest.domid] and not guest.runs
    assert hyper.domains()[1].shutdown_code == 1


def test_what_it_shares(guest: Guest) -> None:
    hyper = hyper_of(guest)
    hyper.set_params(guest.domid, {PARAM_STORE_PFN: 7})
    assert guest.param(PARAM_STORE_PFN) == 7
    back, other = Dom0(hyper), Dom0(hyper)
    port, ref = guest.alloc_unbound(DOM0), guest.grant(RAM, DOM0)
    local, page = back.bind(guest.domid, port), back.map_grant(guest.domid, ref)
    assert not guest.end_grant(ref)
    guest.write(GPA, b"ring")
    assert bytes(page[:4]) == b"ring"
    page[:4] = b"back"
    assert guest.read(GPA, 4) == b"back"
    guest.notify(port)
    assert other.pending() == set() and back.pending() == {local}, "each program hears its own ports"
    back.notify(local)
    assert guest.pending() == {port}
    back.unmap_grant(guest.domid, ref)
    with pytest.raises(ValueError, match="released"):
        page[0] = 1
    assert guest.end_grant(ref)
    guest.close_port(port)
    back.unbind(local)


def test_readonly_pages(guest: Guest) -> None:
    back, ref = Dom0(hyper_of(guest)), guest.grant(RAM, DOM0, readonly=True)
    page = back.map_grant(guest.domid, ref, readonly=True)
    assert page.readonly
    with pytest.raises(HypercallError):
        back.map_grant(guest.domid, ref)
    with pytest.raises(HypercallError):
        back.map_grant(guest.domid, guest.grant(3, DOM0))
    with pytest.raises(HypercallError):
        back.unmap_grant(guest.domid, 99)


def test_who_maps_keeps_a_dead_domain(guest: Guest) -> None:
    hyper, told = hyper_of(guest), list[int]()
    back, ref = Dom0(hyper), guest.grant(RAM, DOM0)
    back.bind(guest.domid, guest.alloc_unbound(DOM0))
    page = back.map_grant(guest.domid, ref)
    hyper.on_death = told.append
    hyper.destroy(guest.domid)
    assert hyper.domains()[1].dying and hyper.domains()[1].tot_pages == 1
    page[:1] = b"x"
    with pytest.raises(HypercallError):
        back.map_grant(guest.domid, ref)
    back.close()
    assert len(hyper.domains()) == 1 and told == [guest.domid] * 2
    assert hyper.free_pages == SimHypervisor().free_pages
