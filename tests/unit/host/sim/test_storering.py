from __future__ import annotations

import pytest

from tests.support.peerworld import PeerWorld
from xenbus.bytering import STORE_REPLIES, STORE_REQUESTS, Layout
from xenbus.server.ring import BAD_INDEX, GuestEnd
from xenvm.errors import HypercallError
from xenvm.host.hyper import PARAM_STORE_EVTCHN, PARAM_STORE_PFN
from xenvm.host.sim.storering import StoreRings
from xenvm.ops.destroy import destroy
from xenvm.types import Gfn


def moved(page: memoryview, layout: Layout) -> int:
    return int.from_bytes(page[layout.prod : layout.prod + 4], "little")


def test_requests_and_replies_go_through_the_page(live: PeerWorld) -> None:
    domid = live.create(disks=1, vifs=1)
    side = live.world.guest_side(domid)
    page = side.page(Gfn(side.param(PARAM_STORE_PFN)))
    before = moved(page, STORE_REQUESTS), moved(page, STORE_REPLIES)
    assert min(before) > 1024, "more than one ring full"
    live.write(f"/local/domain/{domid}/control/sysrq", "h")
    after = moved(page, STORE_REQUESTS), moved(page, STORE_REPLIES)
    assert after[0] > before[0] and after[1] > before[1]


def test_a_guest_that_breaks_its_ring_is_served_no_more(live: PeerWorld) -> None:
    other, domid = live.create("other"), live.create(extra="xenvm.behaviour=dead")
    side = live.world.guest_side(domid)
    page = side.page(Gfn(side.param(PARAM_STORE_PFN)))
    page[STORE_REQUESTS.prod : STORE_REQUESTS.prod + 4] = b"\xff\xff\xff\x7f"
    side.notify(side.param(PARAM_STORE_EVTCHN))
    live.world.settle()
    assert GuestEnd(page).error == BAD_INDEX
    live.write(f"/local/domain/{other}/control/shutdown", "poweroff")
    assert live.code(other) == 0


def test_nothing_stays_mapped_of_a_guest_that_is_gone(live: PeerWorld) -> None:
    domid = live.create()
    info = live.world.hyper.domain(domid)
    assert info is not None and destroy(live.host, domid, info.uuid) == []
    assert live.world.hyper.domain(domid) is None


def test_a_port_that_cannot_be_bound_leaves_no_page_mapped(live: PeerWorld) -> None:
    domid = live.create(extra="xenvm.behaviour=dead")
    rings = StoreRings(live.world.back_side(), live.world.xenstored.engine.connect)
    maps = dict(live.world.hyper.all[domid].grants.maps)
    with pytest.raises(HypercallError):
        rings.add(domid, 999)
    assert live.world.hyper.all[domid].grants.maps == maps
