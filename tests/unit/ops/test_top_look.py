"""Looks at a simulated host: what is seen, and how often anybody is asked."""

from __future__ import annotations

import pytest

from xenvm.ops.top_look import DEVICES, NOTHING, STATES, WATCHED, Looker, news
from xenvm.testing.host import XenHost


class Counted:
    """How often one look asks the hypervisor and the store."""

    def __init__(self, xen_host: XenHost) -> None:
        self.xen_host, self.host = xen_host, xen_host.host
        self.looker = Looker(self.host)
        self.looker.watch()

    def look(self, wanted: int | None = None) -> tuple[int, int]:
        """Hypercalls and round trips of one refresh; of the store what its events ask for."""
        asked = self.looker.events(0.0) if wanted is None else wanted
        calls, waits = len(self.xen_host.calls), self.host.store.waits
        self.sample = self.looker.look(asked)
        return len(self.xen_host.calls) - calls, self.host.store.waits - waits

    def states(self, domid: int) -> dict[str, str]:
        return {device.name: device.states for device in self.sample.devices.get(domid, ())}


@pytest.fixture
def counted(xen_host: XenHost) -> Counted:
    return Counted(xen_host)


def test_one_refresh_asks_once_and_twice_at_most(counted: Counted) -> None:
    """Counts, not times, and with several guests as with none."""
    for number in range(6):
        counted.xen_host.create(f"g{number}", disks=2, vifs=2)
    assert counted.look() == (1, 2), "new guests"
    assert counted.look() == (1, 0), "nothing new: the store is not asked"
    assert counted.look(STATES) == (1, 1)
    assert counted.look(DEVICES) == (1, 2)


def test_what_is_seen(counted: Counted) -> None:
    guest = counted.xen_host.create("cell", disks=1, vifs=1)
    counted.look()
    assert counted.sample.names == {0: "Domain-0", guest.domid: "cell"}
    assert counted.states(guest.domid) == {"xvda": "Connected", "vif 0": "Connected"}


def test_a_state_that_changes_is_news_and_one_round_trip(counted: Counted) -> None:
    guest = counted.xen_host.create("cell", disks=1, vifs=1)
    counted.look()
    counted.xen_host.store.write(f"/local/domain/{guest.domid}/device/vbd/51712/state", "9x")
    assert counted.look() == (1, 1)
    assert counted.states(guest.domid)["xvda"] == "front Unknown, back Connected"


def test_what_a_guest_writes_for_itself_is_no_news(counted: Counted) -> None:
    guest = counted.xen_host.create("cell")
    counted.look()
    guest.write("data/spam", "1")
    assert counted.look() == (1, 0)


def test_a_domain_that_vanishes(counted: Counted) -> None:
    guest = counted.xen_host.create("cell", disks=1)
    counted.look()
    guest.destroy()
    calls, waits = counted.look()
    assert (calls, waits <= 2) == (1, True)
    assert [info.domid for info in counted.sample.domains] == [0]


def test_a_domain_that_vanishes_between_the_questions(counted: Counted) -> None:
    """The hypervisor still lists it, the store has nothing of it any more."""
    guest = counted.xen_host.create("cell", disks=1)
    counted.look()
    for path in (f"/local/domain/{guest.domid}", f"/libxl/{guest.domid}"):
        counted.host.store.remove(path)
    counted.look()
    assert counted.sample.names[guest.domid] is None
    assert counted.states(guest.domid) == {}


def test_a_back_end_elsewhere_is_found_by_its_record(counted: Counted) -> None:
    """In another domain, or of another kind: one more round trip, at the first sight of it."""
    guest = counted.xen_host.create("cell", disks=1)
    store, path = counted.host.store, f"/local/domain/9/backend/qdisk/{guest.domid}/51712"
    store.write(f"{path}/state", "2")
    store.write(f"/libxl/{guest.domid}/device/vbd/51712/backend", path)
    assert counted.look(DEVICES) == (1, 3)
    assert counted.states(guest.domid) == {"xvda": "front Connected, back InitWait"}
    assert counted.look(DEVICES) == (1, 2)
    assert counted.states(guest.domid) == {"xvda": "front Connected, back InitWait"}


@pytest.mark.parametrize("backend", ["/local/domain/0/backend/vbd/77/51712", "nonsense", "/", "../../x"])
def test_a_record_that_is_not_of_this_device_is_left_out(counted: Counted, backend: str) -> None:
    guest = counted.xen_host.create("cell", disks=1)
    counted.host.store.write(f"/libxl/{guest.domid}/device/vbd/51712/backend", backend)
    counted.look(DEVICES)
    assert counted.states(guest.domid) == {}


@pytest.mark.parametrize(
    ("path", "asks"),
    [
        *((path, DEVICES) for path in WATCHED),
        ("/libxl/3/device/vif/1", DEVICES),
        ("/local/domain/3", STATES),
        ("/local/domain/3/name", STATES),
        ("/local/domain/3/device/vbd/51712/state", STATES),
        ("/local/domain/3/device/vbd/51712", STATES),
        ("/local/domain/0/backend/vbd/3/51712/state", STATES),
        ("/local/domain/0/backend/vbd/3", STATES),
        ("/local/domain/3/device/vbd/51712/ring-ref", NOTHING),
        ("/local/domain/0/backend/vbd/3/51712/sectors", NOTHING),
        ("/local/domain/3/memory/target", NOTHING),
        ("/local/domain/3/data/name", NOTHING),
    ],
)
def test_what_an_event_asks_for(path: str, asks: int) -> None:
    assert news(path) == asks
