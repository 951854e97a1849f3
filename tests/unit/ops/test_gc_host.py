"""What gc finds and leaves alone on a host with the real plumbing: xl's guests, locks, files, disks, interfaces."""

from __future__ import annotations

import os

import pytest

from tests.support.fakehost import BACKENDS, UUID, FakeHost
from xenvm.errors import HostError
from xenvm.host.plumbing import block, locks
from xenvm.host.plumbing.locks import host_lock
from xenvm.host.plumbing.userdata import UserData
from xenvm.ops import gc
from xenvm.ops.gc_rules import Finding
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"


@pytest.fixture
def real(world: FakeHost) -> FakeHost:
    """A host with the real plumbing, where two looks are not apart."""
    world.patch.setattr(gc, "SETTLE_SECONDS", 0.0)
    world.patch.setattr(gc, "LOCK_SECONDS", 0.0)
    return world


def ids(found: list[Finding]) -> list[str]:
    return [finding.id for finding in found]


def test_a_guest_of_xl(real: FakeHost) -> None:
    """With a disk by the block script, whose loop device has no mark, and one of its own that nobody uses."""
    disk = real.file("theirs.img", bytes(512))
    real.hyper.add(UUID)
    real.loops.attach(disk, readonly=False)
    real.loops.attach(disk, readonly=False)
    home, record, back_end = "/local/domain/1", "/libxl/1/device/vbd/51712", f"{BACKENDS}/vbd/1/51712"
    for path, value in {
        f"{home}/vm": f"/vm/{UUID}",
        f"{home}/name": "theirs",
        f"/vm/{UUID}/uuid": UUID,
        f"{record}/backend": back_end,
        f"{back_end}/node": "/dev/loop0",
        f"{back_end}/online": "1",
        f"{back_end}/state": "4",
    }.items():
        real.store.put(path, value)
    assert gc.find(real.host) == []


def test_a_guest_that_xen_itself_has_started(real: FakeHost) -> None:
    """No toolstack has heard of it: it has no node anywhere, also while an administrator has it paused."""
    guest = real.hyper.add(OTHER)
    assert gc.find(real.host) == []
    guest.pauses, guest.cpu_time = 1, 12345
    assert gc.find(real.host) == []


def test_a_creation_that_is_under_way_has_the_lock(real: FakeHost) -> None:
    """xl's or ours: what it has made so far is nobody's business."""
    real.hyper.add(UUID).pauses = 1
    real.store.put("/libxl/77/device")
    with host_lock(), pytest.raises(HostError, match=r"a guest is being created: .* has had the lock"):
        gc.find(real.host)
    assert ids(gc.find(real.host)) == ["domain:1", "nodes:/libxl/77"]


def test_a_creation_or_a_destruction_that_goes_on(real: FakeHost) -> None:
    """After the nodes are there a creation has no lock any more: its claim says that it lives."""
    real.create(paused=True)
    assert real.store.get("/libxl/1/creating") is None
    real.hyper.all[Domid(1)].online.clear()
    assert [(finding.id, finding.sure) for finding in gc.find(real.host)] == [("domain:1", False)]
    for claim in ("creating", "ending"):
        real.store.put(f"/libxl/1/{claim}", locks.claim())
        assert gc.find(real.host) == []
        real.store.put(f"/libxl/1/{claim}", "1 1")
        assert [(finding.id, finding.sure) for finding in gc.find(real.host)] == [("domain:1", True)]


def test_a_process_that_still_attaches_is_left_alone(real: FakeHost) -> None:
    real.create()
    path = "/libxl/1/device/vif/0/attaching"
    real.store.put(path, locks.claim())
    assert gc.find(real.host) == []
    real.store.put(path, f"{os.getpid()} 1")
    assert ids(gc.find(real.host)) == ["device:1/vif/0"], "another process has that number now"


def test_files_and_locks(real: FakeHost) -> None:
    real.create()
    before = real.traces()
    folder = real.folder / "userdata"
    held = UserData(Domid(1), UUID).lock(lambda: True)
    for name in (f"userdata-d.9.{OTHER}.xl", f"userdata-d.1.{OTHER}.libxl-json", f"userdata-n.9.{OTHER}.libxl-json"):
        (folder / name).write_text("old")
    for name in (f"userdata-l.9.{OTHER}.domain-userdata-lock", "userdata-d.0.junk.xl"):
        (folder / name).write_text("")
    (real.folder / "domid-history.lock").write_text("")
    found = gc.find(real.host)
    assert sorted(os.path.basename(finding.name) for finding in found) == [
        "domid-history.lock",
        f"userdata-d.1.{OTHER}.libxl-json",
        f"userdata-d.9.{OTHER}.xl",
        f"userdata-l.9.{OTHER}.domain-userdata-lock",
        f"userdata-n.9.{OTHER}.libxl-json",
    ]
    assert gc.remove(real.host, found) == []
    held.release()
    os.unlink(folder / "userdata-d.0.junk.xl")
    assert real.traces() == before and not (real.folder / "domid-history.lock").exists()


def test_a_disk_that_is_just_being_attached_keeps_its_loop_device(real: FakeHost) -> None:
    """Who attaches it has the lock of the block scripts, until the nodes are there."""
    real.create()
    real.loops.attach(real.file("more.img", bytes(512)), readonly=False)
    (finding,) = gc.find(real.host)
    assert finding.id == "loop:/dev/loop1"
    with real.host.plumbing.block.lock():
        (trouble,) = gc.remove(real.host, [finding])
    assert "loop:/dev/loop1 was not removed" in trouble, "here the lock is not waited for"
    lock = block.lock

    def lock_late() -> locks.FileLock:
        real.store.put(f"{BACKENDS}/vbd/1/51728/node", "/dev/loop1")
        return lock()

    real.patch.setattr(block, "lock", lock_late)
    assert gc.remove(real.host, [finding]) == [] and "/dev/loop1" in real.loops.files
    real.patch.setattr(block, "lock", lock)
    real.store.drop(f"{BACKENDS}/vbd/1/51728")
    assert gc.remove(real.host, [finding]) == [] and "/dev/loop1" not in real.loops.files


def test_an_interface_without_a_back_end(real: FakeHost) -> None:
    """netback has it still, and the bridge gets frames for nobody."""
    real.net.plug("vif9.0")
    real.net.set_master(real.net.by_name["vif9.0"].index, 1)
    folder = real.folder / "net" / "renamed9"
    folder.mkdir(parents=True)
    (folder / "device").symlink_to("../../devices/vif-9-0")
    (folder / "master").symlink_to("../xenbr0")
    (finding,) = gc.find(real.host)
    assert finding.id == "vif:renamed9" and "on xenbr0 is of vif 0 of domain 9" in finding.sentence
    real.net.by_name["renamed9"] = real.net.by_name.pop("vif9.0").replace(name="renamed9")
    assert gc.remove(real.host, [finding]) == []
    assert real.net.by_name["renamed9"].master == 0
