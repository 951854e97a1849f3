"""The block back end against a front end by hand, which need not follow any rule."""

from __future__ import annotations

import pytest

from tests.support.peerworld import PeerWorld
from xenbus import blkif
from xenbus.ring import FrontRing
from xenvm.types import Domid, Gfn

RING, DATA = Gfn(0x40400), Gfn(0x40401)


class Hand:
    """A guest that does nothing by itself, whose disk is driven from here."""

    def __init__(self, live: PeerWorld, **settings: object) -> None:
        self.sim = live
        self.domid: Domid = live.create(disks=1, extra="xenvm.behaviour=dead", **settings)
        self.side = live.world.guest_side(self.domid)
        self.front = f"/local/domain/{self.domid}/device/vbd/51712"
        self.back = f"/local/domain/0/backend/vbd/{self.domid}/51712"
        self.ring = FrontRing(self.side.page(RING), blkif.SLOT_SIZE)
        self.ring_ref, self.ref = self.side.grant(RING, 0), self.side.grant(DATA, 0)
        self.port = self.side.alloc_unbound(0)

    def connect(self, **nodes: object) -> Hand:
        values = {"ring-ref": self.ring_ref, "event-channel": self.port, "protocol": "arm-abi", **nodes}
        for name, value in values.items():
            self.sim.world.store.write(f"{self.front}/{name}", str(value))
        self.sim.write(f"{self.front}/state", "3")
        return self

    def state(self) -> bytes | None:
        return self.sim.read(f"{self.back}/state")

    def ask(self, *requests: blkif.Request | blkif.Discard | bytes) -> list[int]:
        """The statuses of requests."""
        for request in requests:
            self.ring.put(request if isinstance(request, bytes) else request.pack().ljust(blkif.SLOT_SIZE, b"\0"))
        if self.ring.push():
            self.side.notify(self.port)
        self.sim.world.settle()
        return [blkif.parse_response(each).status for each in self.ring.responses(blkif.RESPONSE_SIZE)]


def test_reads_writes_flushes_and_discards(live: PeerWorld) -> None:
    hand = Hand(live).connect()
    assert hand.state() == b"4"
    hand.side.write(DATA * 4096, b"w" * 4096)
    part = (blkif.Segment(hand.ref, 2, 3),)
    assert hand.ask(blkif.Request(blkif.WRITE, 1, 10, part), blkif.Request(blkif.FLUSH, 2)) == [0, 0]
    assert live.disk("g").read_bytes()[9 * 512 : 13 * 512] == bytes(512) + b"w" * 1024 + bytes(512)
    hand.side.write(DATA * 4096, bytes(4096))
    assert hand.ask(blkif.Request(blkif.READ, 3, 10, (blkif.Segment(hand.ref, 0, 0),))) == [0]
    assert hand.side.read(DATA * 4096, 1024) == b"w" * 512 + bytes(512)
    assert hand.ask(blkif.Discard(4, 10, 1)) == [0]
    assert live.disk("g").read_bytes()[10 * 512 : 12 * 512] == bytes(512) + b"w" * 512


@pytest.mark.parametrize(
    "request_, status",
    [
        (blkif.Request(blkif.READ, 1, 2048, (blkif.Segment(9999, 0, 0),)), blkif.ERROR),
        (blkif.Request(blkif.READ, 1, 0, (blkif.Segment(9999, 0, 0),)), blkif.ERROR),
        (blkif.Request(blkif.WRITE, 1, 2**63, (blkif.Segment(9, 0, 7),)), blkif.ERROR),
        (blkif.Discard(1, 2**63, 2**63), blkif.ERROR),
        (bytes((0, 200)) + bytes(110), blkif.ERROR),
        (bytes((77, 1)) + bytes(110), blkif.UNSUPPORTED),
        (blkif.Request(4, 1), blkif.UNSUPPORTED),
    ],
)
def test_what_makes_no_sense_fails_alone(
    live: PeerWorld, request_: blkif.Request | blkif.Discard | bytes, status: int
) -> None:
    hand = Hand(live).connect()
    assert hand.ask(request_, blkif.Request(blkif.READ, 2, 0, (blkif.Segment(hand.ref, 0, 7),))) == [status, 0]
    assert live.disk("g").read_bytes() == bytes(1 << 20)


def test_a_read_only_disk_stays_as_it_is(live: PeerWorld) -> None:
    path = live.folder / "ro.img"
    path.write_bytes(bytes(4096))
    hand = Hand(live, disk=[f"{path},raw,xvda,r"]).connect()
    assert live.read(f"{hand.back}/info") == b"4"
    hand.side.write(DATA * 4096, b"w" * 4096)
    segment = (blkif.Segment(hand.ref, 0, 7),)
    assert hand.ask(blkif.Request(blkif.WRITE, 1, 0, segment), blkif.Discard(2, 0, 8)) == [-1, -1]
    assert path.read_bytes() == bytes(4096)


def test_a_page_that_is_granted_for_reading_is_not_written(live: PeerWorld) -> None:
    hand = Hand(live).connect()
    ref = hand.side.grant(Gfn(0x40402), 0, readonly=True)
    segment = (blkif.Segment(ref, 0, 7),)
    assert hand.ask(blkif.Request(blkif.READ, 1, 0, segment), blkif.Request(blkif.WRITE, 2, 0, segment)) == [-1, 0]


@pytest.mark.parametrize(
    "nodes",
    [
        {"ring-ref": "-1"},
        {"ring-ref": "4000"},
        {"ring-ref": "99999999999999999999999"},
        {"event-channel": "1000"},
        {"event-channel": "x"},
        {"protocol": "x86_64-abi"},
    ],
)
def test_a_senseless_front_end_is_refused_and_nothing_stays_mapped(live: PeerWorld, nodes: dict[str, object]) -> None:
    hand = Hand(live).connect(**nodes)
    assert hand.state() == b"5"
    assert live.read(f"/local/domain/0/error/backend/vbd/{hand.domid}/51712/error") is not None
    assert hand.side.end_grant(hand.ring_ref)


def test_wild_indexes_end_the_device(live: PeerWorld) -> None:
    hand = Hand(live).connect()
    hand.side.page(RING)[0:4] = b"\xff\xff\xff\x7f"
    hand.side.notify(hand.port)
    live.world.settle()
    assert hand.state() == b"5"
    assert hand.side.end_grant(hand.ring_ref)


def test_an_image_that_is_missing_is_the_device_s_error(live: PeerWorld) -> None:
    hand = Hand(live)
    live.disk("g").unlink()
    hand.connect()
    assert hand.state() == b"5"
    assert b"No such file" in (live.read(f"/local/domain/0/error/backend/vbd/{hand.domid}/51712/error") or b"")


def test_fifty_rounds_of_connecting_leave_nothing(live: PeerWorld) -> None:
    domid = live.create(disks=1)
    front, back = f"/local/domain/{domid}/device/vbd/51712", f"/local/domain/0/backend/vbd/{domid}/51712"
    domain = live.world.hyper.all[domid]
    before = len(domain.grants.entries), len(domain.grants.maps)
    for _ in range(50):
        live.write(f"{front}/state", "5")
        live.write(f"{front}/state", "6")
        assert live.read(f"{back}/state") == b"6"
        live.kernel(domid).disks["51712"].let_go()
        live.write(f"{front}/state", "1")
        assert live.read(f"{front}/state") == b"4" and live.read(f"{back}/state") == b"4"
    assert (len(domain.grants.entries), len(domain.grants.maps)) == before
