"""xenvm's own record of a guest, and the guest as it is now."""

from __future__ import annotations

import os

import pytest

from tests.support.fakehost import UUID, FakeHost
from xenvm.errors import DomainError
from xenvm.guest.spec import DiskSpec, NicSpec
from xenvm.host.hyper import DomainInfo
from xenvm.ops import memo, xlrecord
from xenvm.ops.attach import attach_disk, attach_nic
from xenvm.ops.create import Options, create
from xenvm.ops.detach import detach
from xenvm.ops.devices import find_disk
from xenvm.ops.memory import set_limit, set_target
from xenvm.ops.names import rename
from xenvm.ops.vcpus import set_online
from xenvm.types import Domid, KiB


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    world.store.drivers = True
    create(world.host, world.spec(vcpus=2, maxmem=128), Options(hotplug_scripts=False))
    return world


def info(world: FakeHost) -> DomainInfo:
    return world.hyper.all[Domid(1)].info


def current(world: FakeHost) -> memo.GuestSpec:
    kept = memo.read(world.host, Domid(1), UUID)
    assert kept is not None
    return memo.current(world.host, info(world), kept)


def test_nothing_has_changed(guest: FakeHost) -> None:
    kept = memo.read(guest.host, Domid(1), UUID)
    assert kept is not None and current(guest) == kept.spec
    assert kept.spec == guest.spec(vcpus=2, maxmem=128).replace(places=None)


def test_everything_has_changed(guest: FakeHost) -> None:
    """What xenvm does to a running guest is there again after a restart."""
    disk = DiskSpec(guest.file("b.img", bytes(512)), "xvdb", 51728)
    nic = NicSpec(1, "00:16:3e:00:00:02", bridge="xenbr0")
    attach_disk(guest.host, info(guest), disk)
    attach_nic(guest.host, info(guest), nic)
    detach(guest.host, info(guest), find_disk(guest.host, Domid(1), "xvda"))
    set_target(guest.host, info(guest), KiB(32 * 1024))
    set_limit(guest.host, info(guest), KiB(96 * 1024))
    set_online(guest.host, info(guest), 1)
    rename(guest.host, "g", "h")
    found = current(guest)
    assert found.disks == (disk,) and [each.devid for each in found.nics] == [0, 1]
    assert (found.name, found.vcpus, found.maxvcpus, found.uuid) == ("h", 1, 2, UUID)
    assert (found.memory, found.maxmem) == (32 * 1024, 96 * 1024)


def test_xl_sees_it_too(guest: FakeHost) -> None:
    from xenvm.guest.jsontext import parse

    set_target(guest.host, info(guest), KiB(32 * 1024))
    set_limit(guest.host, info(guest), KiB(96 * 1024))
    config = parse(guest.host.plumbing.userdata.UserData(Domid(1), UUID).read_config() or "")
    assert (config["b_info"]["target_memkb"], config["b_info"]["max_memkb"]) == (32768, 98304)


def test_a_device_that_only_the_record_has(guest: FakeHost) -> None:
    """An attachment was cut short."""
    xlrecord.add(guest.host, info(guest), DiskSpec("/b", "xvdb", 51728))
    assert [disk.vdev for disk in current(guest).disks] == ["xvda"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "watch": "me", "spec": {}}'])
def test_a_record_that_makes_no_sense(guest: FakeHost, text: str) -> None:
    guest.host.plumbing.userdata.UserData(Domid(1), UUID).write("xenvm", text.encode())
    with pytest.raises(DomainError, match="domain 1: xenvm's record of it is of no use"):
        memo.read(guest.host, Domid(1), UUID)


@pytest.mark.parametrize("spec", ["7", '{"kind": "spec.NicSpec", "devid": 1}', "null"])
def test_a_record_of_something_else(spec: str) -> None:
    with pytest.raises(ValueError, match="no specification of a guest"):
        memo.from_text(f'{{"version": 1, "watch": "nobody", "spec": {spec}}}')


def test_libxls_record_makes_no_sense(guest: FakeHost) -> None:
    data = guest.host.plumbing.userdata.UserData(Domid(1), UUID)
    data.write_config("{")
    with pytest.raises(DomainError, match="domain 1: libxl's record of it is of no use: no JSON"):
        current(guest)
    xlrecord.remove(guest.host, info(guest), "vbd", 51712)
    assert data.read_config() == "{", "it is left as it is"


def test_without_libxls_record(guest: FakeHost) -> None:
    data = guest.host.plumbing.userdata.UserData(Domid(1), UUID)
    os.unlink(data.path("d", "libxl-json"))
    assert [disk.vdev for disk in current(guest).disks] == ["xvda"]
    xlrecord.add(guest.host, info(guest), DiskSpec("/b", "xvdb", 51728))
    assert data.read_config() is None


def test_only_what_differs_is_kept(guest: FakeHost) -> None:
    assert '"on_poweroff"' not in memo.to_text(memo.Memo(guest.spec()))
