"""Parameters of schedulers: of domains, and under rtds of single vCPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenvm.errors import DomainError, HypercallError
from xenvm.host.hyper import DomainInfo, Scheduling
from xenvm.host.sim.machine import DEFAULT
from xenvm.ops import scheduling

DEFAULTS = Scheduling(period=10000, budget=4000, extratime=True)


def guest(world: SimWorld) -> DomainInfo:
    info = world.host.hyper.domain(world.create(vcpus=2))
    assert info is not None
    return info


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Scheduling(weight=0), "a weight must be 1 to 65535, not 0"),
        (Scheduling(cap=201), "the cap of domain 1 must be 0 to 200, 100 for each vCPU, not 201"),
    ],
)
def test_what_libxl_would_refuse(tmp_path: Path, wanted: Scheduling, said: str) -> None:
    world = SimWorld(tmp_path)
    with pytest.raises(DomainError, match=said):
        scheduling.change(world.host, guest(world), "credit2", wanted)


def test_another_scheduler(tmp_path: Path) -> None:
    world = SimWorld(tmp_path)
    info, said = guest(world), "is in a cpupool with the scheduler credit2, not"
    with pytest.raises(DomainError, match=said):
        scheduling.of_domain(world.host, info, "credit")
    with pytest.raises(DomainError, match=said):
        scheduling.of_vcpus(world.host, info, None)


def test_single_vcpus(tmp_path: Path) -> None:
    world = SimWorld(tmp_path, DEFAULT.replace(scheduler="rtds"))
    info = guest(world)
    assert scheduling.of_vcpus(world.host, info, None) == [(0, DEFAULTS), (1, DEFAULTS)]
    scheduling.change_vcpus(world.host, info, [(1, Scheduling(period=20000, extratime=False))])
    assert scheduling.of_vcpus(world.host, info, 1) == [(1, Scheduling(period=20000, budget=4000, extratime=False))]
    scheduling.change_vcpus(world.host, info, [(None, Scheduling(budget=5000))])
    assert [found.budget for _, found in scheduling.of_vcpus(world.host, info, None)] == [5000, 5000]
    with pytest.raises(DomainError, match="domain 1 has no vCPU 2, only 0 to 1"):
        scheduling.of_vcpus(world.host, info, 2)
    with pytest.raises(HypercallError):
        scheduling.change_vcpus(world.host, info, [(0, Scheduling(budget=50000))])
