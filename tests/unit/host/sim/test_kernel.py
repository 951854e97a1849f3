"""A simulated kernel: how it boots, obeys, misbehaves and ends; the toolstack around it is the real one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.peerworld import PeerWorld
from xenvm.errors import HypercallError
from xenvm.guest.load import load_text
from xenvm.host.hyper import VcpuContext
from xenvm.host.sim.behaviour import Behaviour
from xenvm.host.sim.boot import Panic, look_around
from xenvm.ops.create import Options, create
from xenvm.ops.destroy import destroy
from xenvm.types import PAGE_SIZE, Domid, Gfn


def control(live: PeerWorld, domid: Domid, name: str, value: str) -> None:
    live.write(f"/local/domain/{domid}/control/{name}", value)


@pytest.mark.parametrize("command, code", [("poweroff", 0), ("halt", 0), ("reboot", 1)])
def test_requests_are_acknowledged_and_devices_closed_first(live: PeerWorld, command: str, code: int) -> None:
    domid = live.create(disks=1, vifs=1)
    control(live, domid, "shutdown", command)
    assert live.read(f"/local/domain/{domid}/control/shutdown") == b""
    assert live.code(domid) == code
    for device in ("vbd/51712", "vif/0"):
        assert live.read(f"/local/domain/{domid}/device/{device}/state") == b"6"
    assert "reboot: " in live.log("g")


def test_an_unknown_request_is_left_alone(live: PeerWorld) -> None:
    domid = live.create()
    control(live, domid, "shutdown", "crash")
    assert live.read(f"/local/domain/{domid}/control/shutdown") == b"crash"
    assert live.code(domid) is None


def test_suspend_is_acknowledged_and_ends_with_its_code(live: PeerWorld) -> None:
    domid = live.create(disks=1)
    control(live, domid, "shutdown", "suspend")
    assert live.code(domid) == 2
    assert live.read(f"/local/domain/{domid}/device/vbd/51712/state") == b"4"


def test_a_suspended_guest_goes_on_when_it_is_resumed(live: PeerWorld) -> None:
    domid = live.create(disks=1, vifs=1)
    control(live, domid, "shutdown", "suspend")
    assert live.code(domid) == 2
    live.host.hyper.resume(domid)
    live.world.settle()
    assert live.code(domid) is None
    read = live.kernel(domid).disks["51712"].read_sectors(0, 8)
    live.world.settle()
    assert read.done and not read.failed
    control(live, domid, "shutdown", "poweroff")
    assert live.code(domid) == 0


@pytest.mark.parametrize("key, code", [("b", 1), ("o", 0), ("c", 3), ("h", None)])
def test_sysrq(live: PeerWorld, key: str, code: int | None) -> None:
    domid = live.create()
    control(live, domid, "sysrq", key)
    assert live.read(f"/local/domain/{domid}/control/sysrq") == b""
    assert live.code(domid) == code


def test_vcpus_come_and_go(live: PeerWorld) -> None:
    domid = live.create(vcpus=2, maxvcpus=4)
    info = live.world.hyper.domain(domid)
    assert info is not None and info.nr_online_vcpus == 2
    for vcpu in (2, 3):
        live.write(f"/local/domain/{domid}/cpu/{vcpu}/availability", "online")
    assert live.kernel(domid).online == {0, 1, 2, 3}
    live.write(f"/local/domain/{domid}/cpu/1/availability", "offline")
    info = live.world.hyper.domain(domid)
    assert info is not None and info.nr_online_vcpus == 3
    assert "CPU1: shutdown" in live.log("g")


def test_the_balloon_follows_its_target(live: PeerWorld) -> None:
    domid = live.create(disks=1)

    def pages() -> int:
        info = live.world.hyper.domain(domid)
        assert info is not None
        return info.tot_pages

    before = pages()
    live.write(f"/local/domain/{domid}/memory/target", str(32 << 10))
    assert before - pages() == 32 << 8
    live.write(f"/local/domain/{domid}/memory/target", str(64 << 10))
    assert pages() == before
    live.write(f"/local/domain/{domid}/memory/target", "0")
    assert 0 < pages() < before
    read = live.kernel(domid).disks["51712"].read_sectors(0, 8)
    live.world.settle()
    assert read.done and not read.failed


# Guests that do not behave.


def test_a_dead_guest_does_nothing(live: PeerWorld) -> None:
    domid = live.create(disks=1, extra="xenvm.behaviour=dead")
    control(live, domid, "shutdown", "poweroff")
    assert live.code(domid) is None
    assert live.read(f"/local/domain/{domid}/device/vbd/51712/state") == b"1"
    assert destroy(live.host, domid, _uuid(live, domid)) == []
    assert live.world.hyper.domain(domid) is None


def _uuid(live: PeerWorld, domid: Domid) -> str:
    info = live.world.hyper.domain(domid)
    assert info is not None
    return info.uuid


def test_a_slow_guest_takes_its_time(live: PeerWorld) -> None:
    domid = live.create(disks=1, extra="xenvm.behaviour=slow")
    kernel = live.kernel(domid)
    assert not kernel.booted and kernel.due() is not None
    live.world.advance(4)
    assert kernel.booted
    live.world.advance(20)
    assert live.read(f"/local/domain/{domid}/device/vbd/51712/state") == b"4"
    control(live, domid, "shutdown", "poweroff")
    assert live.read(f"/local/domain/{domid}/control/shutdown") == b"poweroff"
    live.world.advance(10)
    assert live.code(domid) == 0


def test_a_guest_that_crashes_at_boot_leaves_its_log(live: PeerWorld) -> None:
    domid = live.create(extra="xenvm.behaviour=crash")
    assert live.code(domid) == 3
    assert "Booting Linux" in live.log("g") and "Kernel panic" in live.log("g")


def test_a_guest_that_ignores_requests(live: PeerWorld) -> None:
    domid = live.create(extra="xenvm.behaviour=ignore-shutdown")
    control(live, domid, "shutdown", "poweroff")
    assert live.code(domid) is None and live.read(f"/local/domain/{domid}/control/shutdown") == b"poweroff"


def test_a_guest_that_holds_on_to_its_disk(live: PeerWorld) -> None:
    domid = live.create(disks=1, extra="xenvm.behaviour=ignore-detach")
    back = f"/local/domain/0/backend/vbd/{domid}/51712"
    live.write(f"{back}/online", "0")
    live.write(f"{back}/state", "5")
    assert live.read(f"/local/domain/{domid}/device/vbd/51712/state") == b"4"
    assert live.read(f"{back}/state") == b"5"
    assert destroy(live.host, domid, _uuid(live, domid)) == []


def test_a_hostile_guest_harms_only_itself(live: PeerWorld) -> None:
    other = live.create("other", disks=1, vifs=1)
    domid = live.create("evil", disks=1, vifs=1, extra="xenvm.behaviour=hostile")
    live.world.advance(10)
    for end in ("vbd/51712", "vif/0"):
        assert live.read(f"/local/domain/{other}/device/{end}/state") == b"4"
    destroy(live.host, domid, _uuid(live, domid))
    assert live.world.hyper.domain(domid) is None
    assert live.read(f"/local/domain/{domid}") is None
    assert live.read(f"/local/domain/0/backend/vbd/{domid}") is None


def test_a_destroyed_guest_leaves_nothing(live: PeerWorld) -> None:
    domid = live.create(disks=2, vifs=1)
    assert destroy(live.host, domid, _uuid(live, domid)) == []
    assert live.world.hyper.domain(domid) is None
    assert all(not getattr(service, "devices", None) for service in live.world.services)
    assert live.world.hyper.channels.state() == {}


# Machines that a kernel cannot boot on.


@pytest.mark.parametrize(
    "where, data, words",
    [
        ("dtb", b"\0" * 8, "invalid device tree blob"),
        ("dtb", b"\xd0\x0d\xfe\xed\x7f\xff\xff\xff", "invalid device tree blob"),
        ("pc", b"\0" * 64, "no kernel is there"),
    ],
)
def test_a_kernel_panics_where_it_cannot_boot(live: PeerWorld, where: str, data: bytes, words: str) -> None:
    domid = _paused(live)
    side = live.world.guest_side(domid)
    side.write(getattr(side.entry(), where), data)
    live.host.hyper.unpause(domid)
    live.world.settle()
    assert live.code(domid) == 3
    assert words in live.log("g")


def _paused(live: PeerWorld) -> Domid:
    kernel, ramdisk = live.folder / "Image", live.folder / "initrd"
    text = f"name = 'g'\nkernel = '{kernel}'\nramdisk = '{ramdisk}'\nmemory = 64\n"
    return create(live.host, load_text(text)[0], Options(paused=True))


class Machine:
    """A side of the hypervisor that is only memory, and a tree that is changed before it is looked at."""

    def __init__(self, live: PeerWorld, domid: Domid) -> None:
        self.side = live.world.guest_side(domid)
        self.domid = domid

    def entry(self) -> VcpuContext:
        return self.side.entry()

    def read(self, gpa: int, size: int) -> bytes:
        return self.side.read(gpa, size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.side, name)

    def change(self, old: bytes, new: bytes) -> None:
        at = self.side.entry().dtb
        blob = self.side.read(at, PAGE_SIZE)
        assert old in blob and len(old) == len(new)
        self.side.write(at, blob.replace(old, new))


@pytest.mark.parametrize(
    "old, new, words",
    [
        (b"arm,gic-v3", b"arm,gic-vX", "interrupt controller"),
        (b"arm,armv8-timer", b"arm,armvX-timer", "timer"),
        (b"xen,xen\0", b"xen,xxx\0", "no Xen"),
        (b"memory\0", b"memorx\0", "No usable memory"),
        (b"cpu@0\0", b"cpx@0\0", "boot CPU"),
        (b"\0\0\0\0\x40\0\0\0\0\0\0\0\x04\0\0\0", b"\0\0\0\0\x40\0\0\0\0\0\0\0\x7f\0\0\0", "abort"),
        (b"\0\0\0\0\x40\0\0\0\0\0\0\0\x04\0\0\0", b"\0\0\0\0\x50\0\0\0\0\0\0\0\x04\0\0\0", "outside"),
    ],
)
def test_what_a_kernel_needs_of_its_tree(live: PeerWorld, old: bytes, new: bytes, words: str) -> None:
    machine = Machine(live, _paused(live))
    look_around(machine)
    machine.change(old, new)
    with pytest.raises(Panic, match=words):
        look_around(machine)


def test_a_ramdisk_that_is_not_in_memory(live: PeerWorld) -> None:
    machine = Machine(live, _paused(live))
    found = look_around(machine).initrd
    assert found is not None
    machine.change(found[0].to_bytes(8, "big"), (found[0] + (1 << 32)).to_bytes(8, "big"))
    with pytest.raises(Panic, match=r"initrd 0x1.* not in memory"):
        look_around(machine)


def test_what_a_kernel_learns(live: PeerWorld) -> None:
    info = look_around(Machine(live, _paused(live)))
    assert info.pages == 64 << 8 and info.cpus == (0,) and info.xen == "4.20"
    assert info.initrd is not None and info.initrd[1] - info.initrd[0] == PAGE_SIZE
    assert info.banks == ((0x40000000, 64 << 20),)


def test_without_a_console_page_a_kernel_just_ends(live: PeerWorld) -> None:
    domid = _paused(live)
    side = live.world.guest_side(domid)
    with pytest.raises(HypercallError):
        side.page(Gfn(1))
    live.host.hyper.set_params(domid, {17: 1})
    live.host.hyper.unpause(domid)
    live.world.settle()
    assert live.kernel(domid).ended


def test_a_kernel_that_xen_refuses_panics(live: PeerWorld) -> None:
    domid = _paused(live)
    live.host.hyper.unpause(domid)
    live.world.settle()
    kernel = live.kernel(domid)
    kernel._oops(HypercallError("cpu_on", 22, domid=domid))
    live.world._wake(domid)
    live.world.settle()
    assert live.code(domid) == 3 and "Oops: cpu_on" in live.log("g")


# Its console.


def test_a_client_reads_from_the_first_byte_and_types(live: PeerWorld) -> None:
    domid = live.create(disks=1, vifs=1)
    console = live.world.services[0].consoles[domid]  # type: ignore[attr-defined]
    assert console.read().startswith(b"[    0.0")
    console.type(b"nprocx\x7f\recho hi\rlsblk\rip\rcmdline\rfree\rnonsense\r")
    live.world.settle()
    shown = console.read().decode()
    for words in ("\r\n2\r\n", "\r\nhi\r\n", "51712 1048576", "00:16:3e", "65536 KiB", "nonsense: not found"):
        assert words in shown, words
    console.type(b"poweroff\r")
    live.world.settle()
    assert live.code(domid) == 0


# Between processes.


def test_a_world_goes_on_where_it_was(live: PeerWorld) -> None:
    from json import dumps, loads

    from xenvm.host.sim.world import World

    domid = live.create(disks=1, vifs=1)
    saved = loads(dumps(live.world.state()))
    memory = live.world.hyper.all[domid].ram
    live.world = World(files=lambda: str(live.files), ram=lambda _domid, _written: memory, state=saved)
    live.world.settle()
    assert live.read(f"/local/domain/0/backend/vbd/{domid}/51712/state") == b"4"
    kernel = live.kernel(domid)
    transfers = [kernel.disks["51712"].write_sectors(7, b"x" * 512) for _ in range(100)]
    live.world.settle()
    assert all(each.done and not each.failed for each in transfers)
    assert live.disk("g").read_bytes()[7 * 512 :].startswith(b"x" * 512)
    assert kernel.nics["0"].send(b"\xff" * 60)
    assert b"Booting" in live.world.services[0].consoles[domid].read()  # type: ignore[attr-defined]
    control(live, domid, "shutdown", "poweroff")
    assert live.code(domid) == 0


def test_behaviours_are_words_of_the_command_line() -> None:
    from xenvm.host.sim.behaviour import behaviour_of, parse_behaviour

    line = "root=/dev/xvda xenvm.behaviour=slow,hostile,what quiet"
    assert behaviour_of(line, Behaviour()) == Behaviour(delay=3.0, hostile=True)
    assert behaviour_of("quiet", Behaviour(dead=True)) == Behaviour(dead=True)
    with pytest.raises(Exception, match="cannot be 'what'"):
        parse_behaviour("slow,what")
