"""The block back end of the simulated domain 0: serves image files as Linux' blkback does (public/io/blkif.h)."""

from __future__ import annotations

import os

from xenbus import blkif
from xenbus.blkif import SECTOR_SIZE, Discard, Request
from xenbus.errors import DeviceFault, RingError
from xenbus.parse import parse_device, parse_text
from xenbus.ring import BackRing
from xenvm.errors import HypercallError
from xenvm.host.sim.back import BackDriver, GuestBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from xenbus.client import Store
    from xenvm.host.back import BackSide


class Image:
    """An image file, in sectors of 512 bytes; a part of a sector at the end is left out. A device is only read."""

    def __init__(self, path: str, writable: bool) -> None:
        self.writable = writable = writable and os.path.isfile(path)
        self._fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        self.sectors = os.lseek(self._fd, 0, os.SEEK_END) // SECTOR_SIZE

    def read(self, sector: int, into: memoryview) -> None:
        """Fills `into`; OSError."""
        if os.preadv(self._fd, [into], sector * SECTOR_SIZE) != len(into):
            raise OSError("the image has become shorter")

    def write(self, sector: int, data: memoryview) -> None:
        """Writes all of `data`; OSError."""
        if os.pwrite(self._fd, data, sector * SECTOR_SIZE) != len(data):
            raise OSError("the image took only a part")

    def flush(self) -> None:
        """Makes durable what was written."""
        os.fdatasync(self._fd)

    def discard(self, sector: int, count: int) -> None:
        """What is not needed any more reads as zeros."""
        zeros = memoryview(bytes(min(count, 2048) * SECTOR_SIZE))
        while count > 0:
            some = min(count, 2048)
            self.write(sector, zeros[: some * SECTOR_SIZE])
            sector, count = sector + some, count - some

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)


class BlockBack(GuestBackend):
    """One vbd, with one ring of one page."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.image: Image | None = None
        self._ring: BackRing | None = None
        self._ring_ref: int | None = None

    # The handshake.

    def connect(self) -> Mapping[str, object] | None:
        """Not before the hotplug script, or who does its work, has told which device it is."""
        (device,) = self.read("physical-device")
        if parse_device(device) is None:
            return None
        ref, port, protocol = self.read_peer("ring-ref", "event-channel", "protocol")
        if protocol not in (None, blkif.PROTOCOL.encode()):
            raise DeviceFault(f"{self.peer} speaks a protocol that is not {blkif.PROTOCOL}")
        self.count_queues()
        self._open_image()
        self._ring_ref, page = self.map_ring(ref)
        self._ring = BackRing(page, blkif.SLOT_SIZE)
        self.bind_port(port)
        self.bus.kick(self)  # There can be requests already.
        return self._properties()

    def _open_image(self) -> None:
        # Not physical-device-path: that loop device is simulated, and one of the same name can really exist.
        params, mode = self.read("params", "mode")
        name = parse_text(params)
        if not name:
            raise DeviceFault(f"{self.path} does not say which file it is")
        self.image = self.image or Image(name, (mode or b"r").startswith(b"w"))

    def _properties(self) -> dict[str, object]:
        assert self.image is not None, "it was opened before"
        info = 0 if self.image.writable else blkif.INFO_READONLY
        return {
            "feature-flush-cache": 1,
            "feature-barrier": 1,
            "feature-discard": int(self.image.writable),
            "sectors": self.image.sectors,
            "info": info,
            "sector-size": 512,
            "physical-sector-size": 512,
        }

    def release(self) -> None:
        """Unmaps the ring and closes the image."""
        if self._ring:
            self._ring.close()
            self._ring = None
        if self._ring_ref is not None:
            self.side.unmap_grant(self.remote, self._ring_ref)
            self._ring_ref = None
        if self.image:
            self.image.close()
            self.image = None

    # The ring.

    def serve(self) -> bool:
        """Does all requests that are there."""
        ring, done = self._ring, 0
        if ring is None:
            return False
        for untrusted in ring.requests():
            done += 1
            number, operation = blkif.request_id(untrusted)
            ring.put(blkif.Response(number, operation, self._do(untrusted)).pack())
        self.tell(ring.push())
        return done > 0

    def _do(self, untrusted: bytes) -> int:
        """The status of one request: whatever is wrong with it, only that one fails."""
        assert self.image is not None, "a ring has an image"
        try:
            request = blkif.parse_request(untrusted)
            return (
                self._discard(self.image, request) if isinstance(request, Discard) else self._move(self.image, request)
            )
        except (RingError, HypercallError, OSError):
            return blkif.ERROR

    def _discard(self, image: Image, request: Discard) -> int:
        self._check(image, request.sector, request.sectors, writing=True)
        image.discard(request.sector, request.sectors)
        return blkif.OKAY

    def _move(self, image: Image, request: Request) -> int:
        if request.operation not in (blkif.READ, blkif.WRITE, blkif.BARRIER, blkif.FLUSH):
            return blkif.UNSUPPORTED
        reading, sector = request.operation == blkif.READ, request.sector
        self._check(image, sector, request.sectors, writing=not reading and bool(request.segments))
        for segment in request.segments:
            page = self.side.map_grant(self.remote, segment.ref, readonly=not reading)
            try:
                with page[segment.first * SECTOR_SIZE : (segment.last + 1) * SECTOR_SIZE] as part:
                    (image.read if reading else image.write)(sector, part)
            finally:
                self.side.unmap_grant(self.remote, segment.ref)
            sector += segment.sectors
        if request.operation in (blkif.BARRIER, blkif.FLUSH):
            image.flush()
        return blkif.OKAY

    def _check(self, image: Image, sector: int, count: int, writing: bool) -> None:
        if sector + count > image.sectors:
            raise RingError(f"sectors {sector} to {sector + count} of a disk of {image.sectors}")
        if writing and not image.writable:
            raise RingError("a write to a disk that is read-only")


def block_driver(store: Store, side: BackSide) -> BackDriver:
    """The driver of all vbds."""
    return BackDriver("vbd", store, side, BlockBack.probe)
