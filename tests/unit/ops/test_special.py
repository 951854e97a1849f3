"""What few guests ask for: on a simulated host that has it all, and on one that has none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenbus.errors import StoreTimeout
from xenvm.errors import ConfigError, DeviceError, HypercallError, UnsupportedError
from xenvm.host.hyper import Scheduling
from xenvm.host.sim.machine import DEFAULT
from xenvm.ops import create

RICH = DEFAULT.replace(
    xen=(4, 22), sve_bits=512, vpmu=True, tee="optee", scmi=True, llc_colors=16, labels=("init:r:t", "guest:r:t")
)
VIRTIO = "type=virtio,device22,transport=mmio"


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    return SimWorld(tmp_path)


@pytest.fixture
def rich(tmp_path: Path) -> SimWorld:
    return SimWorld(tmp_path, RICH)


def test_scheduling(world: SimWorld) -> None:
    domid = world.create(vcpus=2, cpu_weight=512, cap=150)
    assert world.host.hyper.scheduling(domid) == Scheduling(weight=512, cap=150)


def test_scheduling_of_rtds(tmp_path: Path) -> None:
    world = SimWorld(tmp_path, DEFAULT.replace(scheduler="rtds"))
    domid = world.create(period=20000, extratime=0)
    assert world.host.hyper.all[domid].scheduling == Scheduling(period=20000, budget=4000, extratime=False)
    with pytest.raises(ConfigError, match=r"`cpu_weight' is for the scheduler credit and credit2; .* has rtds"):
        world.create(name="h", cpu_weight=3)


def test_what_creation_asks_for(rich: SimWorld) -> None:
    domid = rich.create(sve="hw", tee="optee", arm_sci="type=scmi_smc", vpmu=1, trap_unmapped_accesses=0)
    request = rich.host.hyper.all[domid].request
    assert (request.sve_bits, request.tee, request.sci, request.vpmu) == (512, "optee", "scmi_smc", True)
    assert not request.trap_unmapped


def test_colors_come_before_the_memory(rich: SimWorld) -> None:
    domid = rich.create(llc_colors=["0-2", "7"])
    assert rich.host.hyper.all[domid].colors == (0, 1, 2, 7)
    with pytest.raises(UnsupportedError, match="`llc_colors' is not possible: the cache has fewer colors"):
        rich.create(name="h", uuid="22222222-2222-3333-4444-555555555555", disk=[], llc_colors=["16"])
    assert len(rich.host.hyper.domains()) == 2, "nothing of it is left"


def test_labels(rich: SimWorld) -> None:
    domid = rich.create(init_seclabel="init:r:t", seclabel="guest:r:t")
    assert rich.host.hyper.all[domid].request.ssidref == 1
    assert rich.host.hyper.all[domid].ssidref == 2
    with pytest.raises(ConfigError, match="`seclabel': the security policy has no label `x'"):
        rich.create(name="h", seclabel="x")
    with pytest.raises(ConfigError, match="`init_seclabel' needs `seclabel'"):
        rich.create(name="h", init_seclabel="init:r:t")


def test_a_claim_is_given_back(world: SimWorld) -> None:
    domid = world.create(claim=1)
    assert world.host.hyper.all[domid].claimed == 0


def test_a_claim_that_does_not_fit(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    hyper = world.host.hyper

    def too_much(domid: int, pages: int) -> None:
        raise HypercallError("claim_pages", 12, domid=domid)

    monkeypatch.setattr(hyper, "claim", too_much)
    with pytest.raises(HypercallError):
        world.create(claim=1)
    assert len(hyper.domains()) == 1


def test_limits_in_the_store(world: SimWorld) -> None:
    domid = world.create(xenstore_quota=["nodes=77", "watches=0x10"], xenstore_feature_mask=0)
    domain = world.world.xenstored.engine.domains.find(domid)
    assert domain is not None and domain.features == 0
    assert [domain.quotas.value(name) for name in (b"nodes", b"watches")] == [77, 16]
    with pytest.raises(ConfigError, match="there is no shoes, only "):
        world.create(name="h", xenstore_quota=["shoes=2"])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"sve": "128"}, "this host has no SVE for guests"),
        ({"vpmu": 1}, "this Xen was started without vpmu"),
        ({"tee": "optee"}, "Xen refused tee=optee: this host's firmware, or its Xen, has none"),
        ({"arm_sci": "type=scmi_smc"}, "SCMI came with Xen 4.21, this is 4.20"),
        ({"trap_unmapped_accesses": 0}, "it can be 0 from Xen 4.21, this is 4.20"),
        ({"llc_colors": ["0"]}, "Xen was started without cache coloring"),
        ({"seclabel": "a:b:c"}, "this Xen is built without Flask"),
    ],
)
def test_what_this_host_does_not_have(world: SimWorld, settings: dict[str, object], reason: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        world.create(**settings)
    assert reason in str(caught.value)
    assert len(world.host.hyper.domains()) == 1


def test_what_an_older_xen_does_not_have(tmp_path: Path) -> None:
    world = SimWorld(tmp_path, DEFAULT.replace(xen=(4, 17)))
    for settings in ({"sve": "hw"}, {"tee": "ffa"}, {"llc_colors": ["0"]}, {"virtio": [VIRTIO]}):
        with pytest.raises(UnsupportedError, match=r"came with Xen 4\.(18|20), this is 4\.17"):
            world.create(**settings)


def test_virtio(world: SimWorld) -> None:
    domid = world.create(virtio=[VIRTIO, "type=virtio,device29,transport=mmio,grant_usage=1"])
    back = f"/local/domain/0/backend/virtio/{domid}"
    assert [world.read(f"{back}/{n}/{key}") for n in (0, 1) for key in ("base", "irq", "type", "grant_usage")] == [
        *("0x2000000", "33", "virtio,device22", "0"),
        *("0x2000200", "34", "virtio,device29", "1"),
    ]
    assert world.host.hyper.all[domid].request.nr_spis == 3
    assert world.destroy(domid) == []
    assert world.read(f"{back}/0/base") is None


def test_a_driver_domain(world: SimWorld) -> None:
    domid = world.create(driver_domain=1)
    assert world.read(f"/local/domain/{domid}/libxl") == ""
    assert world.read(f"/local/domain/{domid}/device-model") == ""


def test_a_back_end_that_is_not_there(world: SimWorld) -> None:
    for settings in ({"vif": ["backend=net"]}, {"virtio": [f"backend=net,{VIRTIO}"]}):
        with pytest.raises(DeviceError, match="there is no domain net to serve it"):
            world.create(**settings)
    assert len(world.host.hyper.domains()) == 1


def test_a_back_end_in_a_driver_domain(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its nodes are there, nothing is plugged here; and as nobody serves them in this world, nothing is left."""
    server = world.create(driver_domain=1, disk=[], vif=[])
    before, seen = world.traces(), {}

    def ready(device: str, state: bytes | None, by: int) -> bool:
        assert by == server or device.startswith("console")
        back = f"/local/domain/{server}/backend/vif/{int(server) + 1}/0"
        seen[device] = (state, world.read(f"{back}/frontend-id"), world.read(f"{back}/bridge"))
        return False

    monkeypatch.setattr(create, "back_end_ready", ready)
    with pytest.raises(StoreTimeout, match="vif 0"):
        world.create(
            name="client", uuid="22222222-2222-3333-4444-555555555555", disk=[], vif=["backend=g,bridge=not-here"]
        )
    assert seen == {"vif 0": (b"1", str(int(server) + 1), "not-here")}
    assert world.traces() == before


def test_no_bootloader_on_a_simulated_host(world: SimWorld) -> None:
    with pytest.raises(UnsupportedError, match="a simulated host has no programs such as pygrub"):
        world.create(bootloader="pygrub")
