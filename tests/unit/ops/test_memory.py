"""Memory of a running guest: the target, Xen's limit beside it, and a guest that starts with less than its most."""

from __future__ import annotations

import errno

import pytest

from tests.support.fakehost import UUID, FakeHost
from xenvm.errors import DomainError, HostError, HypercallError, NoSuchDomain
from xenvm.host.hyper import DomainInfo
from xenvm.ops.memory import set_limit, set_target
from xenvm.types import Domid, KiB

HOME = "/local/domain/1"
MIB = 1024


@pytest.fixture
def info(world: FakeHost) -> DomainInfo:
    """A guest of 64 MiB that may have 128."""
    world.create(memory=64, maxmem=128, disk=None, vif=None)
    return world.hyper.all[Domid(1)].info


def limit(world: FakeHost) -> int:
    return world.hyper.all[Domid(1)].info.max_pages * 4


def test_it_starts_with_all_and_may_keep_the_target(world: FakeHost, info: DomainInfo) -> None:
    """Linux takes all memory of the device tree for its own, and gives back what is above the target."""
    assert info.tot_pages == 128 * 256 + 4
    assert limit(world) == 65 * MIB
    assert world.store.get(f"{HOME}/memory/target") == b"65536"
    assert world.store.get(f"{HOME}/memory/static-max") == b"131072"


def test_a_guest_with_one_size_keeps_its_limit(world: FakeHost) -> None:
    world.create(memory=64, disk=None, vif=None)
    assert limit(world) == 65 * MIB
    assert world.hyper.lines().count("set_max_mem") == 1


@pytest.mark.parametrize("mib", [1, 32, 128])
def test_a_target(world: FakeHost, info: DomainInfo, mib: int) -> None:
    set_target(world.host, info, KiB(mib * MIB))
    assert world.store.get(f"{HOME}/memory/target") == str(mib * MIB).encode()
    assert world.store.get(f"/vm/{UUID}/memory") == str(mib).encode()
    assert limit(world) == (mib + 1) * MIB


@pytest.mark.parametrize("mib", [0, 129, 1 << 40])
def test_a_target_that_it_cannot_have(world: FakeHost, info: DomainInfo, mib: int) -> None:
    with pytest.raises(DomainError, match="domain 1 can have 1 to 128 MiB"):
        set_target(world.host, info, KiB(mib * MIB))
    assert (limit(world), world.store.get(f"{HOME}/memory/target")) == (65 * MIB, b"65536")


def test_a_target_of_next_to_nothing(world: FakeHost, info: DomainInfo) -> None:
    """`mem-set GUEST 64k`, where MiB were meant, would have the balloon driver take all that the guest has."""
    with pytest.raises(DomainError, match="domain 1 can have 1 to 128 MiB, not 64 KiB"):
        set_target(world.host, info, KiB(64))
    assert (limit(world), world.store.get(f"{HOME}/memory/target")) == (65 * MIB, b"65536")


def test_a_target_that_the_host_does_not_have(world: FakeHost, info: DomainInfo) -> None:
    domain = world.hyper.all[Domid(1)]
    domain.frames = set(sorted(domain.frames)[: 64 * 256])
    world.hyper.free_pages = 10 * 256
    with pytest.raises(HostError, match="domain 1 needs 64 MiB more, 10 MiB are free on this host"):
        set_target(world.host, domain.info, KiB(128 * MIB))
    set_target(world.host, domain.info, KiB(74 * MIB))


def test_a_limit(world: FakeHost, info: DomainInfo) -> None:
    set_limit(world.host, info, KiB(96 * MIB))
    assert world.store.get(f"{HOME}/memory/static-max") == b"98304"
    assert limit(world) == 97 * MIB
    with pytest.raises(DomainError, match="cannot be limited to 63 MiB: its target is 64 MiB"):
        set_limit(world.host, info, KiB(63 * MIB))


def test_a_limit_that_no_restart_could_have(world: FakeHost, info: DomainInfo) -> None:
    """A guest that reboots is made anew with the limit: `mem-max GUEST 1t` would be its end."""
    total = world.hyper.total_pages * 4
    with pytest.raises(HostError, match=f"domain 1 cannot have {total // MIB + 1} MiB: this host has {total // MIB}"):
        set_limit(world.host, info, KiB(total + MIB))
    assert (limit(world), world.store.get(f"{HOME}/memory/static-max")) == (65 * MIB, b"131072")


@pytest.mark.parametrize("change", [set_target, set_limit])
def test_a_guest_that_has_gone_stays_gone(world: FakeHost, info: DomainInfo, change) -> None:  # type: ignore[no-untyped-def]
    world.store.drop(f"{HOME}/name")
    with pytest.raises(NoSuchDomain):
        change(world.host, info, KiB(80 * MIB))
    assert limit(world) == 65 * MIB, "the limit is as before"
    world.store.drop(HOME)
    with pytest.raises(DomainError, match="has no memory/"):
        change(world.host, info, KiB(80 * MIB))
    assert world.store.get(HOME) is None


@pytest.mark.parametrize("fault", ["ENOSPC", "EACCES"])
def test_a_store_that_refuses(world: FakeHost, info: DomainInfo, fault: str) -> None:
    start, before = world.store.count, world.traces()
    set_target(world.host, info, KiB(64 * MIB))
    count = world.store.count - start
    after = world.traces()
    for k in range(1, count + 1):
        world.store.inject(world.store.count + k, fault)
        with pytest.raises(Exception, match=fault):
            set_target(world.host, info, KiB(80 * MIB))
        assert (limit(world), world.traces()) == (65 * MIB, after)
    assert before != after, "the copy of the target in /vm came with the first change"


def test_xen_refuses(world: FakeHost, info: DomainInfo) -> None:
    world.hyper.fail_at(("set_max_mem", 3), errno.EPERM)
    with pytest.raises(HypercallError):
        set_target(world.host, info, KiB(80 * MIB))
    assert world.store.get(f"{HOME}/memory/target") == b"65536"


def test_a_vm_path_that_leads_elsewhere_is_not_followed(world: FakeHost, info: DomainInfo) -> None:
    world.store.put(f"{HOME}/vm", "/local/domain/0")
    set_target(world.host, info, KiB(80 * MIB))
    assert world.store.get("/local/domain/0/memory") is None
