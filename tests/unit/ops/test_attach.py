"""Devices for guests that run: what is written, what is refused, and nothing left of what failed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.fakehost import BACKENDS, MAC, UUID, FakeHost, fake_host
from tests.support.fakehyper import Step
from xenbus.errors import NotFound, StoreClosed, StoreError, StoreTimeout, XenbusError
from xenvm.errors import ConfigError, DeviceError, DomainError, HostError, NoSuchDomain, XenvmError
from xenvm.guest.disk import parse_disk
from xenvm.guest.nodes import Device
from xenvm.guest.vif import parse_vif
from xenvm.host.plumbing import locks
from xenvm.host.plumbing.userdata import UserData
from xenvm.ops import attach, plumb
from xenvm.ops.attach import CHOOSE, attach_disk, attach_nic
from xenvm.ops.destroy import destroy
from xenvm.ops.detach import remove
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"
ERRORS = (errno.EPERM, errno.ESRCH)
REFUSALS = ("EAGAIN", "ENOSPC", "EACCES")


@contextmanager
def nothing_left(world: FakeHost) -> Iterator[None]:
    """After a failure everything is as it was."""
    before = world.traces()
    yield
    assert world.traces() == before


def running(world: FakeHost, **settings: object) -> FakeHost:
    """The host with a guest that has a disk xvda and a vif 0, or what the settings say."""
    world.store.drivers = True
    world.create(**settings)
    (world.folder / "userdata").mkdir(exist_ok=True)
    return world


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    return running(world)


def disk(world: FakeHost, spec: str = "{},raw,xvdb,rw", domid: int = 1, **options: bool) -> Device:
    path = world.folder / "more.img"
    if not path.exists():
        path.write_bytes(bytes(512))
    return attach_disk(world.host, world.hyper.all[Domid(domid)].info, parse_disk(spec.format(path)), **options)


def nic(world: FakeHost, spec: str = "mac=00:16:3e:00:00:07,bridge=xenbr0", **options: bool) -> Device:
    return attach_nic(world.host, world.hyper.all[Domid(1)].info, parse_vif(spec, CHOOSE), **options)


def test_a_disk(guest: FakeHost) -> None:
    device = disk(guest)
    assert (device.kind, device.devid) == ("vbd", 51728)
    back = f"{BACKENDS}/vbd/1/51728"
    assert guest.store.get(f"{back}/physical-device") == b"7:1"
    assert guest.store.get(f"{back}/node") == b"/dev/loop1"
    assert guest.store.get(f"{back}/state") == guest.store.get(f"{device.frontend}/state") == b"4"
    assert guest.store.get("/libxl/1/device/vbd/51728/backend") == back.encode()
    assert guest.loops.files["/dev/loop1"] == str(guest.folder / "more.img")


def test_a_guest_without_a_directory_of_devices(world: FakeHost) -> None:
    """As one that Xen itself has started, which was given its first nodes by Xen's init-dom0less."""
    world.create(disk=None, vif=None)
    world.store.drop("/libxl/1/device")
    disk(world)
    assert world.store.children("/libxl/1/device") == ["vbd"]


def test_the_nodes_are_those_of_a_creation(tmp_path: Path) -> None:
    """One way through the house: a device that came later differs in nothing."""
    dumps = []
    for number, later in enumerate((False, True)):
        (tmp_path / str(number)).mkdir()
        with fake_host(tmp_path / str(number)) as world:
            disks = [f"{world.file(name, bytes(512))},raw,{vdev},rw" for name, vdev in (("a", "xvda"), ("b", "xvdb"))]
            vifs = [f"mac={MAC},bridge=xenbr0", "mac=00:16:3e:00:00:07,bridge=xenbr0"]
            running(world, disk=disks[: 2 - later], vif=vifs[: 2 - later])
            if later:
                attach_disk(world.host, world.hyper.all[Domid(1)].info, parse_disk(disks[1]))
                nic(world, vifs[1])
            lines = world.store.dump().replace(str(world.folder), "").splitlines()
            dumps.append(sorted(line for line in lines if "start_time" not in line))
    assert dumps[0] == dumps[1]


def test_a_vif(guest: FakeHost) -> None:
    device = nic(guest)
    assert (device.kind, device.devid) == ("vif", 1)
    assert guest.net.by_name["vif1.1"].master == 1
    assert guest.store.get(f"{BACKENDS}/vif/1/1/hotplug-status") == b"connected"
    assert guest.store.get("/local/domain/1/device/vif/1/mac") == b"00:16:3e:00:00:07"


def test_a_vif_with_everything_chosen(guest: FakeHost) -> None:
    device = nic(guest, "")
    facts = dict(device.back)
    assert (device.devid, facts["bridge"]) == (1, "xenbr0") and facts["mac"].startswith("00:16:3e:")


def test_numbers_of_vifs(world: FakeHost) -> None:
    running(world, vif=None)
    assert [nic(world, "").devid for _ in range(3)] == [0, 1, 2]
    assert nic(world, "devid=7").devid == 7
    assert nic(world, "").devid == 8
    world.store.put("/libxl/1/device/vif/junk", "")
    assert nic(world, "").devid == 9


def test_everything_goes_in_one_transaction(guest: FakeHost) -> None:
    log = len(guest.store.log)
    disk(guest)
    operations = [operation for operation, _ in guest.store.log[log:]]
    start, end = operations.index("TRANSACTION_START"), operations.index("TRANSACTION_END")
    assert "WRITE" not in operations[:start] + operations[end:]


def test_a_guest_without_a_driver_is_not_waited_for(world: FakeHost) -> None:
    """As with xl: the back end waits for whoever comes."""
    running(world)
    world.store.drivers = False
    disk(world)
    assert world.store.get(f"{BACKENDS}/vbd/1/51728/state") == b"2"


def test_the_guest_goes_with_its_new_devices(world: FakeHost) -> None:
    with nothing_left(world):
        running(world)
        disk(world)
        nic(world)
        assert destroy(world.host, Domid(1), UUID) == []


def test_scripts_on_demand(guest: FakeHost) -> None:
    script = guest.script("hotplug", 'echo "$@ $XENBUS_PATH" >>"$0.log"')
    for name in ("BLOCK_SCRIPT", "VIF_SCRIPT"):
        guest.patch.setattr(f"xenvm.guest.nodes.{name}", script)
        guest.patch.setattr(plumb, name, script)
    disk(guest, use_scripts=True)
    nic(guest, use_scripts=True)
    said = (guest.folder / "hotplug.log").read_text().splitlines()
    assert said == ["add backend/vbd/1/51728", "online type_if=vif backend/vif/1/1"]


# Refused.

REFUSED: list[tuple[str, Callable[[FakeHost], object], type[Exception], str]] = [
    ("taken", lambda w: disk(w, "{},raw,xvda,rw"), DeviceError, "vbd 51712: domain 1 has this device already"),
    ("taken vif", lambda w: nic(w, "devid=0"), DeviceError, "vif 0: domain 1 has this device already"),
    ("no file", lambda w: disk(w, "/no/such,raw,xvdb,rw"), DeviceError, "/no/such: cannot be used as a disk"),
    ("qcow2", lambda w: disk(w, "{},qcow2,xvdb,rw"), ConfigError, "disk xvdb: format qcow2 needs QEMU"),
    (
        "driver domain",
        lambda w: disk(w, "{},raw,xvdb,rw,backend=net"),
        DeviceError,
        "there is no domain net to serve it",
    ),
    ("bridge", lambda w: nic(w, "bridge=nobridge"), DeviceError, "vif 1: the bridge nobridge does not exist"),
    ("script", lambda w: nic(w, "script=/no/such"), DeviceError, "vif 1: its script /no/such is no program"),
    ("vif elsewhere", lambda w: nic(w, "backend=net"), DeviceError, "there is no domain net to serve it"),
]


@pytest.mark.parametrize(("call", "kind", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(guest: FakeHost, call: Callable[[FakeHost], object], kind: type[Exception], message: str) -> None:
    with nothing_left(guest), pytest.raises(kind, match=message):
        call(guest)


def test_a_disk_that_another_guest_has(guest: FakeHost) -> None:
    guest.create(name="other", uuid=OTHER, disk=None, vif=None)
    with nothing_left(guest), pytest.raises(DeviceError, match=r"disk\.img: is in use by domain 1"):
        disk(guest, f"{guest.folder}/disk.img,raw,xvdb,ro", domid=2)
    disk(guest, f"{guest.folder}/disk.img,raw,xvdb,ro", domid=1)


@pytest.mark.parametrize("how", ["shutdown", "dying"])
def test_a_guest_that_has_gone_down(guest: FakeHost, how: str) -> None:
    info = guest.hyper.all[Domid(1)].info.replace(**{how: True})
    with nothing_left(guest), pytest.raises(DomainError, match="domain 1 has gone down"):
        attach_disk(guest.host, info, parse_disk("/x,raw,xvdb,rw"))


def test_a_guest_that_goes_meanwhile(guest: FakeHost) -> None:
    """Nothing of it comes back."""
    info = guest.hyper.all[Domid(1)].info
    destroy(guest.host, Domid(1), UUID)
    with nothing_left(guest), pytest.raises(NoSuchDomain):
        attach_nic(guest.host, info, parse_vif("bridge=xenbr0", CHOOSE))
    guest.patch.setattr(attach, "guest_lock", lambda *_: locks.FileLock(str(guest.folder / "userdata" / "lock")))
    with nothing_left(guest), pytest.raises(NoSuchDomain):
        attach_nic(guest.host, info, parse_vif("bridge=xenbr0", CHOOSE))


def test_libxl_gives_it_a_device_at_the_same_time(guest: FakeHost) -> None:
    """Both take the same lock, so the check and the nodes belong together."""
    path, seen = UserData(Domid(1), UUID).path("l", "domain-userdata-lock"), []
    guest.hyper.on_call["domains"] = lambda: seen.append(os.path.exists(path))
    disk(guest)
    assert seen == [True] and not os.path.exists(path)


# Failures at every step.


def both(world: FakeHost) -> None:
    disk(world)
    nic(world)


@lru_cache(maxsize=1)
def a_clean_run() -> tuple[tuple[Step, ...], tuple[tuple[str, str], ...], int]:
    """The calls, the store requests and the bridge requests of attachments that go well."""
    with TemporaryDirectory() as folder, fake_host(Path(folder)) as world:
        running(world)
        steps, log, links = len(world.hyper.steps), len(world.store.log), world.net.count
        both(world)
        return tuple(world.hyper.steps[steps:]), tuple(world.store.log[log:]), world.net.count - links


@contextmanager
def as_before(world: FakeHost) -> Iterator[None]:
    """The disk may have come before the vif failed."""
    before = world.traces()
    yield
    assert remove(world.host, world.hyper.all[Domid(1)].info, "vbd", 51728) == []
    assert world.traces() == before


@pytest.mark.parametrize("step", a_clean_run()[0], ids=lambda step: "{}-{}".format(*step))
@pytest.mark.parametrize("number", ERRORS)
def test_every_hypercall(guest: FakeHost, step: Step, number: int) -> None:
    guest.hyper.fail_at(step, number)
    with as_before(guest), pytest.raises(XenvmError, match=step[0]) as caught:
        both(guest)
    assert getattr(caught.value, "__notes__", []) == []


@pytest.mark.parametrize("step", a_clean_run()[0], ids=lambda step: "{}-{}".format(*step))
def test_interrupted_at_every_hypercall(guest: FakeHost, step: Step) -> None:
    guest.hyper.fail_at(step, KeyboardInterrupt())
    with as_before(guest), pytest.raises(KeyboardInterrupt):
        both(guest)


REQUESTS = len(a_clean_run()[1])


@pytest.mark.parametrize("fault", ["refused", "close", "mute"])
def test_every_store_request(guest: FakeHost, fault: str) -> None:
    guest.patch.setattr(attach, "READY_SECONDS", 0.05)
    for k in range(1, REQUESTS + 1):
        operation = a_clean_run()[1][k - 1][0]
        how = REFUSALS[k % 3] if fault == "refused" else fault
        waiting = operation in ("UNWATCH", "READ") and how == "EACCES"
        if waiting or operation == "UNWATCH" or (operation, how) == ("TRANSACTION_END", "EAGAIN"):
            continue  # Nobody waits for that answer, or it is tried again.
        if fault == "mute" and operation in ("WRITE", "SET_PERMS") and k % 5:
            continue  # They all go out in one write: some will do.
        count = guest.store.count
        (guest.mute if how == "mute" else lambda n, how=how: guest.store.inject(n, how))(count + k)  # type: ignore[misc]
        with as_before(guest):
            with pytest.raises(XenbusError) as caught:
                both(guest)
            assert guest.store.log[count + k - 1][0] == operation, "the fault met the request that it was meant for"
            kinds = {"close": StoreClosed, "mute": StoreTimeout}.get(how, (StoreError, StoreTimeout))
            assert isinstance(caught.value, kinds) and not isinstance(caught.value, NotFound)
            assert getattr(caught.value, "__notes__", []) == []
            settle(guest)
        settle(guest)


def settle(world: FakeHost) -> None:
    """Waits until the store has done what nobody waited for, so that requests can be counted."""
    try:
        world.host.store.read("/")
    except StoreClosed:
        world.host.reconnect()
        world.host.store.read("/")


@pytest.mark.parametrize("k", range(1, a_clean_run()[2] + 1))
def test_every_request_for_the_bridge(guest: FakeHost, k: int) -> None:
    guest.net.faults[guest.net.count + k] = OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    with nothing_left(guest):
        try:
            nic(guest, "bridge=xenbr0,mtu=9000")
        except DeviceError as error:
            assert str(error).startswith("vif 1: ")
        else:
            pytest.fail("it must have failed")


@pytest.mark.parametrize(
    "fault", [DeviceError("more.img", "cannot be opened"), HostError("there is no free loop device"), OSError(5, "I/O")]
)
def test_no_loop_device(guest: FakeHost, fault: Exception) -> None:
    guest.loops.fault = fault
    with nothing_left(guest), pytest.raises(type(fault)):
        disk(guest)


@pytest.mark.parametrize("make", [disk, nic], ids=["vbd", "vif"])
def test_a_back_end_that_refuses(guest: FakeHost, make: Callable[[FakeHost], Device]) -> None:
    guest.store.states = {"vbd": "6", "vif": "6"}
    with nothing_left(guest), pytest.raises(DeviceError, match="of domain 1: its back end in this host refused it"):
        make(guest)


@pytest.mark.parametrize("make", [disk, nic], ids=["vbd", "vif"])
def test_a_back_end_that_never_comes(guest: FakeHost, make: Callable[[FakeHost], Device]) -> None:
    guest.patch.setattr(attach, "READY_SECONDS", 0.0)
    guest.store.states = {"vbd": "", "vif": ""}
    with nothing_left(guest), pytest.raises(StoreTimeout, match=r"the back end of v.. .* of domain 1; last seen"):
        make(guest)


def test_somebody_removes_it_at_once(guest: FakeHost) -> None:
    guest.store.states["vbd"] = ""
    guest.store.on_write(f"{BACKENDS}/vbd/1/51728/state", lambda path, value: value and guest.store.drop(path))
    with nothing_left(guest), pytest.raises(DeviceError, match="somebody removed it while it was attached"):
        disk(guest)


def test_the_guest_is_destroyed_just_then(guest: FakeHost) -> None:
    """By somebody who had read its records before."""

    def end(path: str, value: bytes | None) -> None:
        if value == b"1":
            for top in ("/local/domain/1", f"{BACKENDS}/vbd/1", "/libxl/1"):
                guest.store.drop(top)

    guest.store.states["vbd"] = ""
    guest.store.on_write(f"{BACKENDS}/vbd/1/51728/state", end)
    with pytest.raises(DeviceError, match="somebody removed it while it was attached"):
        disk(guest)
    assert list(guest.loops.files) == ["/dev/loop0"]


def test_what_cannot_be_taken_back_is_told(guest: FakeHost) -> None:
    guest.store.states["vbd"] = "6"
    guest.patch.setattr("xenvm.ops.attach.remove", lambda *_: (_ for _ in ()).throw(DeviceError("x", "no way")))
    with pytest.raises(DeviceError) as caught:
        disk(guest)
    assert caught.value.__notes__ == ["vbd 51728 of domain 1 could not be removed again: x: no way"]


def test_leftovers_without_a_record_go_first(guest: FakeHost) -> None:
    guest.store.put(f"{BACKENDS}/vbd/1/51728/physical-device-old", "junk")
    disk(guest)
    assert guest.store.get(f"{BACKENDS}/vbd/1/51728/physical-device-old") is None
