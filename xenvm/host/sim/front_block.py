"""The block front end of a simulated kernel (public/io/blkif.h): reads and writes through a shared ring."""

from __future__ import annotations

from xenbus import blkif
from xenbus.blkif import SECTOR_SIZE, SECTORS_PER_PAGE, SLOT_SIZE
from xenbus.errors import DeviceFault
from xenbus.parse import parse_decimal
from xenbus.ring import FrontRing
from xenvm.host.sim.front import GuestFrontend
from xenvm.types import PAGE_SIZE, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_PIECE = blkif.MAX_SEGMENTS * SECTORS_PER_PAGE


class Transfer:
    """A read or write under way: `data` is what was read once `done` is True and `failed` is not."""

    def __init__(self, operation: int, sector: int, data: bytearray) -> None:
        self.operation, self.sector, self.data = operation, sector, data
        self.failed = False
        self.missing = max(1, -(-len(data) // (_PIECE * SECTOR_SIZE)))

    @property
    def done(self) -> bool:
        """Whether the last piece was answered."""
        return self.missing == 0


class _Piece:
    """What one request of the ring does for a transfer: `start` is its offset in the data, in bytes."""

    def __init__(self, transfer: Transfer, start: int, size: int) -> None:
        self.transfer, self.start, self.size = transfer, start, size
        self.pages: list[tuple[Gfn, int]] = []


class BlockFront(GuestFrontend):
    """A disk as a guest sees it."""

    sectors = 0
    """Size in units of 512 bytes."""
    info = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ring: FrontRing | None = None
        self._page: tuple[Gfn, int] | None = None
        self._waiting: list[_Piece] = []
        self._open: dict[int, _Piece] = {}
        self._last_id = 0

    # The handshake.

    def publish(self) -> Mapping[str, object]:
        """One ring of one page, as every back end takes it."""
        (kind,) = self.read("device-type")
        if kind != b"disk":
            raise DeviceFault("a guest on ARM binds to no vbd whose device-type is not 'disk'")
        self._page = self.shared.share()
        self._ring = FrontRing(self.side.page(self._page[0]), SLOT_SIZE)
        return {"ring-ref": self._page[1], "event-channel": self.open_port(), "protocol": blkif.PROTOCOL}

    def connect(self) -> None:
        """Reads the disk's size and what else it is."""
        self._read_size()
        self.in_service = True
        self.log(f"blkfront: {self.devid}: {self.sectors} 512-byte sectors{' (ro)' if self.info & 4 else ''}")

    def refresh(self) -> None:
        """The disk may have another size."""
        before = self.sectors
        self._read_size()
        if before and before != self.sectors:
            self.log(f"blkfront: {self.devid}: now {self.sectors} 512-byte sectors")

    def _read_size(self) -> None:
        sectors, info = self.read_peer("sectors", "info")
        size = parse_decimal(sectors)
        if size is None:
            raise DeviceFault("the back end does not tell the size of the disk")
        self.sectors, self.info = size, parse_decimal(info, maximum=0xFFFFFFFF) or 0

    def release(self) -> None:
        """Ends the ring; what was under way fails."""
        for piece in [*self._open.values(), *self._waiting]:
            self.shared.end_all(piece.pages)
            self._answered(piece, False)
        self._open.clear()
        self._waiting.clear()
        if self._ring and self._page:
            self._ring.close()
            self.shared.end(*self._page)
        self._ring = self._page = None

    def ring_pages(self) -> list[Gfn]:
        """See GuestFrontend."""
        return [self._page[0]] if self._page else []

    # What the guest does with its disk.

    def read_sectors(self, sector: int, count: int) -> Transfer:
        """Starts reading `count` sectors of 512 bytes."""
        return self._start(Transfer(blkif.READ, sector, bytearray(count * SECTOR_SIZE)))

    def write_sectors(self, sector: int, data: bytes) -> Transfer:
        """Starts writing whole sectors."""
        if len(data) % SECTOR_SIZE:
            raise ValueError("only whole sectors can be written")
        return self._start(Transfer(blkif.WRITE, sector, bytearray(data)))

    def flush(self) -> Transfer:
        """Starts making durable what was written."""
        return self._start(Transfer(blkif.FLUSH, 0, bytearray()))

    def _start(self, transfer: Transfer) -> Transfer:
        if self._ring is None:
            raise DeviceFault(f"the disk {self.devid} is not connected")
        step = _PIECE * SECTOR_SIZE
        for number in range(transfer.missing):
            start = number * step
            self._waiting.append(_Piece(transfer, start, min(step, len(transfer.data) - start)))
        self._pump()
        return transfer

    # The ring.

    def serve(self) -> bool:
        """Takes the answers, and asks what waited for room."""
        if self._ring is None:
            return False
        answers = 0
        for untrusted in self._ring.responses(blkif.RESPONSE_SIZE):
            answers += 1
            self._take(blkif.parse_response(untrusted))
        self._pump()
        return answers > 0

    def _pump(self) -> None:
        if self._ring is None:
            return
        while self._waiting and self._ring.free:
            self._ask(self._ring, self._waiting.pop(0))
        self.tell(self._ring.push())

    def _ask(self, ring: FrontRing, piece: _Piece) -> None:
        transfer = piece.transfer
        segments = []
        for at in range(piece.start, piece.start + piece.size, PAGE_SIZE):
            part = transfer.data[at : min(at + PAGE_SIZE, piece.start + piece.size)]
            gfn, ref = self.shared.share(readonly=transfer.operation == blkif.WRITE)
            piece.pages.append((gfn, ref))
            if transfer.operation == blkif.WRITE:
                self.side.write(gfn * PAGE_SIZE, bytes(part))
            segments.append(blkif.Segment(ref, 0, len(part) // SECTOR_SIZE - 1))
        self._last_id += 1
        self._open[self._last_id] = piece
        sector = transfer.sector + piece.start // SECTOR_SIZE
        ring.put(blkif.Request(transfer.operation, self._last_id, sector, tuple(segments)).pack())

    def _take(self, response: blkif.Response) -> None:
        piece = self._open.pop(response.id, None)
        if piece is None:
            raise DeviceFault(f"the back end answers a request {response.id} that is not open")
        good = response.status == blkif.OKAY
        if good and piece.transfer.operation == blkif.READ:
            for at, data in self._contents(piece):
                piece.transfer.data[at : at + len(data)] = data
        self.shared.end_all(piece.pages)
        self._answered(piece, good)

    def _contents(self, piece: _Piece) -> Iterator[tuple[int, bytes]]:
        for number, (gfn, _ref) in enumerate(piece.pages):
            at = piece.start + number * PAGE_SIZE
            yield at, self.side.read(gfn * PAGE_SIZE, min(PAGE_SIZE, piece.start + piece.size - at))

    @staticmethod
    def _answered(piece: _Piece, good: bool) -> None:
        piece.transfer.missing -= 1
        piece.transfer.failed |= not good

    # Snapshots.

    def state_of(self) -> dict[str, Any]:
        """See GuestFrontend; nothing may be under way."""
        return {**super().state_of(), "page": self._page, "size": self.sectors, "info": self.info, "id": self._last_id}

    def restore(self, state: dict[str, Any]) -> None:
        """See GuestFrontend."""
        super().restore(state)
        self.sectors, self.info, self._last_id = state["size"], state["info"], state["id"]
        if state["page"]:
            self._page = (Gfn(state["page"][0]), state["page"][1])
            self._ring = FrontRing(self.side.page(self._page[0]), SLOT_SIZE, fresh=False)
