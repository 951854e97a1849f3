"""Whatever fails in a creation, nothing of the guest is left, and a sentence says what failed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest

from tests.support.fakehost import BACKENDS, MAC, UUID, FakeHost, fake_host
from tests.support.fakehyper import Step
from xenbus.errors import NoStore, StoreClosed, StoreError, StoreTimeout, XenbusError
from xenvm.errors import (
    ConfigError,
    DeviceError,
    DomainExists,
    HostError,
    HypercallError,
    UnsupportedError,
    WaitTimeout,
    XenvmError,
)
from xenvm.host.plumbing import domids
from xenvm.ops import create, plumb
from xenvm.types import Domid

ERRORS = (errno.ENOMEM, errno.EINVAL, errno.EBUSY, errno.EPERM, errno.ESRCH)
REFUSALS = ("EAGAIN", "ENOSPC", "EACCES")
GONE = "g, domain {}, was not created; nothing of it is left"


@contextmanager
def nothing_left(world: FakeHost) -> Iterator[None]:
    """After a failure everything is as it was: domains, memory, mappings, nodes, loop devices, vifs, locks, files."""
    before = world.traces()
    yield
    assert world.traces() == before


@lru_cache(maxsize=1)
def a_clean_run() -> tuple[tuple[Step, ...], tuple[tuple[str, str], ...]]:
    """The calls and the store requests of a creation that goes well, with a domid that must be passed over."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder, fake_host(Path(folder)) as world:
        domids.remember(Domid(1))
        world.create(vcpus=2, cpus="1", vuart="sbsa_uart")
        return tuple(world.hyper.steps), tuple(world.store.log)


def everything(world: FakeHost) -> Domid:
    domids.remember(Domid(world.hyper.rotor))
    return world.create(vcpus=2, cpus="1", vuart="sbsa_uart")


@pytest.mark.parametrize("step", a_clean_run()[0], ids=lambda step: "{}-{}".format(*step))
def test_every_hypercall(tmp_path: Path, step: Step) -> None:
    for number in ERRORS:
        (tmp_path / str(number)).mkdir()
        with fake_host(tmp_path / str(number)) as world:
            world.hyper.fail_at(step, number)
            with nothing_left(world), pytest.raises(XenvmError) as caught:
                everything(world)
            assert step[0] in str(caught.value) and errno.errorcode[number] in str(caught.value)
            notes = getattr(caught.value, "__notes__", [])
            assert notes in ([], [GONE.format(2)]), notes


@pytest.mark.parametrize("step", a_clean_run()[0], ids=lambda step: "{}-{}".format(*step))
def test_interrupted_at_every_hypercall(world: FakeHost, step: Step) -> None:
    world.hyper.fail_at(step, KeyboardInterrupt())
    with nothing_left(world), pytest.raises(KeyboardInterrupt):
        everything(world)


REQUESTS = len(a_clean_run()[1])


def in_the_check(world: FakeHost, first: int) -> bool:
    """Whether the fault came before anything was touched, where there is nothing to tell of."""
    return ("TRANSACTION_START", "") not in world.store.log[first:]


def harmless(k: int, how: str) -> bool:
    """A conflict is tried again, see below; and so is what is waited for and may not be read."""
    operations = [operation for operation, _ in a_clean_run()[1]]
    waiting = operations[k - 1] == "READ" and "INTRODUCE" in operations[:k]
    return (how == "EAGAIN" and operations[k - 1] == "TRANSACTION_END") or (how == "EACCES" and waiting)


def settle(world: FakeHost) -> None:
    """Waits until the store has done what nobody waited for, the ends of watches, so that requests can be counted."""
    try:
        world.host.store.read("/")
    except StoreClosed:
        world.host.reconnect()


@pytest.mark.parametrize("fault", ["refused", "close"])
def test_every_store_request(world: FakeHost, fault: str) -> None:
    world.patch.setattr(create, "BACKEND_SECONDS", 0.0)
    for k in range(1, REQUESTS + 1):
        count = world.store.count
        how = REFUSALS[k % 3] if fault == "refused" else fault
        if harmless(k, how):
            continue
        world.store.inject(count + k, how)
        with nothing_left(world), pytest.raises(XenbusError) as caught:
            everything(world)
        operation, path = world.store.log[count + k - 1]
        assert operation == a_clean_run()[1][k - 1][0], "the fault met the request that it was meant for"
        assert isinstance(caught.value, StoreError | StoreTimeout if how != "close" else StoreClosed)
        if how != "close" and not operation.startswith("TRANSACTION"):
            assert path in str(caught.value)
        notes = getattr(caught.value, "__notes__", [])
        domid = world.hyper.rotor - 1
        assert notes == ([] if in_the_check(world, count) else [GONE.format(domid)])
        settle(world)


def test_every_store_request_unanswered(world: FakeHost) -> None:
    for k in range(1, REQUESTS + 1):
        if a_clean_run()[1][k - 1][0] in ("WRITE", "SET_PERMS") and k % 5:
            continue  # They all go out in one write: some will do.
        count = world.store.count
        world.mute(count + k)
        with nothing_left(world), pytest.raises(StoreTimeout, match="did not answer within 30 s"):
            everything(world)
        assert world.store.log[count + k - 1][0] == a_clean_run()[1][k - 1][0]
        settle(world)


def test_a_conflict_is_tried_again(world: FakeHost) -> None:
    end = 1 + [operation for operation, _ in a_clean_run()[1]].index("TRANSACTION_END")
    world.store.inject(end, "EAGAIN")
    domid = everything(world)
    assert world.store.get(f"/local/domain/{domid}/name") == b"g"


def test_the_store_is_gone_for_good(world: FakeHost) -> None:
    """Then at least the domain's memory and its loop devices are given back, and what may be left is said."""
    loops = dict(world.loops.files)

    def die() -> None:
        world.store.disconnect()
        os.unlink(world.store.path)

    world.hyper.on_call["seed_grants"] = die
    leaks = world.hyper.leaks()
    with pytest.raises(XenbusError) as caught:
        world.create()
    assert isinstance(caught.value, StoreClosed | NoStore)
    assert (world.hyper.leaks(), world.loops.files) == (leaks, loops)
    (note,) = caught.value.__notes__
    assert note.startswith("domain 1 could not be removed whole: no store answers")


def test_xen_will_not_let_it_go(world: FakeHost) -> None:
    world.hyper.fail_at(("set_entry", 1), errno.EINVAL)
    world.hyper.fail_at(("destroy", 1), errno.EPERM)
    world.hyper.fail_at(("destroy", 2), errno.EPERM)
    with pytest.raises(HypercallError, match="set_entry") as caught:
        world.create()
    assert [note.partition(":")[0] for note in caught.value.__notes__] == [
        "domain 1 could not be removed whole",
        "domain 1 still exists",
    ]


@pytest.mark.parametrize("free", [1, 63, 65])
def test_memory_that_ends_halfway(world: FakeHost, free: int) -> None:
    """Somebody else takes the memory between the check and the build."""

    def steal() -> None:
        world.hyper.free_pages = free * 256

    world.hyper.on_call["set_max_vcpus"] = steal
    nodes = world.store.dump()
    with pytest.raises((HostError, HypercallError), match=r"not enough free memory|ENOMEM"):
        world.create()
    assert (sorted(world.hyper.all), world.hyper.free_pages) == ([0], free * 256)
    assert world.store.dump().splitlines() == nodes.splitlines()


def test_all_domids_were_used_a_moment_ago(world: FakeHost) -> None:
    for number in range(1, 40):
        domids.remember(Domid(number))
    with nothing_left(world), pytest.raises(HostError, match="last 32 domids"):
        world.create()


def test_xen_gives_no_more_domains_meanwhile(world: FakeHost) -> None:
    domids.remember(Domid(1))
    world.hyper.fail_at(("create", 2), errno.ENOMEM)
    with nothing_left(world), pytest.raises(HypercallError, match=r"create.*ENOMEM"):
        world.create()


# Disks and vifs.


@pytest.mark.parametrize(
    "fault", [DeviceError("disk.img", "cannot be opened"), HostError("there is no free loop device"), OSError(5, "I/O")]
)
def test_no_loop_device(world: FakeHost, fault: Exception) -> None:
    world.loops.fault = fault
    with nothing_left(world), pytest.raises(type(fault)):
        world.create()


def test_the_second_disk_fails(world: FakeHost) -> None:
    disks = [f"{world.file(name, bytes(512))},raw,{vdev},rw" for name, vdev in (("a", "xvda"), ("b", "xvdb"))]
    attach = world.loops.attach

    def once(path: str, *, readonly: bool) -> object:
        world.loops.fault = OSError(errno.EIO, "Input/output error") if path.endswith("b") else None
        return attach(path, readonly=readonly)

    world.patch.setattr("xenvm.host.plumbing.loop.attach", once)
    with nothing_left(world), pytest.raises(OSError, match="Input/output"):
        world.create(disk=disks)


@pytest.mark.parametrize("k", range(1, 7))
@pytest.mark.parametrize("number", [errno.EBUSY, errno.EPERM, errno.ENODEV])
def test_every_request_for_the_bridge(world: FakeHost, k: int, number: int) -> None:
    world.net.faults[k] = OSError(number, os.strerror(number))
    with nothing_left(world):
        try:
            world.create(vif=[f"mac={MAC},bridge=xenbr0,mtu=9000"])
        except DeviceError as error:
            assert str(error).startswith("vif 0: ")
            assert error.__notes__ == [GONE.format(1)]
        else:
            pytest.fail("it must have failed")


def test_the_interface_never_came(world: FakeHost) -> None:
    world.patch.setattr(world.net, "plug", lambda name: None)
    world.patch.setattr(plumb, "INTERFACE_SECONDS", 0.0)
    with nothing_left(world), pytest.raises(WaitTimeout, match=r"the network interface vif1\.0 did not appear in time"):
        world.create()


@pytest.mark.parametrize("kind", ["vbd", "vif"])
def test_a_back_end_that_refuses(world: FakeHost, kind: str) -> None:
    world.store.states[kind] = "6"
    with nothing_left(world), pytest.raises(DeviceError, match=f"{kind} .*: its back end in this host refused it"):
        world.create()


@pytest.mark.parametrize("silent", ["vbd", "vif", "console"])
def test_a_back_end_that_never_comes(world: FakeHost, silent: str) -> None:
    world.patch.setattr(create, "BACKEND_SECONDS", 0.0)
    if silent == "console":
        world.store.console = False
    else:
        world.store.states[silent] = ""
    with nothing_left(world), pytest.raises(StoreTimeout, match=r"the console daemon, vbd 51712, vif 0; last seen: "):
        world.create()


@pytest.mark.parametrize("kind", ["vbd", "vif"])
def test_a_script_that_fails(world: FakeHost, kind: str) -> None:
    script = world.script("hotplug", 'echo "$@" >>"$0.log"; [ "$1" = remove -o "$1" = offline ]')
    disk = world.file("disk.img", bytes(512))
    settings = {
        "vbd": {"disk": [f"format=raw,vdev=xvda,access=rw,script={script},target={disk}"]},
        "vif": {"vif": [f"mac={MAC},bridge=xenbr0,script={script}"]},
    }[kind]
    with nothing_left(world), pytest.raises(DeviceError, match=f"{kind} .*hotplug.*failed with exit status 1"):
        world.create(**settings)
    said = (world.folder / "hotplug.log").read_text().split("\n")
    assert [line.split()[0] for line in said if line] == {"vbd": ["add", "remove"], "vif": ["online", "offline"]}[kind]


def test_a_file_that_changes_meanwhile(world: FakeHost) -> None:
    world.hyper.on_call["create"] = lambda: os.truncate(world.ramdisk, 10)
    with nothing_left(world), pytest.raises(XenvmError, match=r"initrd\.gz: changed its size"):
        world.create()


def test_what_the_guest_left_of_its_own_is_removed_too(world: FakeHost) -> None:
    """A guest that was unpaused may have written: here its nodes come while it is created."""
    world.hyper.on_call["set_entry"] = lambda: world.store.put("/local/domain/1/data/deep/er", b"\xff\0")
    world.hyper.fail_at(("unpause", 1), errno.EINVAL)
    with nothing_left(world), pytest.raises(HypercallError, match="unpause"):
        world.create()


# Refused before anything is touched.

OTHER = "99999999-2222-3333-4444-555555555555"


def other_guest(world: FakeHost, name: str, uuid: str) -> None:
    world.create(name=name, uuid=uuid, disk=None, vif=None)


REFUSED: list[tuple[str, dict[str, object], type[Exception], str]] = [
    ("name", {"name": "taken"}, DomainExists, "a domain named 'taken' exists already: domid 1"),
    ("uuid", {"uuid": OTHER}, DomainExists, f"a domain with uuid {OTHER} exists already: domid 1"),
    ("memory", {"memory": 5000}, HostError, "g: not enough memory: it needs 5023 MiB"),
    ("bridge", {"vif": ["bridge=nobridge"]}, DeviceError, "vif 0: the bridge nobridge does not exist"),
    ("no bridge", {"vif": ["bridge=eth0"]}, DeviceError, "vif 0: eth0 is a network interface, but not a bridge"),
    ("ovs", {"vif": ["bridge=ovs"]}, DeviceError, "vif 0: ovs is an Open vSwitch bridge, which takes script="),
    ("disk", {"disk": ["/no/such,raw,xvda,rw"]}, DeviceError, "/no/such: cannot be used as a disk: No such file"),
    ("script", {"vif": ["script=/no/such"]}, DeviceError, "vif 0: its script /no/such is no program on this host"),
    ("gic vcpus", {"gic_version": "v2", "vcpus": 9}, ConfigError, r"g.cfg:\d+:\d+: 9 vCPUs are too many: a GICv2 has"),
    ("iommu", {"dtdev": ["/soc/uart"]}, UnsupportedError, "passthrough needs an IOMMU"),
]


@pytest.mark.parametrize(("settings", "kind", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_beforehand(world: FakeHost, settings: dict[str, object], kind: type[Exception], message: str) -> None:
    other_guest(world, "taken", OTHER)
    calls = len(world.hyper.log)
    requests = len(world.store.log)
    with nothing_left(world), pytest.raises(kind, match=message) as caught:
        world.create(**settings)
    assert "\n" not in str(caught.value) and not hasattr(caught.value, "__notes__")
    asked = {text.split()[0] for _, text in world.hyper.log[calls:]}
    assert asked <= {"domain", "capabilities", "physinfo", "domains"}
    assert {operation for operation, _ in world.store.log[requests:]} <= {"READ", "DIRECTORY"}


REFUSED_BY_XEN: list[tuple[dict[str, object], type[Exception], str]] = [
    ({"gic_version": "v3"}, UnsupportedError, "g.cfg: gic_version=v3: this host has no such controller"),
    ({"vcpus": 9}, ConfigError, "g.cfg: Xen refused 9 vCPUs; a host with a GICv2 has at most 8"),
]


@pytest.mark.parametrize(("settings", "kind", "message"), REFUSED_BY_XEN)
def test_refused_by_createdomain(
    world: FakeHost, settings: dict[str, object], kind: type[Exception], message: str
) -> None:
    world.hyper.gic = 2
    with nothing_left(world), pytest.raises(kind, match=message):
        world.create(**settings)


def test_a_disk_that_another_guest_has(world: FakeHost) -> None:
    world.create(name="first", uuid=OTHER, vif=None)
    with nothing_left(world), pytest.raises(DeviceError, match=r"disk\.img: is in use by domain 1 through /dev/loop0"):
        world.create()


def test_a_dead_guest_does_not_hold_its_uuid(world: FakeHost) -> None:
    other_guest(world, "dead", UUID)
    world.hyper.go_down(Domid(1), 3)
    assert world.create() == 2


def test_a_refused_question_is_not_taken_for_no(world: FakeHost) -> None:
    """Not to know who has the disk is no reason to hand it out."""
    world.create(name="first", uuid=OTHER, vif=None)
    log = len(world.store.log)
    with pytest.raises(DeviceError):
        world.create()
    questions = world.store.log[log:]
    for k, (_, path) in enumerate(questions, 1):
        world.store.inject(world.store.count + k, "EACCES")
        with pytest.raises(StoreError) as caught:
            world.create()
        assert path in str(caught.value)
    assert [path for _, path in questions if path.startswith(BACKENDS)]


def test_the_lock_is_free_after_a_refusal(world: FakeHost) -> None:
    with pytest.raises(DeviceError):
        world.create(disk=[f"{world.file('a', b'.')},raw,xvda,rw"], vif=["script=/no/such"])
    world.create()


class Boom(Exception):
    """No error of ours."""


@pytest.mark.parametrize("place", ["xenvm.guest.dtb.for_guest", "xenvm.ops.build.entry", "xenvm.ops.build.segments"])
def test_even_our_own_mistakes(world: FakeHost, place: str) -> None:
    def fail(*_arguments: object) -> Callable[[], None]:
        raise Boom

    world.patch.setattr(place, fail)
    with nothing_left(world), pytest.raises(Boom):
        world.create()
