"""Lists of devices: by the toolstack's own records; what the guest says is bounded, or counts as nothing."""

from __future__ import annotations

import pytest

from tests.support.fakehost import BACKENDS, MAC, UUID, FakeHost
from xenvm.guest.disk import parse_disk
from xenvm.guest.vif import parse_vif
from xenvm.ops.attach import CHOOSE, attach_disk, attach_nic
from xenvm.ops.destroy import destroy
from xenvm.ops.detach import detach
from xenvm.ops.devices import find_disk, find_nic, of_kind
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"

FRONT = "/local/domain/1/device"


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    world.store.drivers = True
    world.create()
    return world


def test_what_both_ends_say(guest: FakeHost) -> None:
    guest.store.put(f"{FRONT}/vbd/51712/event-channel", "12")
    guest.store.put(f"{FRONT}/vbd/51712/ring-ref", "8")
    (disk,) = of_kind(guest.host, Domid(1), "vbd")
    assert disk.front == {"state": 4, "event-channel": 12, "ring-ref": 8}
    assert (disk.record.devid, disk.record.facts["dev"], disk.record.state) == (51712, "xvda", "4")
    (nic,) = of_kind(guest.host, Domid(1), "vif")
    assert nic.front == {"state": 4, "event-channel": None, "tx-ring-ref": None, "rx-ring-ref": None}
    assert nic.record.facts["mac"] == MAC


@pytest.mark.parametrize("junk", [b"", b"9", b"-1", b"1 ", b"\xff", b"x" * 3000, b"0x4", "٤".encode()])
def test_junk_is_nothing(guest: FakeHost, junk: bytes) -> None:
    guest.store.put(f"{FRONT}/vbd/51712/state", junk)
    assert of_kind(guest.host, Domid(1), "vbd")[0].front["state"] is None


def test_ports_have_32_bits(guest: FakeHost) -> None:
    guest.store.put(f"{FRONT}/vif/0/tx-ring-ref", "4294967295")
    guest.store.put(f"{FRONT}/vif/0/rx-ring-ref", "4294967296")
    front = of_kind(guest.host, Domid(1), "vif")[0].front
    assert (front["tx-ring-ref"], front["rx-ring-ref"]) == (4294967295, None)


def test_a_front_end_that_is_gone_is_still_listed(guest: FakeHost) -> None:
    guest.store.drop(f"{FRONT}/vbd")
    assert of_kind(guest.host, Domid(1), "vbd")[0].front == {"state": None, "event-channel": None, "ring-ref": None}


def test_what_only_the_guest_tells_of_is_not_listed(guest: FakeHost) -> None:
    guest.store.put(f"{FRONT}/vbd/51728/backend", "/local/domain/0/backend/vbd/2/51712")
    assert [device.record.devid for device in of_kind(guest.host, Domid(1), "vbd")] == [51712]
    assert of_kind(guest.host, Domid(7), "vbd") == []


JUNK = [b"", b"\xff\x00", b"/local/domain/0/backend/vbd/2/51712", b"2", b"6", b"9" * 2000]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_a_guest_that_rewrites_all_it_owns_at_every_step(guest: FakeHost, junk: bytes) -> None:
    """Whatever it writes, only its own devices come and go."""
    guest.create(name="other", uuid=OTHER, disk=[f"{guest.file('o.img', bytes(512))},raw,xvda,rw"], vif=None)
    guest.file("more.img", bytes(512))
    guest.store.drivers = False

    def rewrite(path: str, value: bytes | None) -> None:
        for node in [node for node in guest.store.tree if node.startswith(f"{FRONT}/v") and node.count("/") == 7]:
            guest.store.put(node, junk)

    guest.store.on_write(f"{BACKENDS}/v??/1/*/state", rewrite)
    before, info = outside(guest), guest.hyper.all[Domid(1)].info
    for _ in range(2):
        attach_disk(guest.host, info, parse_disk(f"{guest.folder}/more.img,raw,xvdb,rw"))
        attach_nic(guest.host, info, parse_vif("bridge=xenbr0", CHOOSE))
        assert [device.record.devid for device in of_kind(guest.host, Domid(1), "vbd")] == [51712, 51728]
        detach(guest.host, info, find_disk(guest.host, Domid(1), "xvdb"), force=True)
        detach(guest.host, info, find_nic(guest.host, Domid(1), "1"), force=True)
        assert outside(guest) == before and len(guest.loops.files) == 2
    assert guest.store.get(f"{FRONT}/vbd/51712/backend") == junk, "it was as hostile as it was meant to be"
    destroy(guest.host, Domid(1), UUID)
    assert [line for line in before if "/2" in line] == [line for line in outside(guest) if "/2" in line]


def outside(world: FakeHost) -> list[str]:
    """All nodes but the guest's own."""
    return sorted(line for line in world.store.dump().splitlines() if not line.startswith(FRONT))
