"""The end of a domain, however odd its nodes are and whoever made it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.support.fakehost import BACKENDS, MAC, UUID, FakeHost
from xenvm.errors import HypercallError
from xenvm.host.plumbing import domids
from xenvm.host.plumbing.userdata import UserData
from xenvm.ops import destroy as module
from xenvm.ops.destroy import destroy
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"
ORDER = [
    "RM /local/domain/1/device/vbd/51712",
    "RM /local/domain/1/device/vif/0",
    f"WRITE {BACKENDS}/vbd/1/51712/online",
    f"WRITE {BACKENDS}/vbd/1/51712/state",
    f"WRITE {BACKENDS}/vif/1/0/online",
    f"WRITE {BACKENDS}/vif/1/0/state",
]


def end(world: FakeHost, domid: int = 1, uuid: str = UUID) -> list[str]:
    return destroy(world.host, Domid(domid), uuid)


def test_nothing_is_left(world: FakeHost) -> None:
    before = world.traces()
    world.create()
    assert end(world) == []
    assert world.traces() == before


def test_the_order_of_its_steps(world: FakeHost) -> None:
    world.create()
    calls, requests = len(world.hyper.log), len(world.store.log)
    end(world)
    assert [text for _, text in world.hyper.log[calls:]] == ["pause 1", "domains", "destroy 1", "domain 1"]
    changes = [f"{op} {path}" for op, path in world.store.log[requests:] if op in ("RM", "WRITE")]
    assert changes.pop(0) == "WRITE /libxl/1/ending", "who finds what is left knows that it was to go"
    assert changes[: len(ORDER)] == ORDER, "front ends go first, in one transaction: or back ends would wait for them"
    assert changes[len(ORDER) :] == [
        "RM /local/domain/1",
        f"RM /vm/{UUID}",
        *(f"RM {BACKENDS}/{kind}/1" for kind in ("console", "vbd", "vif", "vuart")),
        *(f"RM {BACKENDS}/{kind}" for kind in ("console", "vbd", "vif")),
        f"RM {BACKENDS}",
        "RM /local/domain/1",
        "RM /libxl/1",
    ]


def test_twice_is_as_good_as_once(world: FakeHost) -> None:
    before = world.traces()
    world.create()
    assert end(world) == [] == end(world)
    assert world.traces() == before


@pytest.mark.parametrize(
    "gone",
    ["/local/domain/1", "/local/domain/1/device", f"/vm/{UUID}", "/vm", f"{BACKENDS}/vbd/1", BACKENDS],
)
def test_a_part_of_it_is_gone_already(world: FakeHost, gone: str) -> None:
    world.create()
    world.store.drop(gone)
    assert end(world) == []
    assert [line for line in world.store.dump().splitlines() if "/1/" in line or UUID in line] == []
    assert sorted(world.hyper.all) == [0]


def test_without_the_toolstacks_record_the_back_ends_go_all_the_same(world: FakeHost) -> None:
    world.create()
    world.store.drop("/libxl")
    assert end(world) == []
    assert world.store.children("/local/domain/0") == ["name"]


@pytest.mark.parametrize("free", ["domain gone", "domain shut down"])
def test_a_dead_guest(world: FakeHost, free: str) -> None:
    before = world.traces()
    domid = world.create()
    if free == "domain gone":
        world.hyper.destroy(domid)
    else:
        world.hyper.go_down(domid, 3)
    assert end(world) == []
    assert world.traces() == before


def test_its_domid_is_remembered(world: FakeHost) -> None:
    world.create()
    end(world)
    assert domids.recent() == {1}


def test_its_userdata_goes(world: FakeHost) -> None:
    mine, theirs = UserData(Domid(1), UUID), UserData(Domid(2), OTHER)
    mine.write("libxl-json", b"{}")
    theirs.write("libxl-json", b"{}")
    world.create()
    end(world)
    assert (mine.read("libxl-json"), theirs.read("libxl-json")) == (None, b"{}")


def test_a_back_end_in_another_domain(world: FakeHost) -> None:
    """A driver domain unplumbs its own devices; we only ask its back end to close."""
    domid = world.create(disk=None, vif=None)
    back_end = f"/local/domain/7/backend/vbd/{domid}/51712"
    for key, value in (("backend", back_end), ("script", "/no/such")):
        world.store.put(f"/libxl/{domid}/device/vbd/51712/{key}", value)
    world.store.put(f"{back_end}/state", "4")
    world.store.on_write(f"{back_end}/state", lambda path, value: value == b"5" and world.store.put(path, "6"))
    assert end(world) == []
    assert world.store.get(f"{back_end}/online") is None
    assert not world.store.children("/local/domain/7")


# What does not go.


def test_a_back_end_that_never_closes(world: FakeHost) -> None:
    world.patch.setattr(module, "CLOSE_SECONDS", 0.0)
    before = world.traces()
    world.create()
    world.store.closing = False
    assert end(world) == [
        f"the back end of vbd 51712 of domain 1 did not close: {BACKENDS}/vbd/1/51712 is 5 Closing",
        f"the back end of vif 0 of domain 1 did not close: {BACKENDS}/vif/1/0 is 5 Closing",
    ]
    assert world.traces() == before, "all the rest is gone"


def test_a_back_end_that_was_still_starting(world: FakeHost) -> None:
    """It writes its own next state over the request to close, after it had looked for its front end."""
    world.create(vif=None)
    world.store.closing = False
    asked: list[bytes] = []

    def start(path: str, value: bytes | None) -> None:
        if value == b"5":
            asked.append(value)
            world.store.put(path, "2" if len(asked) < 3 else "6")

    world.store.on_write(f"{BACKENDS}/vbd/1/51712/state", start)
    before = world.traces()
    assert end(world) == []
    assert len(asked) == 3
    assert before != world.traces() and not world.store.children("/libxl")


def test_a_back_end_that_never_started(world: FakeHost) -> None:
    """Its driver passes over a device that is Closing when it comes to it: nobody will ever answer."""
    world.patch.setattr(module, "START_SECONDS", 0.0)
    before = world.traces()
    world.create()
    world.store.closing = False
    for device in ("vbd/1/51712", "vif/1/0"):
        world.store.tree[f"{BACKENDS}/{device}/state"] = b"1", ()
    assert end(world) == []
    assert world.traces() == before


def test_pages_that_another_domain_holds(world: FakeHost) -> None:
    world.patch.setattr(module, "GONE_SECONDS", 0.0)
    domid = world.create()
    world.hyper.all[domid].held = True
    assert end(world) == ["domain 1 is dead, but some of its pages are still held by another domain"]
    assert world.hyper.all[domid].dying and not world.store.children("/libxl")
    world.hyper.all.pop(domid)


def test_a_domain_that_goes_only_later(world: FakeHost) -> None:
    """The daemons let go of their pages when the store tells them of the death."""
    domid = world.create()
    guest = world.hyper.all[domid]
    guest.held = True
    world.store.on_write(
        f"/local/domain/{domid}", lambda path, value: (world.hyper.all.pop(domid, None), world.store.forget(domid))
    )
    assert end(world) == []
    assert sorted(world.hyper.all) == [0]


def test_a_console_daemon_that_was_still_setting_up(world: FakeHost) -> None:
    """It writes where the terminal is until it learns of the death, and with that makes the guest's nodes anew."""
    before = world.traces()
    domid = world.create()
    give_back = world.hyper.destroy

    def destroy_late(dying: Domid) -> None:
        give_back(dying)
        world.store.put(f"/local/domain/{dying}/vuart/0/tty", "/dev/pts/3")

    world.patch.setattr(world.hyper, "destroy", destroy_late)
    assert end(world, domid) == []
    assert world.traces() == before


def test_a_script_that_fails(world: FakeHost) -> None:
    before = world.traces()
    script = world.script("vif", '[ "$1" = online ] || { echo no >&2; exit 3; }')
    world.create(vif=[f"mac={MAC},bridge=xenbr0,script={script}"])
    (trouble,) = end(world)
    assert trouble == f"vif 0 of domain 1: '{script} offline type_if=vif' failed with exit status 3"
    assert world.traces() == before


@pytest.mark.parametrize("folder", ["domid-history.new", "userdata"])
def test_files_that_cannot_be_written(world: FakeHost, folder: str) -> None:
    before = world.traces()
    world.create()
    if folder == "userdata":
        (world.folder / folder / f"userdata-d.1.{UUID}.x").mkdir(parents=True)
    else:
        (world.folder / folder).mkdir()
    (trouble,) = end(world)
    assert "domid-history" in trouble or "userdata-d.1" in trouble
    assert {**world.traces(), "files": None} == {**before, "files": None}


def test_xen_refuses(world: FakeHost) -> None:
    world.create()
    world.hyper.fail_at(("pause", 1), errno.EINVAL)
    world.hyper.fail_at(("destroy", 1), errno.EPERM)
    with pytest.raises(HypercallError, match="destroy for domain 1: EPERM"):
        end(world)
    assert end(world) == [], "nothing was lost: another try finds it all"


# Other toolstacks' guests, and successors.


def test_a_guest_of_xl(world: FakeHost, tmp_path: Path) -> None:
    """Its loop device was set up by the block script, which names the file in params and the device in node."""
    before = world.traces()
    disk = world.file("theirs.img", bytes(512))
    guest = world.hyper.add(UUID)
    world.loops.attach(disk, readonly=False)
    home, record, back_end = "/local/domain/1", "/libxl/1/device/vbd/51712", f"{BACKENDS}/vbd/1/51712"
    world.store.put(f"{home}/vm", f"/vm/{UUID}")
    world.store.put(f"/vm/{UUID}/uuid", UUID)
    world.store.put(f"{home}/device/vbd/51712/backend", back_end)
    for key, value in {"script": "/etc/xen/scripts/block", "params": disk, "state": "1", "backend": back_end}.items():
        world.store.put(f"{record}/{key}", value)
    for key, value in {"node": "/dev/loop0", "params": disk, "state": "4"}.items():
        world.store.put(f"{back_end}/{key}", value)
    assert end(world, guest.domid) == []
    assert world.traces() == before


def test_a_loop_device_with_another_file_by_now_is_left_alone(world: FakeHost) -> None:
    world.create()
    world.loops.files["/dev/loop0"] = "/somebody/elses.img"
    assert end(world) == []
    assert world.loops.files == {"/dev/loop0": "/somebody/elses.img"}


def test_a_successor_with_the_same_uuid_keeps_its_nodes(world: FakeHost) -> None:
    first = world.create(disk=None)
    world.hyper.go_down(first, 3)
    world.store.put(f"/local/domain/{first}/name", "preserved")
    second = world.create()
    assert end(world, first) == []
    assert world.store.get(f"/vm/{UUID}/uuid") == UUID.encode()
    assert end(world, second) == []
    assert not world.store.children("/vm")


def test_a_predecessor_that_was_set_aside_goes_with_its_own(world: FakeHost) -> None:
    first = world.create(disk=None)
    world.hyper.go_down(first, 3)
    world.store.put(f"/local/domain/{first}/name", "g-aside")
    world.store.put(f"/local/domain/{first}/vm", f"/vm/{OTHER}")
    world.store.put(f"/vm/{OTHER}/uuid", OTHER)
    world.create()
    assert end(world, first) == []
    assert world.store.children("/vm") == [UUID]


def test_a_conflict_is_tried_again(world: FakeHost) -> None:
    """A guest that runs could change its nodes meanwhile."""
    before = world.traces()
    world.create()
    log = len(world.store.log)
    end(world)
    plan = [operation for operation, _ in world.store.log[log:]]
    ends = [n for n, operation in enumerate(plan, 1) if operation == "TRANSACTION_END"]
    assert len(ends) == 2
    for n in ends:
        domid = world.create()
        world.host.store.read("/")
        world.store.inject(world.store.count + n, "EAGAIN")
        assert end(world, domid) == []
        assert world.traces() == before
