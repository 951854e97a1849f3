"""vCPUs of a running guest: what it is asked for, and where Xen lets them run."""

from __future__ import annotations

import pytest

from tests.support.fakehost import FakeHost
from xenvm.errors import DomainError, HypercallError, NoSuchDomain
from xenvm.host.hyper import DomainInfo
from xenvm.ops.vcpus import pin, set_online
from xenvm.types import Domid


@pytest.fixture
def info(world: FakeHost) -> DomainInfo:
    world.create(vcpus=1, maxvcpus=8, disk=None, vif=None)
    return world.hyper.all[Domid(1)].info


def states(world: FakeHost) -> list[bytes | None]:
    return [world.store.get(f"/local/domain/1/cpu/{number}/availability") for number in range(9)]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_all_vcpus_are_told(world: FakeHost, info: DomainInfo, count: int) -> None:
    set_online(world.host, info, count)
    assert states(world) == [b"online"] * count + [b"offline"] * (8 - count) + [None]


@pytest.mark.parametrize("count", [0, 9, -1])
def test_more_or_less_than_it_can_have(world: FakeHost, info: DomainInfo, count: int) -> None:
    before = world.store.dump()
    with pytest.raises(DomainError, match="domain 1 can have 1 to 8 vCPUs, not"):
        set_online(world.host, info, count, overcommit=True)
    assert world.store.dump() == before


def test_more_than_the_host_has(world: FakeHost, info: DomainInfo) -> None:
    with pytest.raises(DomainError, match="5 vCPUs are more than the 4 CPUs of this host"):
        set_online(world.host, info, 5)
    assert states(world)[:2] == [b"online", b"offline"]
    set_online(world.host, info, 5, overcommit=True)
    assert states(world)[4:6] == [b"online", b"offline"]


def test_a_guest_that_has_gone_stays_gone(world: FakeHost, info: DomainInfo) -> None:
    world.store.drop("/local/domain/1")
    with pytest.raises(NoSuchDomain):
        set_online(world.host, info, 2)
    assert world.store.get("/local/domain/1") is None


def test_pin_one_and_all(world: FakeHost, info: DomainInfo) -> None:
    pin(world.host, info, 2, frozenset([1]), None)
    hard = [vcpu.hard for vcpu in world.hyper.vcpus(Domid(1))]
    assert hard == [world.hyper.cpus] * 2 + [{1}] + [world.hyper.cpus] * 5
    pin(world.host, info, None, None, frozenset([0, 3]))
    assert {vcpu.soft for vcpu in world.hyper.vcpus(Domid(1))} == {frozenset([0, 3])}
    assert world.hyper.vcpus(Domid(1))[2].hard == {1}


def test_pin_what_is_not_there(world: FakeHost, info: DomainInfo) -> None:
    with pytest.raises(DomainError, match="domain 1 has no vCPU 8, only 0 to 7"):
        pin(world.host, info, 8, frozenset([1]), None)
    with pytest.raises(HypercallError):
        pin(world.host, info, 0, frozenset([77]), None)
