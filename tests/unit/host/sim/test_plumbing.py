"""Plumbing that touches nothing of the machine, by the real rules."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenvm.errors import DeviceError, WaitTimeout
from xenvm.host.plumbing.block import OtherDisk
from xenvm.types import Domid


def test_loop_devices(sim: SimWorld) -> None:
    disks = sim.world.plumbing.block
    path = str(sim.folder / "disk.img")
    target = disks.resolve(path, "w")
    with disks.lock():
        attached = disks.attach(target, "w", vm="/vm/a", others=[])
    assert attached.node == "/dev/simloop0" and not os.path.exists(attached.node)
    other = OtherDisk(attached.physical_device, "w", "/vm/a", 1)
    with pytest.raises(DeviceError, match="is in use by domain 1 through /dev/simloop0"):
        disks.attach(target, "r", vm="/vm/b", others=[other])
    disks.attach(target, "w!", vm="/vm/b", others=[other]).undo()
    disks.attach(target, "r", vm="/vm/b", others=[other.replace(mode="r")])
    disks.detach("/dev/simloop0", "/some/other/file")
    disks.detach("/dev/simloop9", path)
    assert list(disks.loops) == ["/dev/simloop0", "/dev/simloop1"]
    disks.detach("/dev/simloop0", path)
    assert list(disks.loops) == ["/dev/simloop1"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_the_user_may_not_open(sim: SimWorld) -> None:
    path = sim.folder / "disk.img"
    path.chmod(stat.S_IRUSR | stat.S_IWGRP)
    with pytest.raises(DeviceError, match="Permission denied"):
        sim.create()


def test_no_disk(sim: SimWorld, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be used as a disk"):
        sim.create(disk=[f"{tmp_path}/none,raw,xvda,rw"])


def test_any_bridge_is_there(sim: SimWorld) -> None:
    bridges = sim.world.plumbing.bridge
    assert bridges.find_bridge("", "vif 0") == "xenbr0"
    port = bridges.add("vif1.0", "br7", device="vif 0", mtu=9000, vifname="eth9")
    assert (port.interface, port.bridge, port.mtu) == ("eth9", "br7", 9000)
    with pytest.raises(DeviceError, match="the bridge a/b does not exist"):
        bridges.find_bridge("a/b", "vif 0")


def test_waiting_for_interfaces(sim: SimWorld) -> None:
    bridges = sim.world.plumbing.bridge
    bridges.interface_exists = lambda name: sim.world.now >= 3
    with bridges.LinkWatch() as links:
        with pytest.raises(WaitTimeout, match=r"vif1\.0 did not appear"):
            links.wait(["vif1.0"], sim.world.now + 2)
        links.wait(["vif1.0"], sim.world.now + 2)


def test_scripts_are_not_run(sim: SimWorld) -> None:
    domid = sim.create(vif=["mac=00:16:3e:11:22:33,bridge=xenbr0,script=/no/such/script"])
    sim.world.settle()
    assert sim.read("/local/domain/0/backend/vif/1/0/hotplug-status") == "connected"
    assert sim.read("/local/domain/1/device/vif/0/state") == "4"
    assert sim.destroy(domid) == []


def test_domids_rest_for_a_minute(sim: SimWorld) -> None:
    domids = sim.world.plumbing.domids
    domids.remember(Domid(5))
    assert domids.recent() == {5}
    sim.world.advance(61)
    assert domids.recent() == frozenset()
    domids.remember(Domid(6))
    assert [domid for _, domid in domids.used] == [6]


def test_files_of_domains_lie_in_the_world(sim: SimWorld) -> None:
    sim.world.plumbing.userdata.UserData(Domid(1), "u").write("x", b"data")
    assert (sim.folder / "world/userdata/userdata-d.1.u.x").read_bytes() == b"data"
