"""What is left over is found and removed; what may belong to a living domain is not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.fakehost import BACKENDS
from tests.support.simworld import SimWorld
from xenvm.errors import HostError
from xenvm.host.sim.hypervisor import SimHypervisor
from xenvm.host.trace import Tracer
from xenvm.ops import gc
from xenvm.ops.gc_rules import Finding
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[SimWorld]:
    sim = SimWorld(tmp_path)
    yield sim
    sim.host.close()


def ids(found: list[Finding]) -> list[str]:
    return [finding.id for finding in found]


def removed(sim: SimWorld) -> None:
    """All that is certain goes."""
    assert gc.remove(sim.host, gc.choose(gc.find(sim.host), [], True)) == []
    sim.world.settle()


# What is alive.


def test_nothing_at_all(sim: SimWorld) -> None:
    """The host itself has its nodes, too."""
    for path in ("/vm/00000000-0000-0000-0000-000000000000/uuid", "/libxl/0/type", f"{BACKENDS}/qdisk/0/1/state"):
        sim.host.store.write(path, "1")
    assert gc.find(sim.host) == []


@pytest.mark.parametrize("paused", [False, True])
def test_our_guests(sim: SimWorld, paused: bool) -> None:
    sim.create(paused=paused, vuart="sbsa_uart")
    assert gc.find(sim.host) == []
    sim.world.settle()
    assert gc.find(sim.host) == []


def test_a_guest_that_went_down_and_one_that_is_paused(sim: SimWorld) -> None:
    domid = sim.create()
    sim.world.settle()
    sim.host.hyper.pause(domid)
    assert gc.find(sim.host) == []
    sim.host.hyper.unpause(domid)
    sim.host.hyper.shutdown(domid, 1)
    assert gc.find(sim.host) == []


def test_what_changes_between_two_looks_is_somebodys_work(sim: SimWorld) -> None:
    """A toolstack without the lock: its domain has more memory the second time."""
    sim.host.store.write("/libxl/77/x", "")
    tracer = Tracer(sim.world.hyper)
    domid = tracer.hyper.create(_request()).domid
    looks = count(1)

    def domains() -> object:
        sim.world.hyper.set_max_mem(domid, 4 * next(looks))  # type: ignore[arg-type]
        return SimHypervisor.domains(sim.world.hyper)

    sim.world.hyper.domains = domains  # type: ignore[assignment,method-assign]
    assert [finding.id for finding in _plainly(sim)] == ["nodes:/libxl/77"]


def _plainly(sim: SimWorld) -> list[Finding]:
    """`find` without the holders, for whom Xen is asked once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xenvm.ops.gc_holders.with_holders", lambda _host, found: found)
        return gc.find(sim.host)


def _request() -> object:
    from xenvm.host.hyper import CreateRequest

    return CreateRequest(OTHER, 1)


def test_a_finding_that_has_come_to_life_is_left_alone(sim: SimWorld) -> None:
    sim.host.store.write("/local/domain/1/name", "g")
    found = gc.find(sim.host)
    assert ids(found) == ["nodes:/local/domain/1"]
    sim.create()
    assert gc.remove(sim.host, found) == []
    assert sim.read("/local/domain/1/name") == "g"


@pytest.mark.parametrize("junk", ["0x5", "05", "-1", "32752", "5 ", "junk", "9" * 30])
def test_names_that_are_no_domids(sim: SimWorld, junk: str) -> None:
    if " " not in junk:
        for top in ("/local/domain", "/libxl", "/vm", f"{BACKENDS}/vbd"):
            sim.host.store.write(f"{top}/{junk}/x", "1")
    assert gc.find(sim.host) == []


def test_what_a_guest_writes_is_not_looked_at(sim: SimWorld) -> None:
    domid = sim.create()
    sim.world.settle()
    for path in ("device/vbd/51712/backend", "device/vif/0/state", "control/shutdown", "data/x"):
        sim.host.store.write(f"/local/domain/{domid}/{path}", "/local/domain/0/backend/vbd/9/9")
    before = sim.traces()["nodes"]
    assert gc.find(sim.host) == [] and sim.traces()["nodes"] == before


# What is left over.


def half_built(sim: SimWorld) -> Domid:
    return sim.world.hyper.create(_request()).domid  # type: ignore[arg-type]


def test_a_domain_without_a_name(sim: SimWorld) -> None:
    before = sim.traces()
    domid = half_built(sim)
    (finding,) = gc.find(sim.host)
    assert (finding.id, finding.sure, finding.remedy) == (f"domain:{domid}", True, f"xenvm destroy {domid}")
    assert "has never run and has no name" in finding.sentence
    removed(sim)
    assert sim.traces() == before


def test_a_domain_that_nobody_has_a_record_of(sim: SimWorld) -> None:
    """Another toolstack's, perhaps: it goes only by its own id."""
    before = sim.traces()
    domid = half_built(sim)
    sim.host.store.write(f"/local/domain/{domid}/name", "alien")
    (finding,) = found = gc.find(sim.host)
    assert "alien, has never run, and no toolstack has a record of it" in finding.sentence and not finding.sure
    assert gc.choose(found, [], True) == gc.choose(found, ["domain"], False) == []
    assert gc.remove(sim.host, gc.choose(found, [finding.id], False)) == []
    assert sim.traces() == before


def test_a_domain_whose_configuration_was_never_recorded(sim: SimWorld) -> None:
    domid = sim.create(paused=True)
    info = sim.host.hyper.domain(domid)
    assert info is not None
    sim.host.plumbing.userdata.UserData(domid, info.uuid).delete_all()
    (finding,) = gc.find(sim.host)
    assert "has not recorded its configuration" in finding.sentence and not finding.sure


def test_a_guest_that_runs_without_a_name_is_left_alone(sim: SimWorld) -> None:
    """Whatever has become of its nodes: it is shown, and goes only if somebody names it."""
    domid = sim.create()
    sim.world.settle()
    sim.host.store.remove(f"/local/domain/{domid}/name")
    (finding,) = gc.find(sim.host)
    assert finding.id == f"domain:{domid}" and not finding.sure and "runs, and has no name" in finding.sentence
    assert gc.choose([finding], [], True) == []


@pytest.mark.parametrize("node", ["/libxl/{}/ending", ""])
def test_a_destruction_that_was_cut_short(sim: SimWorld, node: str) -> None:
    before = sim.traces()
    domid = sim.create()
    sim.world.settle()
    if node:
        sim.host.store.write(node.format(domid), "1")
    else:  # xl pauses it and removes the name first, too
        sim.host.hyper.pause(domid)
        sim.host.store.remove(f"/local/domain/{domid}")
    (finding,) = gc.find(sim.host)
    assert finding.id == f"domain:{domid}" and "did not end it" in finding.sentence
    assert any(holder.endswith(f"by its back end vbd/{domid}/51712") for holder in finding.holders)
    gc.remove(sim.host, [finding])
    sim.world.settle()
    assert sim.traces() == before


def test_a_zombie(sim: SimWorld) -> None:
    domid = sim.create()
    sim.world.settle()
    side = sim.world.back_side()
    sim.world.hyper.all[domid].grants.entries[400] = sim.world.hyper.all[domid].grants.entries[0]
    side.map_grant(domid, 400)
    sim.host.hyper.destroy(domid)
    sim.world.settle()
    zombie = gc.find(sim.host)[0]
    assert zombie.id == f"zombie:{domid}" and "of its pages are still held" in zombie.sentence
    assert "still held by another domain" in gc.remove(sim.host, [zombie])[-1]
    assert ids(gc.find(sim.host)) == [f"zombie:{domid}"], "its nodes and back ends have gone"
    side.unmap_grant(domid, 400)
    assert gc.find(sim.host) == []


def test_nodes_of_domains_that_are_no_more(sim: SimWorld) -> None:
    before = sim.traces()
    for path in (
        "/local/domain/77/vuart/0/tty",
        "/libxl/77/device/vbd/51712/backend",
        f"/vm/{OTHER}/uuid",
        f"{BACKENDS}/vbd/77/51712/params",
        f"{BACKENDS}/console/78/0/state",
    ):
        sim.host.store.write(path, "1")
    sim.host.store.mkdir(f"{BACKENDS}/vif/79")
    sim.host.store.mkdir(f"{BACKENDS}/vtpm")
    found = gc.find(sim.host)
    assert ids(found) == [
        "backend:vbd/77/51712",
        "backend:console/78/0",
        "nodes:/local/domain/77",
        "nodes:/libxl/77",
        f"nodes:/vm/{OTHER}",
        f"nodes:{BACKENDS}/vif/79",
        f"nodes:{BACKENDS}/vtpm",
    ]
    removed(sim)
    assert sim.traces() == before


def test_an_orphan_back_end_gives_back_its_loop_device(sim: SimWorld) -> None:
    """Whoever killed the guest did not tell its back ends."""
    before = sim.traces()
    domid = sim.create(vif=None)
    sim.world.settle()
    sim.host.hyper.destroy(domid)
    sim.host.store.remove(f"/libxl/{domid}")
    assert f"backend:vbd/{domid}/51712" in ids(gc.find(sim.host))
    removed(sim)
    assert sim.traces() == before


def test_a_loop_device_that_nobody_uses(sim: SimWorld) -> None:
    sim.create()
    sim.world.plumbing.block.loops.restore([("/dev/simloop7", "/old.img", False)])
    (finding,) = gc.find(sim.host)
    assert (finding.id, finding.kind) == ("loop:/dev/simloop7", "loop")
    removed(sim)
    assert list(sim.world.plumbing.block.loops) == ["/dev/simloop0"]


def test_devices_that_were_left_halfway(sim: SimWorld) -> None:
    domid = sim.create()
    sim.world.settle()
    back = f"{BACKENDS}/vif/{domid}/0"
    sim.host.store.write(f"/libxl/{domid}/device/vif/0/attaching", "1 99")
    (finding,) = gc.find(sim.host)
    assert finding.id == f"device:{domid}/vif/0" and "process 1, which was to do it, has died" in finding.sentence
    assert finding.remedy == f"xenvm network-detach {domid} 0 --force"
    sim.host.store.remove(f"/libxl/{domid}/device/vif/0/attaching")
    sim.host.store.write(f"{back}/online", "0")
    (finding,) = found = gc.find(sim.host)
    assert "was told to close, and its back end is still 4 Connected" in finding.sentence
    assert gc.choose(found, [], True) == []
    sim.host.store.write(f"{back}/state", "5")
    sim.world.settle()
    (finding,) = gc.find(sim.host)
    assert "it was not cleared away" in finding.sentence
    removed(sim)
    assert sim.read(f"{back}/state") is None and sim.read(f"/libxl/{domid}/device/vif/0") is None
    assert gc.find(sim.host) == []


# Choosing.


def test_choosing(sim: SimWorld) -> None:
    sim.host.store.write("/libxl/77/x", "")
    sim.host.store.write("/local/domain/77/x", "")
    sim.world.plumbing.block.loops["/dev/simloop7"] = "/old.img", False
    found = gc.find(sim.host)
    assert ids(gc.choose(found, ["nodes"], False)) == ["nodes:/local/domain/77", "nodes:/libxl/77"]
    assert ids(gc.choose(found, ["loop", "nodes:/libxl/77"], False)) == ["nodes:/libxl/77", "loop:/dev/simloop7"]
    assert gc.choose(found, ["zombie"], False) == [] and gc.choose(found, [], True) == found
    with pytest.raises(HostError, match="nodes:/nowhere is nothing that was found, and no kind"):
        gc.choose(found, ["nodes:/nowhere"], False)


def test_what_would_not_go_is_told(sim: SimWorld) -> None:
    domid = half_built(sim)
    found = gc.find(sim.host)
    tracer = Tracer(sim.world.hyper)
    tracer.fail(("destroy", 1), 1)
    sim.host.intercept(tracer.hyper)
    (trouble,) = gc.remove(sim.host, found)
    assert trouble.startswith(f"domain:{domid} was not removed: destroy for domain {domid}: EPERM")
