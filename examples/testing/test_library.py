"""Tests of code that uses xenvm and xenbus as libraries: faults, time, nothing left behind, and one's own drivers."""

from errno import ENOMEM

import pytest

from xenbus import blkif
from xenbus.client import connect
from xenbus.errors import RingError
from xenbus.ring import BackRing
from xenvm.errors import HypercallError
from xenvm.guest.load import load_file
from xenvm.host.back import GuestBackend
from xenvm.host.sim.front_block import BlockFront
from xenvm.ops.create import create
from xenvm.ops.destroy import destroy


@pytest.mark.xen(clean=True)
@pytest.mark.parametrize("operation", ["create", "set_max_mem", "set_entry", "unpause"])
def test_xen_refuses_something(xen_host, operation):
    spec = load_file(xen_host.config("g", disks=1))[0]
    xen_host.fail(operation, ENOMEM)
    with pytest.raises(HypercallError, match=f"{operation}.*ENOMEM"):
        create(xen_host.host, spec)


@pytest.mark.xen(clean=True)
def test_a_hostile_guest_harms_nobody(xen_host):
    good = xen_host.create("good", disks=1, vifs=1)
    bad = xen_host.create("bad", disks=1, vifs=1, behaviour="hostile")
    xen_host.advance(3600)  # an hour, at once
    assert good.states() == {"vbd/51712": "4", "vif/0": "4"}
    bad.destroy()  # whatever it says of the state of a device: all of it goes, see clean=True
    assert destroy(xen_host.host, good.domid, good.info.uuid) == []


class NumberedDisk(GuestBackend):
    """A back end of one's own: a disk to read, whose sectors are full of their own numbers. ../ramdisk.py can write."""

    def connect(self):
        ring_ref, port = self.read_peer("ring-ref", "event-channel")
        self.ref, page = self.map_ring(ring_ref)
        self.ring = BackRing(page, blkif.SLOT_SIZE)
        self.bind_port(port)
        return {"sectors": 256, "sector-size": 512, "info": blkif.INFO_READONLY}

    def release(self):
        if hasattr(self, "ring"):
            self.ring.close()
            del self.ring
            self.side.unmap_grant(self.remote, self.ref)

    def serve(self):
        for untrusted in self.ring.requests():
            number, operation = blkif.request_id(untrusted)
            self.ring.put(blkif.Response(number, operation, self.answer(untrusted)).pack())
        self.tell(self.ring.push())
        return True

    def answer(self, untrusted):
        try:
            request = blkif.parse_request(untrusted)
        except RingError:
            return blkif.ERROR
        if request.operation != blkif.READ or request.sector + request.sectors > 256:
            return blkif.ERROR
        sector = request.sector
        for segment in request.segments:
            page = self.side.map_grant(self.remote, segment.ref, readonly=False)
            for place in range(segment.first, segment.last + 1):
                page[place * 512 : (place + 1) * 512] = bytes([sector]) * 512
                sector += 1
            self.side.unmap_grant(self.remote, segment.ref)
        return blkif.OKAY


@pytest.mark.xen(clean=True)
def test_a_back_end_of_ones_own(xen_host):
    xen_host.serve("vbd", NumberedDisk.probe)
    guest = xen_host.create(disks=1)
    disk = guest.driver("vbd/51712")
    read, beyond, write = disk.read_sectors(7, 2), disk.read_sectors(255, 2), disk.write_sectors(3, b"x" * 512)
    xen_host.settle()
    assert read.data == bytes([7]) * 512 + bytes([8]) * 512
    assert beyond.failed and write.failed
    assert guest.shutdown() == "poweroff"
    guest.destroy()


class LateDisk(BlockFront):
    """A front end of one's own: it counts how often it was connected."""

    connections = 0

    def connect(self):
        super().connect()
        self.connections += 1


def test_a_front_end_of_ones_own(xen_host):
    xen_host.drive("vbd", LateDisk)
    guest = xen_host.create(disks=1)
    guest.wait_up()
    assert guest.driver("vbd/51712").connections == 1
    assert guest.shutdown() == "poweroff"


def test_a_client_of_the_store_survives_a_restart(xenstore):
    with connect() as store:  # it finds the fixture's server
        store.write("/tool/mine", "1")
    xenstore.restart()
    assert xenstore.read("/tool/mine") == "1"
