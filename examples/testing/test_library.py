"""Tests of code that uses xenvm and xenbus as libraries: faults, time, nothing left behind, and one's own drivers."""

import runpy
from errno import ENOMEM
from pathlib import Path

import pytest

from xenbus.client import connect
from xenvm.errors import HypercallError
from xenvm.guest.load import load_file
from xenvm.host.sim.front_block import BlockFront
from xenvm.ops.create import create
from xenvm.ops.destroy import destroy

EXAMPLES = Path(__file__).resolve().parent.parent


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


def test_a_back_end_of_ones_own(xen_host):
    ramdisk = runpy.run_path(str(EXAMPLES / "ramdisk.py"))["RamDisk"]
    xen_host.serve("vbd", ramdisk.probe)
    guest = xen_host.create(disks=1)
    disk = guest.driver("vbd/51712")
    disk.write_sectors(3, b"example " * 64)
    xen_host.settle()
    read = disk.read_sectors(3, 1)
    xen_host.settle()
    assert read.data == b"example " * 64


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
