"""Devices off guests that run: in order, by force, and whatever the guest has made of its end."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.fakehost import BACKENDS, MAC, UUID, FakeHost, fake_host
from tests.support.fakehyper import Step
from xenbus.errors import StoreClosed, StoreError, StoreTimeout, XenbusError
from xenvm.errors import DeviceError, HostError, HypercallError, NoSuchDomain
from xenvm.host.hyper import DomainInfo
from xenvm.ops import detach as module
from xenvm.ops.destroy import destroy
from xenvm.ops.detach import detach, remove
from xenvm.ops.devices import find_disk, find_nic
from xenvm.ops.records import Record, belongings
from xenvm.types import Domid

FRONT = "/local/domain/1/device"
OTHER = "99999999-2222-3333-4444-555555555555"


@contextmanager
def a_guest(folder: Path) -> Iterator[FakeHost]:
    """A host with a guest that has drivers, a disk xvda and a vif 0."""
    with fake_host(folder) as world:
        world.store.drivers = True
        world.create()
        yield world


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[FakeHost]:
    with a_guest(tmp_path) as world:
        yield world


def info(world: FakeHost) -> DomainInfo:
    return world.hyper.all[Domid(1)].info


def device(world: FakeHost, kind: str) -> Record:
    return find_disk(world.host, Domid(1), "xvda") if kind == "vbd" else find_nic(world.host, Domid(1), "0")


def take(world: FakeHost, kind: str, *, force: bool = False) -> None:
    detach(world.host, info(world), device(world, kind), force=force)


def both(world: FakeHost, *, force: bool = False) -> None:
    take(world, "vbd", force=force)
    take(world, "vif", force=force)


@lru_cache(maxsize=1)
def plain() -> dict[str, object]:
    """The same host and guest, created without devices."""
    with TemporaryDirectory() as folder, fake_host(Path(folder)) as world:
        world.create(disk=None, vif=None)
        return without_time(world)


def as_if_it_had_never_been(world: FakeHost) -> None:
    assert without_time(world) == plain()


def without_time(world: FakeHost) -> dict[str, object]:
    traces = world.traces()
    nodes = traces["nodes"]
    assert isinstance(nodes, list)
    return {**traces, "nodes": sorted(line for line in nodes if "start_time" not in line)}


@pytest.mark.parametrize("force", [False, True])
def test_nothing_of_it_is_left(guest: FakeHost, force: bool) -> None:
    both(guest, force=force)
    as_if_it_had_never_been(guest)


@pytest.mark.parametrize("force", [False, True])
def test_the_order(guest: FakeHost, force: bool) -> None:
    record, log = device(guest, "vbd"), len(guest.store.log)
    detach(guest.host, info(guest), record, force=force)
    changes = [f"{operation} {path}" for operation, path in guest.store.log[log:] if operation in ("WRITE", "RM")]
    back, front, own = f"{BACKENDS}/vbd/1/51712", f"{FRONT}/vbd/51712", "/libxl/1/device/vbd"
    assert changes == [
        *([f"RM {front}"] if force else []),
        f"WRITE {back}/online",
        f"WRITE {back}/state",
        *(f"RM {path}" for path in (back, front, f"{own}/51712", f"{FRONT}/vbd", own)),
        *(f"RM {path}" for path in (f"{BACKENDS}/vbd/1", f"{BACKENDS}/vbd")),
    ]


def test_others_keep_their_devices(guest: FakeHost) -> None:
    disk = guest.file("other.img", bytes(512))
    before = guest.store.dump()
    guest.create(name="other", uuid=OTHER, disk=[f"{disk},raw,xvda,rw"], vif=["bridge=xenbr0,mac=00:16:3e:00:00:01"])
    kept = [line for line in guest.store.dump().splitlines() if line not in before.splitlines()]
    both(guest)
    assert [line for line in kept if line not in guest.store.dump().splitlines()] == []
    assert list(guest.loops.files) == ["/dev/loop1"] and "vif2.0" in guest.net.by_name


def test_a_guest_that_ignores_it_is_told_by_name_and_state(guest: FakeHost) -> None:
    guest.store.drivers = False
    before = guest.traces()
    with pytest.raises(DeviceError) as caught:
        detach(guest.host, info(guest), device(guest, "vbd"), seconds=0)
    assert str(caught.value) == (
        "vbd 51712 of domain 1: g did not let go of it: its end is 4 Connected, the back end 5 Closing;"
        " --force takes it away all the same"
    )
    after = guest.traces()
    assert {**after, "nodes": None} == {**before, "nodes": None}, "the disk is still whole"
    take(guest, "vbd", force=True)
    assert not guest.loops.files


def test_a_back_end_that_hangs(guest: FakeHost) -> None:
    guest.store.drivers = guest.store.closing = False
    guest.store.put(f"{FRONT}/vbd/51712/state", "6")
    with pytest.raises(DeviceError, match="the back end did not let go of it: its end is 6 Closed, the back end 5"):
        detach(guest.host, info(guest), device(guest, "vbd"), seconds=0)
    detach(guest.host, info(guest), device(guest, "vbd"), seconds=0, force=True)
    assert not guest.loops.files and device_names(guest) == ["vif 0"]


def device_names(world: FakeHost) -> list[str]:
    found = belongings(world.host, Domid(1)).devices
    return [f"{device.kind} {device.devid}" for device in found if device.kind in ("vbd", "vif")]


def test_it_lets_go_after_all(guest: FakeHost) -> None:
    """What was asked once and closed later is cleared away by asking again."""
    guest.store.drivers = False
    with pytest.raises(DeviceError):
        detach(guest.host, info(guest), device(guest, "vbd"), seconds=0)
    guest.store.put(f"{FRONT}/vbd/51712/state", "6")
    guest.store.put(f"{BACKENDS}/vbd/1/51712/state", "6")
    take(guest, "vbd")
    assert not guest.loops.files and device_names(guest) == ["vif 0"]


@pytest.mark.parametrize("gone", [f"{BACKENDS}/vbd/1/51712/state", f"{BACKENDS}/vbd/1/51712", f"{FRONT}/vbd/51712"])
def test_a_part_of_it_is_gone_already(guest: FakeHost, gone: str) -> None:
    record = device(guest, "vbd")
    guest.store.drop(gone)
    detach(guest.host, info(guest), record)
    take(guest, "vif")
    as_if_it_had_never_been(guest)


def test_somebody_else_was_faster(guest: FakeHost) -> None:
    record = device(guest, "vbd")
    detach(guest.host, info(guest), record)
    nodes = guest.store.dump()
    detach(guest.host, info(guest), record)
    assert guest.store.dump() == nodes, "nothing comes back"


def test_the_guest_goes_meanwhile(guest: FakeHost) -> None:
    record, guest_info = device(guest, "vbd"), info(guest)
    destroy(guest.host, Domid(1), UUID)
    nodes = guest.store.dump()
    with pytest.raises(NoSuchDomain):
        detach(guest.host, guest_info, record)
    assert guest.store.dump() == nodes


def test_the_guest_reboots_meanwhile(guest: FakeHost) -> None:
    """Its nodes have gone, Xen still has it: its successor will have the device."""
    there = device(guest, "vif")
    for path in ("/local/domain/1", "/libxl/1/device", there.backend):
        guest.store.drop(path)
    with pytest.raises(NoSuchDomain):
        detach(guest.host, info(guest), there)


def test_a_driver_that_starts_over_it(guest: FakeHost) -> None:
    """It writes its next state over our Closing, and is asked again."""
    guest.store.drivers, told = False, []

    def driver(path: str, value: bytes | None) -> None:
        if value == b"5":
            told.append(value)
            guest.store.put(path, "4" if len(told) == 1 else "6")

    guest.store.on_write(f"{BACKENDS}/vbd/1/51712/state", driver)
    take(guest, "vbd")
    assert len(told) == 2 and not guest.loops.files


def test_remove_is_for_whatever_there_is(guest: FakeHost) -> None:
    guest.store.drivers = False
    assert remove(guest.host, info(guest), "vbd", 51712) == remove(guest.host, info(guest), "vif", 0) == []
    as_if_it_had_never_been(guest)
    assert remove(guest.host, info(guest), "vbd", 51712) == []


def test_a_loop_device_that_does_not_go(guest: FakeHost) -> None:
    """Then the record stays, and it can be tried again."""
    error, free = DeviceError("/dev/loop0", "cannot be freed"), guest.loops.detach
    guest.patch.setattr("xenvm.host.plumbing.loop.detach", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(DeviceError, match="cannot be freed"):
        take(guest, "vbd")
    assert device_names(guest) == ["vbd 51712", "vif 0"]
    assert remove(guest.host, info(guest), "vbd", 51712) == ["/dev/loop0: cannot be freed"]
    guest.patch.setattr("xenvm.host.plumbing.loop.detach", free)
    take(guest, "vbd")
    assert not guest.loops.files


# A hostile guest.

JUNK = ["", "x" * 2000, "\xff\xfe", "-1", "99999999999999999999999", "/local/domain/2/device/vbd/51712", "4\n4"]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("key", ["state", "backend", "backend-id", "virtual-device", "event-channel"])
def test_a_guest_that_rewrites_its_end(guest: FakeHost, key: str, junk: str) -> None:
    """Its words lead nowhere: only its own device goes, and only if it lets go or is forced to."""
    disk = guest.file("other.img", bytes(512))
    guest.create(name="other", uuid=OTHER, disk=[f"{disk},raw,xvda,rw"], vif=None)
    theirs = [line for line in guest.store.dump().splitlines() if "/2/" in line]
    guest.store.drivers = False
    guest.store.put(f"{FRONT}/vbd/51712/{key}", junk.encode("latin-1"))
    with pytest.raises(DeviceError, match="did not let go of it"):
        detach(guest.host, info(guest), device(guest, "vbd"), seconds=0)
    take(guest, "vbd", force=True)
    assert device_names(guest) == ["vif 0"]
    assert [line for line in guest.store.dump().splitlines() if "/2/" in line] == theirs


# Failures at every step: whatever failed, a second try ends it.


@lru_cache(maxsize=2)
def a_clean_run(force: bool) -> tuple[tuple[Step, ...], tuple[tuple[str, str], ...]]:
    with TemporaryDirectory() as folder, a_guest(Path(folder)) as world:
        steps, log = len(world.hyper.steps), len(world.store.log)
        take(world, "vbd", force=force)
        return tuple(world.hyper.steps[steps:]), tuple(world.store.log[log:])


def again(world: FakeHost, force: bool) -> None:
    for kind in ("vbd", "vif"):
        try:
            take(world, kind, force=force)
        except DeviceError as error:
            assert "has no such device" in str(error)
    as_if_it_had_never_been(world)


@pytest.mark.parametrize("fault", [errno.EPERM, KeyboardInterrupt()], ids=["refused", "interrupted"])
@pytest.mark.parametrize("step", a_clean_run(False)[0], ids=lambda step: "{}-{}".format(*step))
def test_every_hypercall(guest: FakeHost, step: Step, fault: int | BaseException) -> None:
    guest.hyper.fail_at((step[0], step[1]), fault)
    with pytest.raises((HypercallError, HostError, KeyboardInterrupt)):
        take(guest, "vbd")
    again(guest, False)


@pytest.mark.parametrize("force", [False, True], ids=["in order", "by force"])
@pytest.mark.parametrize("fault", ["ENOSPC", "EACCES", "close", "mute"])
def test_every_store_request(tmp_path: Path, fault: str, force: bool) -> None:
    for k, (operation, _) in enumerate(a_clean_run(force)[1], 1):
        waiting = operation == "READ" and fault == "EACCES"
        if operation == "UNWATCH" or waiting:
            continue  # Nobody waits for that answer.
        (tmp_path / str(k)).mkdir()
        with a_guest(tmp_path / str(k)) as world:
            count = world.store.count
            if fault == "mute":
                world.mute(count + k)
            else:
                world.store.inject(count + k, fault)
            world.patch.setattr(module, "CLOSE_SECONDS", 0.2)
            with pytest.raises((XenbusError, DeviceError)) as caught:
                take(world, "vbd", force=force)
            assert world.store.log[count + k - 1][0] == operation, "the fault met the request that it was meant for"
            kinds = {"close": StoreClosed, "mute": StoreTimeout}.get(fault, StoreError)
            assert isinstance(caught.value, kinds)
            if fault == "close":
                world.host.reconnect()
            again(world, force)


def test_of_what_is_there(guest: FakeHost) -> None:
    assert find_disk(guest.host, Domid(1), "51712").devid == 51712
    assert find_nic(guest.host, Domid(1), MAC.upper()).devid == 0
    for find, who in ((find_disk, "xvdb"), (find_nic, "1"), (find_nic, "00"), (find_nic, "00:16:3e:00:00:00")):
        with pytest.raises(DeviceError, match=f"v.. {who}: domain 1 has no such device"):
            find(guest.host, Domid(1), who)
