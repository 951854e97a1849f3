"""A creation that goes well: its hypercalls, its nodes, its round trips, and what the guest finds."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakehost import MAC, FakeHost, image
from xenvm.errors import HypercallError
from xenvm.host.hyper import VcpuContext
from xenvm.ops import build, create
from xenvm.ops.phases import Phases
from xenvm.types import MIB, Domid, Gfn

HERE = Path(__file__).parent

CALLS = """\
domain 0
physinfo
capabilities
domains
physinfo
create 2 gic=0 spis=1
set_max_vcpus 1 2
set_address_size 1 64
set_max_mem 1 66560
set_affinity 1 0 1 None
set_affinity 1 1 1 None
alloc_unbound 1 0
alloc_unbound 1 0
set_paging_pool 1 2883584
populate 1 0x40000 order=9 count=32
populate 1 0x39000 order=0 count=4
map_foreign 1 0x39000 4
cache_flush 1 0x39000 4
set_params 1 0=0x20000000000021f 17=0x39000 1=0x39001 28=0x39002 18=0x2 2=0x1
seed_grants 1 0:0:0x39000 1:0:0x39001
init_vuart 1 0x39003 0
cache_flush 1 0x40000 2
cache_flush 1 0x43ffe 1
cache_flush 1 0x43fff 1
set_entry 1 64 pc=0x40000000 dtb=0x43fff000
unpause 1
"""

LOADER_CALLS = """\
fill 1 0x40000 5000
fill 1 0x43ffe 3000
fill 1 0x43fff 1604
"""


def test_every_hypercall_in_order(world: FakeHost) -> None:
    domid = world.create(vcpus=2, cpus="1", vuart="sbsa_uart")
    assert world.hyper.lines() == CALLS
    assert world.hyper.lines("loader") == LOADER_CALLS
    guest = world.hyper.all[domid]
    assert guest.ran and not guest.pauses and guest.online == {0}
    assert guest.entry == VcpuContext(64, 0x40000000, 0x43FFF000)
    assert not world.hyper.mappings


def test_paused_means_not_unpaused(world: FakeHost) -> None:
    domid = world.create(paused=True)
    assert world.hyper.all[domid].info.paused and not world.hyper.all[domid].ran


def test_every_node_and_permission(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1234567890.125)
    before = set(world.store.dump().splitlines())
    world.create()
    made = [line for line in world.store.dump().splitlines() if line not in before]
    text = "\n".join(made).replace(str(world.folder), "/images") + "\n"
    assert text == (HERE / "nodes.txt").read_text()


def test_what_lies_in_memory(world: FakeHost) -> None:
    guest = world.hyper.all[world.create()]
    kernel, ramdisk = image(5000), b"r" * 3000
    assert guest.read(0x40000000, 8192) == kernel + bytes(8192 - len(kernel)), "no former memory behind it"
    assert guest.read(0x43FFE000, 4096) == ramdisk + bytes(1096)
    assert guest.read(0x43FFF000, 4) == b"\xd0\x0d\xfe\xed"
    assert guest.read(0x39000000, 4 * 4096) == bytes(4 * 4096), "rings start empty"
    assert len(guest.frames) == 64 * 256 + 4


def test_the_console_is_marked_as_served_from_4_21_on(world: FakeHost) -> None:
    from xenvm.host.hyper import XenVersion

    world.hyper.version = XenVersion(4, 21)
    ring = world.hyper.all[world.create()].read(0x39000000, 4096)
    assert [at for at, byte in enumerate(ring) if byte] == [0xC10]


@pytest.mark.parametrize("when", ["at once", "while the images load"])
def test_round_trips(world: FakeHost, when: str) -> None:
    if when == "while the images load":
        world.store.states = {"vbd": "", "vif": ""}

        def appear() -> None:
            world.net.plug("vif1.0")
            world.store.put("/local/domain/0/backend/vbd/1/51712/state", "2")
            world.store.put("/local/domain/0/backend/vif/1/0/state", "2")

        world.hyper.on_call["cache_flush"] = lambda: world.store.introduced and appear()
    world.create()
    assert world.host.store.waits <= 6


def test_other_guests_disks_cost_one_more(world: FakeHost) -> None:
    other = world.file("other.img", bytes(512))
    world.create(name="other", uuid="99999999-2222-3333-4444-555555555555", disk=[f"{other},raw,xvda,rw"])
    before = world.host.store.waits
    world.create()
    assert world.host.store.waits - before <= 7


_started: list[str] | None = None


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    starts = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system", "os.fork", "os.forkpty", "pty.spawn")
    if _started is not None and event in starts:
        _started.append(f"{event} {arguments}")


@pytest.fixture(scope="module")
def hook() -> None:
    sys.addaudithook(_audit)  # for good: Python cannot take one away


@pytest.fixture
def started(hook: None) -> Iterator[list[str]]:
    """Programs that were started meanwhile."""
    global _started
    _started = []
    yield _started
    _started = None


def test_no_program_is_started(world: FakeHost, started: list[str]) -> None:
    world.create()
    assert not started


def test_the_counting_counts(world: FakeHost, started: list[str]) -> None:
    world.create(vif=[f"mac={MAC},bridge=xenbr0,script={world.script('vif', 'exit 0')}"])
    assert len(started) == 1 and "online" in started[0]


def test_its_loop_device_and_its_bridge(world: FakeHost) -> None:
    world.create()
    assert world.loops.files == {"/dev/loop0": str(world.folder / "disk.img")}
    assert world.net.by_name["vif1.0"].master == 1
    assert world.store.get("/local/domain/0/backend/vif/1/0/hotplug-status") == b"connected"
    assert world.store.introduced == {1: (0x39001, 1)}


def test_a_domid_of_a_moment_ago_is_passed_over(world: FakeHost) -> None:
    from xenvm.host.plumbing import domids

    domids.remember(Domid(1))
    domids.remember(Domid(2))
    assert world.create() == 3
    assert sorted(world.hyper.all) == [0, 3]


def test_the_phases_have_names(world: FakeHost) -> None:
    phases = Phases()
    create.create(world.host, world.spec(), phases=phases)
    names = [name for name, _ in phases.laps]
    assert names[0] == "read the configuration" and names[-1] == "start"
    assert len(list(phases.lines())) == len(names) + 1


def test_the_address_size_is_refused_before_the_vcpus(world: FakeHost) -> None:
    """The wrong order takes a real Xen down; the fake refuses it as the real binding does, so no test can miss it."""
    plan = create.draw(world.spec(), create.facts_of(world.hyper))
    domid = world.hyper.create(build.create_request(plan, 0)).domid
    with pytest.raises(HypercallError, match="set_max_vcpus must come first"):
        world.hyper.set_address_size(domid, 64)
    build.prepare(world.hyper, domid, plan)
    build.populate(world.hyper, domid, plan)
    with pytest.raises(HypercallError, match="EBUSY"):
        world.hyper.set_address_size(domid, 64)


def test_a_32_bit_guest(world: FakeHost) -> None:
    head = bytearray(64)
    head[0x24:0x28] = b"\x18\x28\x6f\x01"
    domid = world.create(kernel=world.file("zImage", bytes(head) + bytes(4000)))
    assert world.hyper.all[domid].entry == VcpuContext(32, 0x40008000, 0x43FFF000)


def test_devices_are_passed_through(world: FakeHost) -> None:
    world.hyper.iommu, world.hyper.spare_iomem, world.hyper.dt_devices = True, {0xFE000}, {"/soc/uart"}
    domid = world.create(dtdev=["/soc/uart"], irqs=[40], iomem=["0xfe000,1@0xfe000"])
    guest = world.hyper.all[domid]
    assert (guest.devices, guest.irqs, guest.mapped) == (["/soc/uart"], [40], {0xFE000: 0xFE000})
    assert guest.request.iommu and guest.request.nr_spis == 9


def test_a_guest_without_devices_needs_no_store_but_its_own_nodes(world: FakeHost) -> None:
    domid = world.create(disk=None, vif=None, ramdisk=None)
    assert world.store.children("/local/domain/0/backend") == ["console"]
    assert world.hyper.all[domid].ran


def test_large_guests_have_two_banks(world: FakeHost) -> None:
    world.hyper.free_pages = 2 << 20
    world.hyper.on_call["set_entry"] = gc.collect
    guest = world.hyper.all[world.create(memory=3 * 1024 + 2)]
    assert Gfn(0x200000000 // 4096) in guest.frames and len(guest.frames) == (3 * 1024 + 2) * MIB // 4096 + 4


def test_nothing_of_ours_is_left_open(world: FakeHost) -> None:
    world.create()
    before = len(os.listdir("/proc/self/fd"))
    world.create(name="h", uuid=None, disk=None)
    assert len(os.listdir("/proc/self/fd")) == before
