"""What every hypervisor answers about changes of cpupools and of their schedulers; errors are Xen's numbers.

On a real host the last CPU of cpupool 0 is taken out for a moment, and put back whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from errno import EADDRNOTAVAIL, EBUSY, EINVAL, ENODEV, ENOENT, ENOSPC, EPERM, ESRCH

import pytest

from tests.contract.conftest import Guests
from tests.contract.refusals import refused
from xenvm.errors import HypercallError
from xenvm.host.hyper import Hypervisor, Scheduling
from xenvm.host.pools import SchedulerParameters
from xenvm.types import DOM0, Domid

NOWHERE, NOBODY = 0x1234, Domid(0x7000)


@pytest.fixture
def spare(hyper: Hypervisor, guests: Guests) -> Iterator[int]:
    """The last CPU, out of all cpupools; everything is as before after the test."""
    before = hyper.cpupools()
    cpu = max(before[0])
    if not cpu:
        pytest.skip("a host with one CPU cannot give it away")
    hyper.pools.remove_cpu(0, cpu)
    yield cpu
    guests.end()
    for pool, cpus in hyper.cpupools().items():
        if pool not in before:
            for each in cpus:
                hyper.pools.remove_cpu(pool, each)
            hyper.pools.destroy_pool(pool)
    if cpu not in hyper.cpupools()[0]:
        hyper.pools.add_cpu(0, cpu)
    assert hyper.cpupools() == before


def test_a_pool_lives(hyper: Hypervisor, guests: Guests, spare: int) -> None:
    pools, free = hyper.pools, hyper.free_cpus()
    pool = pools.create_pool("credit")
    assert hyper.cpupools()[pool] == frozenset() and hyper.pool_scheduler(pool) == "credit"
    pools.add_cpu(pool, spare)
    assert (hyper.cpupools()[pool], hyper.free_cpus()) == ({spare}, free - 1)
    refused(EBUSY, pools.destroy_pool, pool)
    refused(ENODEV, pools.add_cpu, 0, spare)
    pools.remove_cpu(pool, spare)
    refused(EADDRNOTAVAIL, pools.remove_cpu, pool, spare)
    pools.destroy_pool(pool)
    assert pool not in hyper.cpupools()


def test_a_domain_moves(hyper: Hypervisor, guests: Guests, spare: int) -> None:
    domid, pools = guests.prepare(), hyper.pools
    pool = pools.create_pool("credit")
    refused(ENOENT, pools.move, domid, pool)
    refused(ENODEV, lambda: guests.create(cpupool=pool))
    pools.add_cpu(pool, spare)
    hyper.set_affinity(domid, 0, frozenset({0}), None)
    pools.move(domid, pool)
    info = hyper.domain(domid)
    assert info is not None and info.cpupool == pool
    assert spare in hyper.vcpus(domid)[0].hard
    hyper.set_scheduling(domid, Scheduling(weight=300, cap=40))
    refused(EBUSY, pools.remove_cpu, pool, spare)
    pools.move(domid, 0)
    if hyper.pool_scheduler(0) in ("credit", "credit2"):
        assert hyper.scheduling(domid) == Scheduling(weight=256, cap=0)
    pools.move(domid, 0)


def test_what_is_not_possible(hyper: Hypervisor, guests: Guests) -> None:
    pools, domid = hyper.pools, guests.prepare()
    refused(ENOENT, pools.create_pool, "no such scheduler")
    refused(EBUSY, pools.destroy_pool, 0)
    refused(ENOENT, pools.destroy_pool, NOWHERE)
    refused(EINVAL, pools.remove_cpu, 0, 0)
    refused(EINVAL, pools.remove_cpu, 0, 5000)
    refused(ENOENT, pools.remove_cpu, NOWHERE, 0)
    refused(ENODEV, pools.add_cpu, 0, 0)
    refused(EINVAL, pools.add_cpu, 0, 5000)
    refused(ENOENT, pools.add_cpu, NOWHERE, 0)
    refused(EPERM, pools.move, DOM0, 0)
    refused(ESRCH, pools.move, NOBODY, 0)
    refused(ENOENT, pools.move, domid, NOWHERE)


def test_two_pools_for_each_cpu(hyper: Hypervisor, spare: int) -> None:
    room = 2 * hyper.physinfo().nr_cpus - len(hyper.cpupools())
    for _ in range(room):
        hyper.pools.create_pool("credit2")
    refused(ENOSPC, hyper.pools.create_pool, "credit2")


def test_parameters_of_a_scheduler(hyper: Hypervisor, spare: int) -> None:
    pools = hyper.pools
    pool = pools.create_pool("credit")
    assert pools.parameters(pool) == SchedulerParameters(tslice=30, ratelimit=1000, migration_delay=0)
    pools.set_parameters(pool, SchedulerParameters(tslice=20))
    pools.set_parameters(pool, SchedulerParameters(ratelimit=2000, migration_delay=50))
    assert pools.parameters(pool) == SchedulerParameters(tslice=20, ratelimit=2000, migration_delay=50)
    wrongs = ({"tslice": 0}, {"tslice": 1001}, {"ratelimit": 50}, {"tslice": 1})
    for wrong in (SchedulerParameters(**fields) for fields in wrongs):
        refused(EINVAL, pools.set_parameters, pool, wrong)
    refused(ENOENT, pools.parameters, NOWHERE)


def test_parameters_of_credit2(hyper: Hypervisor, spare: int) -> None:
    pools = hyper.pools
    pool = pools.create_pool("credit2")
    pools.set_parameters(pool, SchedulerParameters(ratelimit=500))
    assert pools.parameters(pool) == SchedulerParameters(ratelimit=500)
    refused(EINVAL, pools.set_parameters, pool, SchedulerParameters(tslice=20))
    refused(EINVAL, pools.set_parameters, pool, SchedulerParameters(ratelimit=500001))


def test_single_vcpus_are_for_rtds(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare()
    if hyper.pool_scheduler(0) == "rtds":
        pytest.skip("it has rtds")
    refused(EINVAL, hyper.pools.vcpu_scheduling, domid, 0)
    refused(EINVAL, hyper.pools.set_vcpu_scheduling, domid, 0, Scheduling(period=10000, budget=4000))
    with pytest.raises(HypercallError):
        hyper.pools.vcpu_scheduling(NOBODY, 0)


def test_how_cpus_and_memory_lie(hyper: Hypervisor) -> None:
    physical = hyper.physinfo()
    assert len(hyper.pools.topology()) == physical.nr_cpus
    nodes = hyper.pools.nodes()
    assert len(nodes) == physical.nr_nodes and all(len(node.distances) == len(nodes) for node in nodes)
    assert sum(node.free for node in nodes) <= sum(node.size for node in nodes)
    assert {node for _, _, node in hyper.pools.topology()} <= set(range(len(nodes)))
