"""The rings of a network back end (public/io/netif.h), whoever is at the other end of its frames.

A subclass gets each frame of the guest by `received`, and sends one by `deliver`.
"""

from __future__ import annotations

from xenbus import netif
from xenbus.errors import DeviceFault
from xenbus.parse import parse_bool
from xenbus.ring import BackRing
from xenvm.errors import HypercallError
from xenvm.host.back import GuestBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

QUEUE_MAX = 256
"""Frames that wait for a guest; more are dropped."""
_PAGE_SIZE = 4096


class NetBackend(GuestBackend):
    """One interface, with one queue."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tx: BackRing | None = None
        self._rx: BackRing | None = None
        self._refs: list[int] = []
        self._waiting: list[bytes] = []
        self._pieces: list[netif.TxRequest] = []

    def received(self, frame: bytes) -> None:
        """A frame from the guest."""

    # The handshake.

    def offer(self) -> Mapping[str, object]:
        """What this back end can do: copying, and frames in pieces."""
        return {"feature-sg": 1, "feature-rx-copy": 1, "feature-rx-flip": 0}

    def connect(self) -> Mapping[str, object] | None:
        """Maps the rings."""
        self.map_rings()
        self.bus.kick(self)  # There can be frames already.
        return {}

    def map_rings(self) -> None:
        """Maps both rings and binds the event channel, unless that is done already."""
        if self._tx is not None:
            return
        names = ("tx-ring-ref", "rx-ring-ref", "event-channel", "request-rx-copy")
        tx, rx, port, copying = self.read_peer(*names)
        if not parse_bool(copying):
            raise DeviceFault(f"{self.peer} does not ask for copying")
        self.count_queues()
        rings = []
        for untrusted_ref, size in ((tx, netif.TX_SLOT_SIZE), (rx, netif.RX_SLOT_SIZE)):
            ref, page = self.map_ring(untrusted_ref)
            self._refs.append(ref)
            rings.append(BackRing(page, size))
        self._tx, self._rx = rings
        self.bind_port(port)

    def release(self) -> None:
        """Unmaps the rings."""
        for ring in (self._tx, self._rx):
            if ring:
                ring.close()
        self._tx = self._rx = None
        while self._refs:
            self.side.unmap_grant(self.remote, self._refs.pop())
        self._waiting.clear()
        self._pieces.clear()

    # From the guest.

    def serve(self) -> bool:
        """Takes frames from the guest, a ring full at most, and fills the pages that it has offered."""
        ring, taken = self._tx, 0
        if ring is None:
            return False
        while taken < ring.size and (untrusted := ring.take()) is not None:
            taken += 1
            self._take(ring, untrusted)
        self.tell(ring.push())
        if ring.await_more():
            self.bus.kick(self)
        return self._fill() or taken > 0

    def _take(self, ring: BackRing, untrusted: bytes) -> None:
        """One piece of a frame; the last one sends it off."""
        request = netif.parse_tx_request(untrusted)
        if request.flags & netif.TX_EXTRA_INFO:
            raise DeviceFault(f"{self.peer} sends extra information, which nobody has asked for")
        self._pieces.append(request)
        if len(self._pieces) > netif.MAX_SLOTS:
            raise DeviceFault(f"{self.peer} sends a frame in more than {netif.MAX_SLOTS} pieces")
        if request.flags & netif.TX_MORE_DATA:
            return
        pieces, self._pieces = self._pieces, []
        try:
            frame, status = self._gather(pieces), netif.OKAY
        except HypercallError:
            frame, status = b"", netif.ERROR
        for piece in pieces:
            ring.put(netif.TxResponse(piece.id, status).pack())
        if frame:
            self.received(frame)

    def _gather(self, requests: list[netif.TxRequest]) -> bytes:
        frame = b""
        for piece in netif.frame_pieces(requests):
            page = self.side.map_grant(self.remote, piece.ref, readonly=True)
            try:
                frame += bytes(page[piece.offset : piece.offset + piece.size])
            finally:
                self.side.unmap_grant(self.remote, piece.ref)
        return frame

    # To the guest.

    def deliver(self, frame: bytes) -> None:
        """Sends a frame to the guest; it is dropped if it has no room in a page, or too many wait."""
        if len(frame) <= _PAGE_SIZE and len(self._waiting) < QUEUE_MAX:
            self._waiting.append(frame)
            # Its driver can be in the middle of another interface: this one has its turn in the next step.
            self.bus.kick(self)

    def _fill(self) -> bool:
        done = False
        while self._rx and self._waiting and (untrusted := self._rx.take()) is not None:
            request, frame = netif.parse_rx_request(untrusted), self._waiting.pop(0)
            self._rx.put(netif.RxResponse(request.id, 0, 0, self._copy(request.ref, frame)).pack())
            done = True
        if self._rx:
            self.tell(self._rx.push())
            if self._waiting and self._rx.await_more():
                self.bus.kick(self)
        return done

    def _copy(self, ref: int, frame: bytes) -> int:
        """The status of a frame that was put into a page of the guest."""
        try:
            page = self.side.map_grant(self.remote, ref)
        except HypercallError:
            return netif.ERROR
        try:
            page[: len(frame)] = frame
        finally:
            self.side.unmap_grant(self.remote, ref)
        return len(frame)
