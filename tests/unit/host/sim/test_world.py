"""The whole toolstack on a simulated host: its guests boot, its back ends serve, and nothing is ever left behind."""

from __future__ import annotations

from errno import EINVAL, ENOMEM
from pathlib import Path

import pytest

from tests.contract.conftest import RAM, Guests
from tests.support.simworld import SimWorld
from xenbus.errors import StoreError, StoreTimeout
from xenvm.errors import HostError, XenvmError
from xenvm.host.sim.machine import DEFAULT, RELEASES
from xenvm.host.sim.world import World, world_from
from xenvm.host.trace import Tracer
from xenvm.ops import power
from xenvm.types import DOM0, Domid

HOME = "/local/domain/1"
DISK, VIF = f"{HOME}/device/vbd/51712", f"{HOME}/device/vif/0"


@pytest.mark.parametrize("machine", [*(DEFAULT.replace(xen=xen) for xen in RELEASES), DEFAULT.replace(gic=2)])
def test_a_guest_boots_and_connects(tmp_path: Path, machine: object) -> None:
    sim = SimWorld(tmp_path, machine)  # type: ignore[arg-type]
    before = sim.traces()
    domid = sim.create()
    sim.world.settle()
    assert (sim.read(f"{DISK}/state"), sim.read(f"{VIF}/state")) == ("4", "4")
    log = (tmp_path / "world/console/guest-g.log").read_text()
    assert "Booting Linux" in log and "128 512-byte sectors" in log
    assert sim.destroy(domid) == []
    assert sim.traces() == before
    sim.host.close()


def test_a_paused_guest_does_not_begin(sim: SimWorld) -> None:
    domid = sim.create(paused=True)
    sim.world.advance(10)
    assert sim.read(f"{DISK}/state") == "1"
    sim.host.hyper.unpause(domid)
    sim.world.settle()
    assert sim.read(f"{DISK}/state") == "4"
    sim.host.hyper.pause(domid)
    sim.host.store.write(f"{HOME}/control/shutdown", "poweroff")
    sim.world.settle()
    assert sim.read(f"{HOME}/control/shutdown") == "poweroff"


def test_a_shutdown_takes_no_time(sim: SimWorld) -> None:
    domid = sim.create()
    info = sim.host.hyper.domain(domid)
    assert info is not None
    power.request(sim.host, [info], "poweroff")
    power.wait_down(sim.host, [domid])
    info = sim.host.hyper.domain(domid)
    assert info is not None and (info.shutdown, info.shutdown_code) == (True, 0)
    assert sim.destroy(domid) == []


def test_a_deaf_guest_costs_virtual_time_only(sim: SimWorld) -> None:
    from xenvm.host.sim.behaviour import Behaviour

    sim.world.behaviour = Behaviour(dead=True)
    info = sim.host.hyper.domain(sim.create())
    assert info is not None
    began = sim.world.now
    with pytest.raises(StoreTimeout):
        power.request(sim.host, [info], "poweroff")
    assert sim.world.now - began >= power.ACK_SECONDS
    with pytest.raises(HostError, match="nothing more will ever happen"):
        power.wait_down(sim.host, [info.domid])


def test_many_guests_side_by_side(sim: SimWorld) -> None:
    before = sim.traces()
    domids = [
        sim.create(name=f"g{n}", uuid=None, disk=None, vif=[f"mac=00:16:3e:00:00:{n:02x},bridge=xenbr0"])
        for n in range(5)
    ]
    sim.world.settle()
    assert {sim.read(f"/local/domain/{domid}/device/vif/0/state") for domid in domids} == {"4"}
    for domid in domids:
        assert sim.destroy(domid) == []
    assert sim.traces() == before


def test_one_disk_for_one_guest(sim: SimWorld) -> None:
    sim.create()
    with pytest.raises(XenvmError, match="is in use by domain 1"):
        sim.create(name="h", uuid=None)


def test_it_is_taken_up_again(sim: SimWorld) -> None:
    from json import dumps, loads

    domid = sim.create(memory=32)
    state = loads(dumps(sim.world.state()))
    ram = sim.world.hyper.all[domid].ram
    again = world_from(state, ram=lambda _domid, _written: ram, files=sim.world.files)
    again.settle()
    assert again.store.read(f"{DISK}/state") == b"4"
    assert again.hyper.domains() == sim.world.hyper.domains()
    assert loads(dumps(again.state())) == state
    again.close()


def test_nonsense_is_not_taken_up() -> None:
    with pytest.raises(HostError, match="cannot be taken up again"):
        world_from({"machine": {}})


def test_the_store_refuses_a_domain_without_its_grant(sim: SimWorld) -> None:
    guests = Guests(sim.host.hyper)
    domid = guests.build()
    port = sim.host.hyper.alloc_unbound(domid, DOM0)
    with pytest.raises(StoreError, match="EINVAL"):
        sim.host.store.introduce(domid, RAM, port)
    sim.host.hyper.seed_grants(domid, {1: (DOM0, RAM)})
    with pytest.raises(StoreError, match="EINVAL"):
        sim.host.store.introduce(domid, RAM, port + 1)
    sim.host.store.introduce(domid, RAM, port)
    sim.host.store.introduce(domid, RAM, sim.host.hyper.alloc_unbound(domid, DOM0))
    assert sim.host.store.is_introduced(domid)
    sim.host.hyper.destroy(domid)
    assert sim.host.hyper.domain(domid) is None, "the store lets go of a dead domain's page"


# Faults.


def steps_of(sim: SimWorld) -> list[tuple[str, int]]:
    """Every call of a creation and its end, by its name: threads do not change those."""
    tracer = Tracer(sim.world.hyper)
    sim.host.intercept(tracer.hyper)
    domid = sim.create()
    sim.world.settle()
    count = len(tracer.calls)
    sim.destroy(domid)
    sim.host.intercept(sim.world.hyper)
    return [call.step for call in tracer.calls[:count]]


class Died(BaseException):
    """The process is interrupted, whatever it does."""


@pytest.mark.parametrize("fault", [ENOMEM, EINVAL, Died()])
def test_whatever_fails_nothing_is_left(sim: SimWorld, fault: int | BaseException) -> None:
    steps, before = steps_of(sim), sim.traces()
    assert len(steps) > 20
    failed = 0
    for step in steps:
        tracer = Tracer(sim.world.hyper)
        tracer.fail(step, fault)
        sim.host.intercept(tracer.hyper)
        try:
            domid = sim.create()
        except (XenvmError, Died):
            failed += 1
        else:  # a short count of memory is made up for by smaller extents
            sim.destroy(domid)
        sim.host.intercept(sim.world.hyper)
        sim.world.settle()
        assert sim.traces() == before, step
    assert failed >= len(steps) - 1


@pytest.mark.parametrize("fault", [ENOMEM, Died()])
def test_an_end_that_fails_can_be_done_again(sim: SimWorld, fault: int | BaseException) -> None:
    before, number = sim.traces(), 0
    while True:
        number += 1
        domid = sim.create()
        tracer = Tracer(sim.world.hyper)
        tracer.fail(number, fault)
        sim.host.intercept(tracer.hyper)
        try:
            sim.destroy(domid)
        except (XenvmError, Died):
            pass
        sim.host.intercept(sim.world.hyper)
        if domid in sim.world.hyper.all:
            assert sim.destroy(domid) == []
        sim.world.settle()
        assert sim.traces() == before, number
        if number > len(tracer.calls):
            break
    assert number > 4


def test_a_world_of_its_own_has_temporary_files() -> None:
    import os

    world = World()
    folder = world.files()
    assert os.path.isdir(folder)
    world.close()
    assert not os.path.exists(folder)


def test_peers_that_never_rest(sim: SimWorld) -> None:
    class Restless:
        def step(self) -> bool:
            return True

        def due(self) -> float | None:
            return None

    sim.world.services.append(Restless())
    with pytest.raises(HostError, match="never come to rest"):
        sim.world.settle()
    sim.world.services.pop()


def test_time_jumps_to_what_is_due(sim: SimWorld) -> None:
    class Alarm:
        rang: float | None = None

        def step(self) -> bool:
            if self.rang is None and sim.world.now >= 7:
                self.rang = sim.world.now
                return True
            return False

        def due(self) -> float | None:
            return None if self.rang is not None else 7.0

    alarm = Alarm()
    sim.world.services.append(alarm)
    sim.world.advance(100)
    assert (alarm.rang, sim.world.now) == (7.0, 100.0)
    assert Domid(0) in sim.world.hyper.all
