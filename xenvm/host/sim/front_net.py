"""The network front end of a simulated kernel (public/io/netif.h): frames out and in through two shared rings."""

from __future__ import annotations

from xenbus import handshake, netif
from xenbus.errors import DeviceFault
from xenbus.parse import parse_bool, parse_mac
from xenbus.ring import FrontRing
from xenvm.host.sim.front import GuestFrontend
from xenvm.types import PAGE_SIZE, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

BUFFERS = 16
"""Pages that wait for frames; a real kernel has more of them."""
MAX_RECEIVED = 256
"""Frames that are kept until somebody looks at them."""


class NetFront(GuestFrontend):
    """A network interface as a guest sees it."""

    table = handshake.FRONTEND_AT_ONCE
    mac = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.received: list[bytes] = []
        """Frames that came, oldest first; the newest are dropped when nobody takes them."""
        self._tx: FrontRing | None = None
        self._rx: FrontRing | None = None
        self._rings: list[tuple[Gfn, int]] = []
        self._sent: dict[int, tuple[Gfn, int]] = {}
        self._buffers: dict[int, tuple[Gfn, int]] = {}
        self._last_id = 0

    # The handshake.

    def publish(self) -> Mapping[str, object]:
        """One queue with one event channel for both rings."""
        self.mac = parse_mac(self.read("mac")[0]) or ""
        if not self.mac:
            raise DeviceFault("the vif has no MAC")
        if not parse_bool(self.read_peer("feature-rx-copy")[0]):
            raise DeviceFault("the back end does not copy frames")
        self._rings = [self.shared.share(), self.shared.share()]
        self._tx, self._rx = self._open_rings(fresh=True)
        for number in range(BUFFERS):
            self._offer(number, self.shared.share())
        self._rx.push()
        self.in_service = True
        self.log(f"xen_netfront: eth{self.devid}: {self.mac}")
        (_, tx_ref), (_, rx_ref) = self._rings
        nodes: dict[str, object] = {"tx-ring-ref": tx_ref, "rx-ring-ref": rx_ref, "event-channel": self.open_port()}
        return {**nodes, "request-rx-copy": 1, "feature-rx-notify": 1, "feature-sg": 1}

    def _open_rings(self, fresh: bool) -> tuple[FrontRing, FrontRing]:
        tx, rx = (self.side.page(gfn) for gfn, _ref in self._rings)
        return FrontRing(tx, netif.TX_SLOT_SIZE, fresh), FrontRing(rx, netif.RX_SLOT_SIZE, fresh)

    def release(self) -> None:
        """Ends both rings; frames that were under way are lost."""
        for ring in (self._tx, self._rx):
            if ring:
                ring.close()
        self._tx = self._rx = None
        for shared in (self._sent, self._buffers):
            self.shared.end_all(shared.values())
            shared.clear()
        self.shared.end_all(self._rings)
        self._rings = []

    def ring_pages(self) -> list[Gfn]:
        """See GuestFrontend."""
        return [gfn for gfn, _ref in self._rings]

    # What the guest does with it.

    def send(self, frame: bytes) -> bool:
        """Sends an Ethernet frame of at most one page; False if it is dropped as there is no room."""
        if not 14 <= len(frame) <= PAGE_SIZE:
            raise ValueError(f"a frame of {len(frame)} bytes")
        if self._tx is None or not self._tx.free:
            return False
        gfn, ref = self.shared.share(readonly=True)
        self.side.write(gfn * PAGE_SIZE, frame)
        self._last_id = (self._last_id + 1) % 0x10000
        while self._last_id in self._sent:
            self._last_id = (self._last_id + 1) % 0x10000
        self._sent[self._last_id] = gfn, ref
        self._tx.put(netif.TxRequest(ref, 0, 0, self._last_id, len(frame)).pack())
        self.tell(self._tx.push())
        return True

    # The rings.

    def serve(self) -> bool:
        """Takes the frames that came, and the pages of those that went out."""
        if self._tx is None or self._rx is None:
            return False
        done = 0
        for untrusted in self._tx.responses(netif.TX_RESPONSE_SIZE):
            done += 1
            page = self._sent.pop(netif.parse_tx_response(untrusted).id, None)
            if page is None:
                raise DeviceFault("the back end answers for a frame that was not sent")
            self.shared.end(*page)
        for untrusted in self._rx.responses(netif.RX_RESPONSE_SIZE):
            done += 1
            self._take(netif.parse_rx_response(untrusted))
        self.tell(self._rx.push())
        return done > 0

    def _take(self, response: netif.RxResponse) -> None:
        page = self._buffers.pop(response.id, None)
        if page is None:
            raise DeviceFault("the back end fills a page that was not offered")
        gfn, ref = page
        if response.status > 0 and len(self.received) < MAX_RECEIVED:
            self.received.append(self.side.read(gfn * PAGE_SIZE + response.offset, response.status))
        self.shared.end(gfn, ref)
        self._offer(response.id, self.shared.share())

    def _offer(self, number: int, page: tuple[Gfn, int]) -> None:
        assert self._rx is not None, "the rings were opened before"
        self._buffers[number] = page
        self._rx.put(netif.RxRequest(number, page[1]).pack())

    # Snapshots.

    def state_of(self) -> dict[str, Any]:
        """See GuestFrontend; nothing may be under way."""
        buffers = [[number, *page] for number, page in self._buffers.items()]
        return {**super().state_of(), "rings": self._rings, "buffers": buffers, "mac": self.mac, "id": self._last_id}

    def restore(self, state: dict[str, Any]) -> None:
        """See GuestFrontend."""
        super().restore(state)
        self.mac, self._last_id = state["mac"], state["id"]
        self._buffers = {number: (Gfn(gfn), ref) for number, gfn, ref in state["buffers"]}
        self._rings = [(Gfn(gfn), ref) for gfn, ref in state["rings"]]
        if self._rings:
            self._tx, self._rx = self._open_rings(fresh=False)
