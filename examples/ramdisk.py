"""A whole back end on one page: disks that live in this program's memory. docs/drivers.md explains it.

    python3 examples/ramdisk.py              # shows the handshake on a simulated host
    python3 examples/ramdisk.py serve        # serves the guests of this Xen host, until it is interrupted
    xenvm device-attach GUEST vbd devid=51760 backend-kind=qdisk virtual-device=51760 device-type=disk
    xenvm device-detach GUEST vbd 51760

The kernel claims ``backend/vbd`` for itself; ``qdisk`` is free for programs, and the guest's driver sees no difference.
"""

from __future__ import annotations

import sys

from xenbus import blkif
from xenbus.errors import RingError
from xenbus.ring import BackRing
from xenvm.errors import HypercallError
from xenvm.host.back import BackDriver, GuestBackend

SECTORS = 2048


class RamDisk(GuestBackend):
    """One vbd; what the guest writes is in `data`."""

    def connect(self) -> dict[str, object]:
        """The front end has told where its ring is: maps it, and tells in turn what the disk is like."""
        ring_ref, port = self.read_peer("ring-ref", "event-channel")
        self.ref, page = self.map_ring(ring_ref)
        self.ring = BackRing(page, blkif.SLOT_SIZE)
        self.bind_port(port)
        self.data = bytearray(SECTORS * 512)
        return {"sectors": SECTORS, "sector-size": 512, "info": 0}

    def release(self) -> None:
        """The device closes, or something went wrong: gives back what was mapped."""
        if hasattr(self, "ring"):
            self.ring.close()
            del self.ring
        if hasattr(self, "ref"):
            self.side.unmap_grant(self.remote, self.ref)
            del self.ref

    def serve(self) -> bool:
        """The guest has sent an event: does all requests of the ring."""
        for untrusted in self.ring.requests():
            number, operation = blkif.request_id(untrusted)
            try:
                self.move(blkif.parse_request(untrusted))
                status = blkif.OKAY
            except (RingError, HypercallError):
                status = blkif.ERROR
            self.ring.put(blkif.Response(number, operation, status).pack())
        self.tell(self.ring.push())
        return True

    def move(self, request: blkif.Request | blkif.Discard) -> None:
        """Copies between the guest's pages and the disk; RingError for what is no read or write inside of it."""
        if not isinstance(request, blkif.Request) or request.operation > blkif.WRITE:
            raise RingError("this disk reads and writes only")
        if request.sector + request.sectors > SECTORS:
            raise RingError("that is behind the end of the disk")
        at, writing = request.sector * 512, request.operation == blkif.WRITE
        for segment in request.segments:
            page = self.side.map_grant(self.remote, segment.ref, readonly=writing)
            first, size = segment.first * 512, segment.sectors * 512
            if writing:
                self.data[at : at + size] = page[first : first + size]
            else:
                page[first : first + size] = self.data[at : at + size]
            self.side.unmap_grant(self.remote, segment.ref)
            at += size


def serve_real() -> None:
    """Serves the disks of this host's guests until it is interrupted."""
    from xenvm.host.open import Host
    from xenvm.host.serve import serve

    with Host() as host:
        print("serving backend/qdisk", flush=True)
        serve(BackDriver("qdisk", host.store, host.back_side(), RamDisk.probe))


def demonstrate() -> None:
    """A guest is not needed to see that a back end works: a few nodes are."""
    from xenvm.host.sim.world import World

    world = World(
        services=[lambda world, _state: BackDriver("qdisk", world.peer_client(), world.back_side(), RamDisk.probe)]
    )
    front, back = "/local/domain/1/device/vbd/51712", "/local/domain/0/backend/qdisk/1/51712"
    for path, value in ((f"{front}/state", 1), (f"{back}/frontend", front), (f"{back}/frontend-id", 1)):
        world.store.write(path, str(value))
    for state in ("1", "5"):
        world.store.write(f"{back}/state", state)
        if state == "5":
            world.store.remove(front)
        world.settle()
        print(f"the toolstack wrote {state}, the back end answered {world.store.read(f'{back}/state').decode()}")
    world.close()


if __name__ == "__main__":
    serve_real() if sys.argv[1:] == ["serve"] else demonstrate()
