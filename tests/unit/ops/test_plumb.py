"""Which back ends are plumbed in process, which by scripts, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.fakehost import BACKENDS, MAC, FakeHost
from xenvm.errors import DeviceError
from xenvm.guest.spec import GuestSpec
from xenvm.ops import create, plumb
from xenvm.ops.destroy import destroy
from xenvm.types import Domid


def log_of(world: FakeHost, name: str = "hotplug") -> list[str]:
    path = Path(world.folder) / f"{name}.log"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def script(world: FakeHost) -> str:
    return world.script("hotplug", 'echo "$@ $XENBUS_PATH" >>"$0.log"')


def make(world: FakeHost, spec: GuestSpec, *, scripts: bool = False) -> Domid:
    return create.create(world.host, spec, create.Options(hotplug_scripts=scripts))


def test_scripts_of_their_own_are_run_and_undone(world: FakeHost, script: str) -> None:
    disk = world.file("disk.img", bytes(512))
    domid = world.create(
        disk=[f"format=raw,vdev=xvda,access=rw,script={script},target={disk}"],
        vif=[f"mac={MAC},bridge=xenbr0,script={script}"],
    )
    assert log_of(world) == ["add backend/vbd/1/51712", "online type_if=vif backend/vif/1/0"]
    assert not world.loops.files and world.net.by_name["vif1.0"].master == 0
    assert world.store.get(f"{BACKENDS}/vbd/1/51712/physical-device") is None, "the script writes it"
    assert destroy(world.host, domid, world.hyper.all[domid].uuid) == []
    assert log_of(world)[2:] == ["remove backend/vbd/1/51712", "offline type_if=vif backend/vif/1/0"]


def test_all_scripts_on_demand(world: FakeHost, script: str) -> None:
    for name in ("BLOCK_SCRIPT", "VIF_SCRIPT"):
        world.patch.setattr(f"xenvm.guest.nodes.{name}", script)
        world.patch.setattr(plumb, name, script)
    make(world, world.spec(), scripts=True)
    assert len(log_of(world)) == 2
    assert not (world.folder / "block").exists(), "the lock is the scripts' business"


@pytest.mark.parametrize("why", ["ip", "filter", "hook"])
def test_what_only_the_vif_script_does(world: FakeHost, script: str, why: str) -> None:
    world.patch.setattr("xenvm.guest.nodes.VIF_SCRIPT", script)
    world.patch.setattr(plumb, "VIF_SCRIPT", script)
    if why == "filter":
        world.file("_FILTER_ALL", b"1\n")
    elif why == "hook":
        (world.folder / "_HOOKS").mkdir()
        os.rename(world.script("x", "true"), world.folder / "_HOOKS" / "a.hook")
    ip = ",ip=10.0.0.2" if why == "ip" else ""
    domid = world.create(vif=[f"mac={MAC},bridge=xenbr0{ip}"], disk=None)
    assert log_of(world) == ["online type_if=vif backend/vif/1/0"]
    destroy(world.host, domid, world.hyper.all[domid].uuid)
    assert len(log_of(world)) == 2


def test_the_name_of_the_script_may_be_short(world: FakeHost) -> None:
    domid = world.create(vif=[f"mac={MAC},bridge=xenbr0,script=vif-bridge"])
    assert world.net.by_name[f"vif{domid}.0"].master == 1


def test_a_block_device_needs_no_loop(world: FakeHost) -> None:
    world.patch.setattr("xenvm.host.plumbing.block.stat.S_ISBLK", lambda mode: True)
    world.create(disk=[f"{world.file('disk.img', b'.')},raw,xvda,ro"])
    assert not world.loops.files
    assert world.store.get(f"{BACKENDS}/vbd/1/51712/node") is None
    assert world.store.get(f"{BACKENDS}/vbd/1/51712/physical-device")


def test_readers_share_a_disk(world: FakeHost) -> None:
    disk = [f"{world.file('disk.img', bytes(512))},raw,xvda,ro"]
    world.create(disk=disk)
    world.create(disk=disk, name="h", uuid=None, vif=None)
    assert len(world.loops.files) == 2
    with pytest.raises(DeviceError, match="is in use by domain 1"):
        world.create(name="w", uuid=None, vif=None)


def test_two_disks_of_one_guest_may_be_one_file(world: FakeHost) -> None:
    disk = world.file("disk.img", bytes(512))
    world.create(disk=[f"{disk},raw,xvda,ro", f"{disk},raw,xvdb,ro"])
    assert len(world.loops.files) == 2


def test_an_interface_that_comes_a_moment_later(world: FakeHost) -> None:
    """netback announces itself first."""
    plug = world.net.plug
    world.patch.setattr(world.net, "plug", lambda name: None)
    world.net.late = lambda: plug("vif1.0")
    world.create()
    assert world.net.by_name["vif1.0"].master == 1


def test_a_configured_mtu_and_name(world: FakeHost) -> None:
    world.create(vif=[f"mac={MAC},bridge=xenbr0,mtu=9000,vifname=tap7"])
    assert world.net.by_name["tap7"].mtu == 9000
    assert world.store.get("/local/domain/1/device/vif/0/mtu") == b"9000"


@pytest.mark.parametrize("name", ["sixteen-letters-", "a/b", "a b", "."])
def test_a_name_that_no_interface_can_have(world: FakeHost, name: str) -> None:
    """Known before anything is touched."""
    with pytest.raises(DeviceError, match=r"vif 0: vifname=.* cannot be the name") as caught:
        world.create(vif=[f"mac={MAC},bridge=xenbr0,vifname={name}"])
    assert not hasattr(caught.value, "__notes__") and sorted(world.hyper.all) == [0]


def test_the_guest_learns_the_mtu_of_its_bridge(world: FakeHost) -> None:
    world.net.by_name["xenbr0"] = world.net.by_name["xenbr0"].replace(mtu=1400)
    world.create()
    assert world.store.get("/local/domain/1/device/vif/0/mtu") == b"1400"
    assert "n0,r1" in next(line for line in world.store.dump().splitlines() if "vif/0/mtu" in line)


def test_the_lock_is_held_until_the_nodes_are_there(world: FakeHost) -> None:
    """Or two toolstacks could both find a disk free."""
    lock, held = world.folder / "block", []
    for operation in ("domains", "create", "set_params", "set_entry"):
        world.hyper.on_call[operation] = lambda operation=operation: held.append((operation, lock.exists()))
    world.create()
    assert held == [("domains", True), ("create", True), ("set_params", True), ("set_entry", False)]


def test_a_guest_without_disks_takes_no_lock(world: FakeHost) -> None:
    world.hyper.on_call["create"] = lambda: held.append((world.folder / "block").exists())
    held: list[bool] = []
    world.create(disk=None)
    assert held == [False]


@pytest.mark.parametrize("name", ["vif-route", "vif-nat", "vif-openvswitch"])
def test_other_networks_are_the_hosts_scripts_business(world: FakeHost, script: str, name: str) -> None:
    """By the name that a configuration gives; the bridge need not be one that Linux knows."""
    scripts = world.folder / "scripts"
    scripts.mkdir()
    os.rename(script, scripts / name)
    world.patch.setattr("xenvm.guest.nodes.script_path", lambda text: str(scripts / text))
    world.patch.setattr(plumb.nodes, "script_path", lambda text: str(scripts / text))
    domid = world.create(vif=[f"mac={MAC},script={name},bridge=ovsbr0"])
    assert world.store.get(f"{BACKENDS}/vif/{domid}/0/script") == str(scripts / name).encode()
    log = scripts / f"{name}.log"
    assert log.read_text() == f"online type_if=vif backend/vif/{domid}/0\n"
    destroy(world.host, domid, world.hyper.all[domid].uuid)
    assert log.read_text().splitlines()[1:] == [f"offline type_if=vif backend/vif/{domid}/0"]


def test_nothing_is_asked_for_a_file_that_nobody_has(world: FakeHost) -> None:
    """Other guests could only have it through a loop device."""
    world.create(name="first", uuid=None, vif=None, disk=[f"{world.file('other.img', bytes(512))},raw,xvda,rw"])
    asked = len(world.store.log)
    world.create(vif=None)
    lists = [path for operation, path in world.store.log[asked:] if path.startswith("/local/domain/0/backend/vbd/1")]
    assert not lists
