"""The network back end against a front end by hand, which need not follow any rule."""

from __future__ import annotations

import pytest

from tests.support.peerworld import PeerWorld
from xenbus import netif
from xenbus.ring import FrontRing
from xenvm.types import Gfn

TX, RX, DATA = Gfn(0x40400), Gfn(0x40401), Gfn(0x40402)
FRAME = b"\xff" * 6 + b"\x02" * 6 + b"\x08\0" + b"payload" * 20


class Hand:
    """A guest that does nothing by itself, whose interface is driven from here; `other` hears what it sends."""

    def __init__(self, live: PeerWorld, **nodes: object) -> None:
        self.sim = live
        self.other = live.kernel(live.create("other", vifs=1)).nics["0"]
        domid = live.create("hand", vifs=1, extra="xenvm.behaviour=dead")
        self.side = side = live.world.guest_side(domid)
        self.front = f"/local/domain/{domid}/device/vif/0"
        self.back = f"/local/domain/0/backend/vif/{domid}/0"
        self.tx = FrontRing(side.page(TX), netif.TX_SLOT_SIZE)
        self.rx = FrontRing(side.page(RX), netif.RX_SLOT_SIZE)
        self.refs = [side.grant(gfn, 0) for gfn in (TX, RX, DATA)]
        self.port = side.alloc_unbound(0)
        values = {"tx-ring-ref": self.refs[0], "rx-ring-ref": self.refs[1], "event-channel": self.port}
        for name, value in {**values, "request-rx-copy": 1, **nodes}.items():
            live.world.store.write(f"{self.front}/{name}", str(value))
        live.write(f"{self.front}/state", "4")

    def state(self) -> bytes | None:
        return self.sim.read(f"{self.back}/state")

    def send(self, *requests: netif.TxRequest) -> list[int]:
        """The statuses of pieces."""
        for request in requests:
            self.tx.put(request.pack())
        if self.tx.push():
            self.side.notify(self.port)
        self.sim.world.settle()
        return [netif.parse_tx_response(each).status for each in self.tx.responses(netif.TX_RESPONSE_SIZE)]

    def piece(self, data: bytes, offset: int, size: int, flags: int = 0) -> netif.TxRequest:
        """Part of a frame, put into the one page for data."""
        self.side.write(DATA * 4096 + offset, data)
        return netif.TxRequest(self.refs[2], offset, flags, offset, size)


def test_a_frame_in_pieces_arrives_whole(live: PeerWorld) -> None:
    hand = Hand(live)
    assert hand.state() == b"4"
    more = netif.TX_MORE_DATA
    first = hand.piece(FRAME[:40], 0, len(FRAME), more)
    second, third = hand.piece(FRAME[40:90], 100, 50, more), hand.piece(FRAME[90:], 300, len(FRAME) - 90)
    assert hand.send(first, second, third) == [0, 0, 0]
    assert hand.other.received == [FRAME]


def test_a_frame_waits_for_a_page(live: PeerWorld) -> None:
    hand = Hand(live)
    for _ in range(3):
        assert hand.other.send(FRAME)
    live.world.settle()
    assert list(hand.rx.responses(8)) == []
    hand.rx.put(netif.RxRequest(5, hand.refs[2]).pack())
    hand.rx.put(netif.RxRequest(6, 9999).pack())
    assert hand.rx.push()
    hand.side.notify(hand.port)
    live.world.settle()
    answers = [netif.parse_rx_response(each) for each in hand.rx.responses(8)]
    assert [(each.id, each.status) for each in answers] == [(5, len(FRAME)), (6, netif.ERROR)]
    assert hand.side.read(DATA * 4096, len(FRAME)) == FRAME


def test_a_page_that_is_not_granted_fails_its_frame(live: PeerWorld) -> None:
    hand = Hand(live)
    assert hand.send(netif.TxRequest(9999, 0, 0, 1, 60), hand.piece(FRAME, 0, len(FRAME))) == [netif.ERROR, 0]
    assert hand.other.received == [FRAME]


@pytest.mark.parametrize(
    "requests",
    [
        [netif.TxRequest(8, 4000, 0, 1, 200)],
        [netif.TxRequest(8, 0, 0, 1, 0)],
        [netif.TxRequest(8, 0, netif.TX_EXTRA_INFO, 1, 60)],
        [netif.TxRequest(8, 0, netif.TX_MORE_DATA, 1, 60), netif.TxRequest(8, 0, 0, 2, 60)],
        [netif.TxRequest(8, 0, netif.TX_MORE_DATA, 1, 60)] * 19,
    ],
)
def test_frames_that_make_no_sense_end_the_device(live: PeerWorld, requests: list[netif.TxRequest]) -> None:
    hand = Hand(live)
    hand.send(*requests)
    assert hand.state() == b"5"
    assert hand.other.received == []
    assert all(map(hand.side.end_grant, hand.refs))


@pytest.mark.parametrize(
    "nodes", [{"tx-ring-ref": -1}, {"rx-ring-ref": "x"}, {"event-channel": 999}, {"request-rx-copy": 0}]
)
def test_a_senseless_front_end_is_refused(live: PeerWorld, nodes: dict[str, object]) -> None:
    hand = Hand(live, **nodes)
    assert hand.state() == b"5"
    assert all(map(hand.side.end_grant, hand.refs))


def test_a_bridge_forgets_a_vif_that_is_gone(live: PeerWorld) -> None:
    hand = Hand(live)
    assert hand.send(hand.piece(FRAME, 0, len(FRAME))) == [0]
    live.write(f"{hand.front}/state", "5")
    live.write(f"{hand.front}/state", "6")
    assert hand.state() == b"6"
    assert hand.other.send(b"\x02" * 6 + FRAME[6:])
    live.world.settle()
    assert all(map(hand.side.end_grant, hand.refs))


def test_many_frames_in_both_directions(live: PeerWorld) -> None:
    one, other = (live.kernel(live.create(name, vifs=1)).nics["0"] for name in ("a", "b"))
    for number in range(100):
        assert one.send(FRAME + bytes([number])) and other.send(FRAME + bytes([number]))
    live.world.settle()
    assert [frame[-1] for frame in one.received] == [frame[-1] for frame in other.received] == list(range(100))


@pytest.mark.parametrize(
    "count, state", [("1", b"4"), ("0", b"5"), ("2", b"5"), ("4294967296", b"5"), ("x" * 900, b"5")]
)
def test_more_queues_than_offered_are_refused(live: PeerWorld, count: str, state: bytes) -> None:
    assert Hand(live, **{"multi-queue-num-queues": count}).state() == state
