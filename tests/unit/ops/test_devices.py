"""Lists of devices: by the toolstack's own records; what the guest says is bounded, or counts as nothing."""

from __future__ import annotations

import pytest

from tests.support.fakehost import MAC, FakeHost
from xenvm.ops.devices import of_kind
from xenvm.types import Domid

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
