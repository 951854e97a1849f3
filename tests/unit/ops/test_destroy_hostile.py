"""A guest's end where its nodes are not what they should be: nothing of anybody else's is touched."""

from __future__ import annotations

import pytest

from tests.support.fakehost import BACKENDS, UUID, FakeHost
from xenvm.ops.destroy import destroy
from xenvm.ops.records import belongings
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"


def end(world: FakeHost, domid: int = 1, uuid: str = UUID) -> list[str]:
    return destroy(world.host, Domid(domid), uuid)


def neighbour(world: FakeHost) -> Domid:
    """Another guest with a disk and a vif, which must not be touched."""
    disk = world.file("other.img", bytes(512))
    return world.create(
        name="other", uuid=OTHER, disk=[f"{disk},raw,xvda,rw"], vif=["bridge=xenbr0,mac=00:16:3e:00:00:01"]
    )


# What a guest can write is never followed.


HOSTILE = {
    "another guest's": f"{BACKENDS}/vbd/2/51712",
    "the host's own": "/local/domain/0",
    "the root": "/",
    "no path": "../../etc\n",
    "huge": "/" + "x" * 3000,
    "binary": b"\xff\xfe\0\x01",
    "empty": "",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("node", ["backend", "state", "backend-id"])
def test_a_hostile_front_end(world: FakeHost, value: str | bytes, node: str) -> None:
    world.create()
    neighbour(world)
    theirs = {path: node for path, node in world.store.tree.items() if "/2" in path or OTHER in path}
    for device in ("vbd/51712", "vif/0"):
        world.store.put(f"/local/domain/1/device/{device}/{node}", value)
    world.store.put("/local/domain/1/data/backend", HOSTILE["another guest's"])
    loops = dict(world.loops.files)
    assert end(world) == []
    assert {path: node for path, node in world.store.tree.items() if "/2" in path or OTHER in path} == theirs
    assert [line for line in world.store.dump().splitlines() if "/local/domain/1" in line] == []
    assert world.store.get("/local/domain/0/name") == b"Domain-0"
    assert world.loops.files == {node: path for node, path in loops.items() if path.endswith("other.img")}
    assert "vif2.0" in world.net.by_name and "vif1.0" not in world.net.by_name


def test_front_ends_that_the_guest_made_up(world: FakeHost) -> None:
    world.create(vif=None)
    neighbour(world)
    world.store.put("/local/domain/1/device/vbd/51728/backend", f"{BACKENDS}/vbd/2/51712")
    world.store.put("/local/domain/1/device/vif/0/backend", f"{BACKENDS}/vif/2/0")
    requests = len(world.store.log)
    assert end(world) == []
    assert not [path for _, path in world.store.log[requests:] if path.startswith((f"{BACKENDS}/vbd/2", "/libxl/2"))]
    assert world.store.get(f"{BACKENDS}/vbd/2/51712/online") == b"1"


def test_a_front_end_that_the_guest_removed(world: FakeHost) -> None:
    before = world.traces()
    world.create()
    world.store.drop("/local/domain/1/device/vbd/51712")
    assert end(world) == []
    assert world.traces() == before


# The toolstack's own records may be damaged too.


@pytest.mark.parametrize(
    "backend",
    [
        f"{BACKENDS}/vbd/2/51712",
        f"{BACKENDS}/vbd/1/51728",
        f"{BACKENDS}/vbd/1",
        "/local/domain/00/backend/vbd/1/51712",
        "/local/domain/x/backend/vbd/1/51712",
        "/local/domain/\u0663/backend/vbd/1/51712",
        "/local/domain/0/backend/v\tbd/1/51712",
        "/local/domain/0/frontend/vbd/1/51712",
        b"/local/domain/0/backend/\xff/1/51712",
        "",
        "x" * 4000,
    ],
)
def test_an_odd_record(world: FakeHost, backend: str | bytes) -> None:
    world.create()
    neighbour(world)
    world.store.put("/libxl/1/device/vbd/51712/backend", backend)
    assert [record.kind for record in belongings(world.host, Domid(1)).devices] == ["console", "vif"]
    assert end(world) == []
    assert world.store.children("/libxl") == ["2"]
    assert world.store.children(f"{BACKENDS}/vbd") == ["2"]
    assert world.store.get(f"{BACKENDS}/vbd/2/51712/online") == b"1"


@pytest.mark.parametrize(
    "path", ["device/vbd/one", "device/vbd/-1", "device/pci", "device/vfb/0/backend", "dm-version"]
)
def test_records_of_unknown_kinds(world: FakeHost, path: str) -> None:
    before = world.traces()
    world.create()
    world.store.put(f"/libxl/1/{path}", "?")
    assert end(world) == []
    assert world.traces() == before


@pytest.mark.parametrize("vm", ["", "/", "/local/domain/0", "/vm/..", "/vm/x", f"/libxl/{UUID}", b"\xff"])
def test_an_odd_vm_node(world: FakeHost, vm: str | bytes) -> None:
    before = world.traces()
    world.create()
    world.store.put("/local/domain/1/vm", vm)
    assert end(world) == []
    assert world.traces() == before
