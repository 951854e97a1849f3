"""A plan is what create does, and asks a host without touching it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.plans import Witness, hypercalls, writes
from tests.support.simworld import SimWorld
from xenvm.errors import ConfigError, DeviceError, DomainExists, HostError, ImageError, UnsupportedError
from xenvm.guest import fdtblob
from xenvm.guest.blueprint import HostFacts
from xenvm.host.plumbing import vifscript
from xenvm.host.sim.machine import DEFAULT, Machine
from xenvm.ops import plan as plans
from xenvm.ops.create import Options
from xenvm.ops.destroy import destroy
from xenvm.ops.plan import STAND_IN_UUID, Ground, conflict, ground_of, plan
from xenvm.types import Domid


@pytest.fixture
def sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimWorld]:
    monkeypatch.setattr(vifscript, "needs_script", lambda bridge, ip: None)
    sim = SimWorld(tmp_path)
    yield sim
    sim.host.close()


SETTINGS: dict[str, dict[str, object]] = {
    "usual": {},
    "everything": {
        "vcpus": 2,
        "maxvcpus": 3,
        "cpus": ["1", "2", "3"],
        "memory": 64,
        "maxmem": 2050,
        "vuart": "sbsa_uart",
        "pool": "Pool-0",
        "extra": "console=hvc0",
        "vif": ["mac=00:16:3e:11:22:33,bridge=xenbr0", "mac=00:16:3e:11:22:34,bridge=br1,script=/etc/xen/scripts/mine"],
    },
    "passthrough": {"irqs": [40], "iomem": ["0x9000,2"], "dtdev": ["/soc/uart"], "disk": None, "vif": None},
    "nothing": {"disk": None, "vif": None},
}
DEVICES = DEFAULT.replace(iommu=True, irqs=(40,), iomem=((0x9000, 2),), dt_devices=("/soc/uart",))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("release", [(4, 17), (4, 20), (4, 22)])
@pytest.mark.parametrize("options", [Options(), Options(paused=True, hotplug_scripts=True)], ids=["plain", "paused"])
def test_the_plan_is_what_create_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, release: tuple[int, int], options: Options
) -> None:
    monkeypatch.setattr(vifscript, "needs_script", lambda bridge, ip: None)
    sim = SimWorld(tmp_path, (DEVICES if name == "passthrough" else DEFAULT).replace(xen=release))
    spec = sim.spec(**SETTINGS[name])
    expected = plan(spec, ground_of(sim.host, spec), options)
    witness = Witness(sim.host)
    from xenvm.ops.create import create

    domid = create(sim.host, spec, options)
    assert domid == expected.domid
    assert hypercalls(expected.steps) == witness.hypercalls()
    planned = writes(expected.steps)
    assert [step.arguments["path"] for step in planned] == witness.order()
    done = witness.writes()
    kept = [step for step in planned if step.arguments["path"] in done]
    assert [step.arguments["path"] for step in planned if step not in kept] == ["/libxl/1/creating"]
    for step in kept:
        path, value, perms, inherited = (step.arguments[key] for key in ("path", "value", "permissions", "inherited"))
        assert done[str(path)][1] == perms
        assert inherited == (path not in witness.explicit())
        assert (value is None) == bool(step.at_run_time)
    final = {str(step.arguments["path"]): step.arguments["value"] for step in kept}
    assert {path: value for path, value in final.items() if value not in (None, done[path][0])} == {}
    assert max(step.transaction for step in expected.steps) == witness.transactions()
    sim.host.close()


def test_it_is_the_same_each_time(sim: SimWorld) -> None:
    spec = sim.spec(uuid=None, vif=["bridge=xenbr0"])
    ground = ground_of(sim.host, spec)
    once, again = plan(spec, ground), plan(spec, ground)
    assert once.steps == again.steps and once.memory == again.memory
    assert once.stand_ins == ("domain 1", f"uuid {STAND_IN_UUID}", "mac 00:16:3e:00:00:00 of vif 0")


def test_what_is_chosen_at_run_time(sim: SimWorld) -> None:
    steps = writes(plan(sim.spec(), ground_of(sim.host, sim.spec())).steps)
    assert {str(step.arguments["path"]).rpartition("/")[2] for step in steps if step.at_run_time} == {
        *("start_time", "creating", "node", "physical-device", "physical-device-path"),
    }


def test_the_tree_is_the_guests_own(sim: SimWorld) -> None:
    made = plan(sim.spec(extra="quiet"), ground_of(sim.host, sim.spec()))
    assert fdtblob.semantic(made.tree)["chosen/"]["bootargs"] == b"quiet\0"  # type: ignore[index]


def test_the_memory(sim: SimWorld) -> None:
    made = plan(sim.spec(memory=4608), ground_of(sim.host, sim.spec()))
    assert [(area.start, area.size, os.path.basename(area.what)) for area in made.memory][:4] == [
        (0x39000000, 0x4000, "pages shared with back ends"),
        (0x40000000, 3 << 30, "RAM"),
        (0x200000000, 1536 << 20, "RAM"),
        (0x40000000, 1 << 20, "Image"),
    ]


def test_a_host_is_only_asked(sim: SimWorld) -> None:
    sim.create(name="other", uuid=None, disk=None)
    witness, before = Witness(sim.host), sim.traces()
    spec = sim.spec()
    assert conflict(sim.host, spec) is None
    plan(spec, ground_of(sim.host, spec))
    assert sim.traces() == before
    assert {call.operation for call in witness.tracer.calls} <= {"domain", "domains", "physinfo", "capabilities"}
    assert {type(request).__name__ for request in witness.requests} <= {"Read", "List", "Watch", "Unwatch"}


def test_conflicts(sim: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    sim.create()

    def why(**settings: object) -> object:
        return type(conflict(sim.host, sim.spec(**settings)))

    other = {"name": "other", "uuid": None}
    assert why() is DomainExists
    assert why(name="other") is DomainExists
    assert why(**other) is DeviceError, "the disk is in use"
    assert why(**other, disk=None) is type(None)
    assert why(**other, disk=["/no/such,raw,xvda,rw"]) is DeviceError
    assert why(**other, disk=None, vif=["bridge=/"]) is DeviceError
    assert why(**other, disk=None, memory=999999) is HostError
    assert why(**other, disk=None, dtdev=["/soc/uart"]) is UnsupportedError


def test_a_guest_that_no_host_could_take_is_no_conflict(sim: SimWorld) -> None:
    with pytest.raises(ImageError):
        conflict(sim.host, sim.spec(kernel="/no/such"))
    with pytest.raises(ConfigError):
        conflict(sim.host, sim.spec(disk=["/x.qcow2,qcow2,xvda,rw"]))


def test_the_next_domid(sim: SimWorld) -> None:
    domid = sim.create()
    assert ground_of(sim.host, sim.spec()).domid == domid + 1
    destroy(sim.host, domid, str(sim.spec().uuid))
    assert ground_of(sim.host, sim.spec()).domid == domid + 1
    sim.world.hyper.rotor = plans._LAST_DOMID
    sim.create(name="last", uuid=None)
    assert ground_of(sim.host, sim.spec()).domid == 1


def test_another_host(sim: SimWorld) -> None:
    facts = HostFacts(release=(4, 18), capabilities="xen-3.0-aarch64", gpaddr_bits=36, cpus=frozenset({0, 1}))
    spec = sim.spec(gic_version="v2")
    made = plan(spec, Ground(facts, 2, Domid(7)))
    assert (made.domid, made.ground.gic) == (7, 2)
    with pytest.raises(UnsupportedError, match="this host has no such controller"):
        plan(spec, Ground(facts, 3))


def test_the_hosts_own_controller_and_pools(tmp_path: Path) -> None:
    machine: Machine = DEFAULT.replace(gic=2, gpaddr_bits=36, pools=((2, (3,)),))
    sim = SimWorld(tmp_path, machine)
    sim.host.store.write("/local/pool/2/name", "quick")
    spec = sim.spec(pool="quick", disk=None, vif=None)
    ground = ground_of(sim.host, spec)
    assert (ground.gic, ground.facts.gpaddr_bits) == (2, 36)
    created = next(step for step in plan(spec, ground).steps if step.operation == "create")
    assert created.arguments["request"]["cpupool"] == 2  # type: ignore[index]
    sim.host.close()
