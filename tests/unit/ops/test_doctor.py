"""What doctor finds on a host where all is well, and where each thing is wrong; no check hides another."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peerworld import PeerWorld
from xenbus.errors import AccessDenied, NoStore, StoreClosed
from xenvm.errors import HostError, HypercallError
from xenvm.host.hyper import CreateRequest
from xenvm.host.open import Host
from xenvm.host.plumbing.survey import FAIL, OK, WARN, Finding
from xenvm.host.sim.machine import DEFAULT
from xenvm.host.sim.world import World
from xenvm.ops import doctor, gc
from xenvm.ops.gc_scene import BACK_ENDS
from xenvm.types import Domid


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[PeerWorld]:
    made = PeerWorld(tmp_path)
    yield made
    made.host.close()


def bad(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    """(check, sentence) of all that is not well, each of which says how to mend it."""
    found = [finding for finding in findings if finding.level != OK]
    assert all(finding.fix for finding in found if finding.check not in ("store", "hypervisor", "disk"))
    return [(finding.check, finding.sentence) for finding in found]


def test_a_host_where_all_is_well(peers: PeerWorld) -> None:
    peers.create("g", disks=1, vifs=1)
    assert bad(doctor.examine(peers.host)) == []


def test_services_that_are_missing(peers: PeerWorld) -> None:
    peers.world.faults.services.update(vbd="missing", console="missing")
    found = [finding.sentence for finding in doctor.examine(peers.host) if finding.level == FAIL]
    assert found == ["no back end for vbd runs on this simulated host", "xenconsoled is not running"]


def test_what_dead_guests_have_left(peers: PeerWorld) -> None:
    crashed = peers.create("c", extra="xenvm.behaviour=crash")
    zombie = peers.create("z", vifs=1)
    peers.world.store.write("/libxl/77/device", "")
    peers.world.store.write("/local/domain/junk/x", "")
    peers.world.hyper.destroy(zombie)  # by another toolstack: its back end still maps its rings
    found = bad(doctor.examine(peers.host))
    assert ("guest", f"domain {crashed} has shut down, and still has its memory and devices") in found
    assert any(check == "stale nodes" and "77" in sentence for check, sentence in found)


def test_a_zombie(peers: PeerWorld) -> None:
    domid = peers.create("z", vifs=1)
    peers.world.faults.services["vif"] = "stuck"
    peers.world.hyper.destroy(domid)
    held = [finding for finding in doctor.examine(peers.host) if finding.check == "zombie"]
    assert [finding.sentence.startswith(f"domain {domid} is dead, and ") for finding in held] == [True]


UUID = "99999999-2222-3333-4444-555555555555"


def test_what_gc_finds_is_named_with_what_removes_it(peers: PeerWorld) -> None:
    peers.world.hyper.create(CreateRequest(UUID, 1))
    store = peers.world.store
    for path in (f"{BACK_ENDS}/vbd/77/51712/params", "/libxl/78/x", "/local/domain/79/name", f"/vm/{UUID[:-1]}4/uuid"):
        store.write(path, "1")
    store.mkdir(f"{BACK_ENDS}/vif/80")
    found = {finding.sentence: (finding.check, finding.fix) for finding in doctor.examine(peers.host)}
    said = "domain 1 has never run and has no name in the store: whoever created it did not end it"
    assert found[said] == ("guest", "xenvm destroy 1")
    said = f"{BACK_ENDS}/vbd/77/51712 is the back end of a domain that does not exist"
    assert found[said] == ("back end", "xenvm gc --remove backend:vbd/77/51712")
    stale = {fix.rpartition(":")[2] for check, fix in found.values() if check == "stale nodes"}
    assert stale == {"/libxl/78", "/local/domain/79", f"/vm/{UUID[:-1]}4", f"{BACK_ENDS}/vif/80"}


def test_all_that_gc_finds_is_in_doctor_s_words(peers: PeerWorld) -> None:
    domid = peers.create("g", disks=1, vifs=1)
    peers.world.store.write(f"{BACK_ENDS}/vif/{domid}/0/online", "0")
    peers.world.store.write(f"/libxl/{domid}/device/vbd/51712/attaching", "1 99")
    peers.world.store.write(f"{BACK_ENDS}/vbd/77/51712/params", "1")
    told = bad(doctor.examine(peers.host))
    left = gc.find(peers.host)
    assert len(left) == 3 and {finding.sentence for finding in left} <= {sentence for _, sentence in told}


def test_many_leftovers_are_counted(peers: PeerWorld) -> None:
    for domid in range(100, 125):
        peers.world.store.write(f"/libxl/{domid}/x", "")
    stale = [finding for finding in doctor.examine(peers.host) if finding.check == "stale nodes"]
    assert len(stale) == 11
    assert (stale[-1].sentence, stale[-1].fix) == ("and 15 more of the kind nodes", "xenvm gc --remove nodes")


def test_little_memory(tmp_path: Path) -> None:
    peers = PeerWorld(tmp_path)
    peers.host.world = peers.world = World(DEFAULT.replace(memory=32), files=lambda: str(peers.files))
    peers.host.intercept(peers.world.hyper)
    assert bad(doctor.examine(peers.host)) == [
        ("memory", "32 MiB are free for guests"),
        ("memory", "domain 0 has 1024 MiB, more than half of the host's: xenvm never takes memory from it"),
    ]


def test_a_store_that_nobody_has_prepared(peers: PeerWorld) -> None:
    peers.world.store.remove("/local/domain/0/domid")
    assert [check for check, _ in bad(doctor.examine(peers.host))] == ["store"]


@pytest.mark.parametrize(
    ("error", "level", "sentence"),
    [
        (NoStore("no store answers"), FAIL, "no store answers"),
        (AccessDenied("EACCES", "list", "/"), FAIL, "the store refuses to be read: its daemon is of another version"),
        (StoreClosed("/socket", "the server ended it"), FAIL, "the store at /socket"),
    ],
)
def test_a_store_that_does_not_answer(
    peers: PeerWorld, monkeypatch: pytest.MonkeyPatch, error: Exception, level: str, sentence: str
) -> None:
    def fail(_path: str) -> tuple[str, ...]:
        raise error

    monkeypatch.setattr(peers.world.store, "list", fail)
    (found,) = [finding for finding in doctor.examine(peers.host) if finding.check == "store"]
    assert found.level == level and sentence in found.sentence


@pytest.mark.parametrize("error", [HostError("must be root: /dev/xen/privcmd"), HypercallError("domctl", errno.EPERM)])
def test_a_hypervisor_that_cannot_be_used(peers: PeerWorld, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Refusing:
        @property
        def version(self) -> None:
            raise error

        def domains(self) -> None:
            raise error

    peers.host.intercept(Refusing())  # type: ignore[arg-type]
    found = {finding.check: finding for finding in doctor.examine(peers.host) if finding.level == FAIL}
    assert found["hypervisor"].sentence == str(error)
    assert found["guests"].sentence == f"cannot be looked at: {error}"


@pytest.mark.parametrize(("installed", "wrong"), [([], False), (["4.17", "4.20"], False), (["4.17"], True)])
def test_tools_of_another_release(
    peers: PeerWorld, monkeypatch: pytest.MonkeyPatch, installed: list[str], wrong: bool
) -> None:
    monkeypatch.setattr(peers.world.plumbing.survey, "tool_releases", lambda: installed)
    assert ("version" in [check for check, _ in bad(doctor.examine(peers.host))]) == wrong


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {"click": "x", "no_such_package": "the moon"})
    last = list(doctor.packages())[-1]
    assert (last.level, last.fix) == (FAIL, "pip install no_such_package")


def test_a_machine_that_has_no_xen_at_all() -> None:
    with Host() as host:
        found = list(doctor.examine(host))
    levels = {finding.check: finding.level for finding in found}
    assert levels["python"] == OK and levels["hypervisor"] == levels["store"] == FAIL


# A guest's own needs.


def config(peers: PeerWorld, **settings: object) -> str:
    values = {"name": "n", "kernel": str(peers.folder / "Image"), "memory": 64, **settings}
    path = peers.folder / "n.cfg"
    path.write_text("".join(f"{key} = {value!r}\n" for key, value in values.items()))
    return str(path)


def test_a_configuration_that_can_be_created(peers: PeerWorld) -> None:
    before = peers.world.hyper.free_pages
    found = list(doctor.needs(peers.host, config(peers, disk=[peers._disk("n", 0)], vif=["bridge=xenbr0"])))
    assert [finding.level for finding in found] == [OK] * 3
    assert found[-1].sentence.startswith("n can be created: ")
    assert peers.world.hyper.free_pages == before and list(peers.world.hyper.all) == [0]
    assert [finding.level for finding in doctor.needs(peers.host, config(peers))] == [OK, OK]


def test_what_a_configuration_lacks(peers: PeerWorld) -> None:
    peers.world.faults.bridges.add("br7")
    found = bad(doctor.needs(peers.host, config(peers, disk=["/nowhere,raw,xvda,w"], vif=["bridge=br7"])))
    assert found == [("disk", "the disk's file /nowhere is gone"), ("vif", "bridge br7 does not exist")]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"memory": 1 << 19}, "create would refuse it: n: not enough memory"),
        ({"name": "Domain-0"}, "create would refuse it: a domain named 'Domain-0' exists already: domid 0"),
        ({"kernel": "/nowhere"}, "/nowhere"),
        ({"memory": "x"}, "memory"),
    ],
)
def test_what_create_would_refuse(peers: PeerWorld, settings: dict[str, object], sentence: str) -> None:
    last = list(doctor.needs(peers.host, config(peers, **settings)))[-1]
    assert last.level == FAIL and sentence in last.sentence


def test_a_configuration_that_is_not_there(peers: PeerWorld) -> None:
    (found,) = doctor.needs(peers.host, "/nowhere.cfg")
    assert found.level == FAIL and "/nowhere.cfg" in found.sentence
    assert WARN not in found.level


def test_a_domain_that_is_used_as_name(peers: PeerWorld) -> None:
    peers.create("n")
    assert "exists already" in list(doctor.needs(peers.host, config(peers)))[-1].sentence
    assert peers.world.hyper.domain(Domid(1)) is not None
