"""Cpupools on the simulated host: what is made, what is refused, and nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenbus.errors import XenbusError
from xenvm.errors import ConfigError, DomainError, DomainExists, HypercallError, NoSuchPool
from xenvm.guest.cfg import parse
from xenvm.host.hyper import Scheduling
from xenvm.host.pools import SchedulerParameters
from xenvm.host.sim.hypervisor import SimHypervisor
from xenvm.host.sim.machine import DEFAULT
from xenvm.ops import cpupools
from xenvm.types import DOM0


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    world = SimWorld(tmp_path)
    world.host.hyper.pools.remove_cpu(0, 3)
    return world


def make(world: SimWorld, text: str) -> int:
    return cpupools.create(world.host, cpupools.Wanted(world.host, parse(text, "p.cfg")))


def test_a_pool_has_a_name_and_a_uuid(world: SimWorld) -> None:
    number = make(world, 'name="p"\ncpus=["3"]\n')
    assert (world.host.hyper.cpupools()[number], world.read(f"/local/pool/{number}/name")) == ({3}, "p")
    assert len(world.read(f"/local/pool/{number}/uuid") or "") == 36
    assert cpupools.find(world.host, "p") == cpupools.find(world.host, str(number)) == number
    cpupools.destroy(world.host, number)
    assert world.read(f"/local/pool/{number}/name") is None and cpupools.free(world.host) == {3}
    with pytest.raises(NoSuchPool, match="there is no cpupool 'p' on this host"):
        cpupools.find(world.host, "p")


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", ConfigError, "needs a name"),
        ('name="a/b"', ConfigError, "cannot hold a slash"),
        ('name="7"', ConfigError, "or be a number"),
        ('name="Pool-0"', DomainExists, "there is a cpupool Pool-0 already"),
        ('name="p"\nsched="fifo"', ConfigError, "p.cfg:2:7: there is no scheduler `fifo'"),
        ('name="p"\nfrob=1', ConfigError, "p.cfg:2:6: a cpupool has no `frob'"),
        ('name="p"\ncpus="2-3"', DomainError, "CPU 2 is not free"),
        ('name="p"\ncpus="x"', ConfigError, "`x' is not a CPU"),
        ('name="p"\nsched="null"', HypercallError, "without such a scheduler"),
    ],
)
def test_what_is_refused(world: SimWorld, text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make(world, text)
    assert set(world.host.hyper.cpupools()) == {0}


def test_nodes_are_their_free_cpus(world: SimWorld) -> None:
    number = make(world, 'name="p"\nnodes=["0"]\n')
    assert world.host.hyper.cpupools()[number] == {3}
    with pytest.raises(DomainError, match="none of these nodes has a CPU that is free"):
        make(world, 'name="q"\nnodes=["0"]\n')


def test_nothing_is_left_of_a_pool_that_cannot_be_named(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise XenbusError("the store is gone")

    wanted = cpupools.Wanted(world.host, parse('name="p"\ncpus="3"\n'))
    monkeypatch.setattr(world.host.store, "transact", gone)
    with pytest.raises(XenbusError, match="gone"):
        cpupools.create(world.host, wanted)
    assert (set(world.host.hyper.cpupools()), cpupools.free(world.host)) == ({0}, {3})


def test_a_pool_with_domains_stays_whole(world: SimWorld) -> None:
    number = make(world, 'name="p"\ncpus="3"\n')
    domid = world.create()
    cpupools.migrate(world.host, domid, number)
    with pytest.raises(HypercallError, match="CPUs or domains"):
        cpupools.destroy(world.host, number)
    assert world.host.hyper.cpupools()[number] == {3}
    failed = cpupools.change_cpus(world.host, number, frozenset({2, 3}), add=False)
    assert sorted(failed) == [2, 3]


def test_no_two_pools_have_one_name(world: SimWorld) -> None:
    number = make(world, 'name="p"\n')
    with pytest.raises(DomainExists):
        cpupools.rename(world.host, number, "Pool-0")
    cpupools.rename(world.host, number, "q")
    assert cpupools.names(world.host, [0, number, 9]) == {0: "Pool-0", number: "q", 9: "Pool-9"}


def test_pools_last(tmp_path: Path) -> None:
    """A snapshot has them, with their schedulers and parameters."""
    first, second = SimHypervisor(DEFAULT), SimHypervisor(DEFAULT)
    first.pools.remove_cpu(0, 3)
    number = first.pools.create_pool("credit")
    first.pools.add_cpu(number, 3)
    first.pools.set_parameters(number, SchedulerParameters(tslice=5))
    first.set_scheduling(DOM0, Scheduling(weight=300))
    second.restore(first.state())
    assert second.scheduling(DOM0).weight == 300
    assert second.cpupools() == first.cpupools() and second.pool_scheduler(number) == "credit"
    assert second.pools.parameters(number) == first.pools.parameters(number)
