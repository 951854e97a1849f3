"""Devices, vCPUs and memory of a guest that runs, as the guest itself, its host and xl see them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0

NAME = "hot"
MAC = "00:16:3e:44:55:66"
ROUNDS = {"bookworm": 50, "trixie": 10}
"""A round takes seconds, and most of them are xenstored's own."""
DISK_IS_THERE = "until [ -e /dev/xvdb ]; do usleep 100000; done"
VIF_IS_THERE = "until [ -e /sys/class/net/eth0 ]; do usleep 100000; done"

# Types a line at a guest's shell: on the terminal that xenconsoled gave it, as a console client would.
_TYPE = 'printf "%s\\n" "$2" >"$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty")"'

# All rounds in one process, as the start of Python takes most of a command's time in an emulated host.
_ROUNDS = """
import sys
sys.path += ["/mnt/xenvm", "/mnt/deps"]
from xenvm.guest.disk import parse_disk
from xenvm.guest.vif import parse_vif
from xenvm.host.open import open_host
from xenvm.ops import attach, detach, devices, names
guest, disk, rounds = sys.argv[1], parse_disk(sys.argv[2]), int(sys.argv[3])
with open_host() as host:
    for number in range(rounds):
        info = names.find_guest(host, guest)
        attach.attach_disk(host, info, disk)
        vif = attach.attach_nic(host, info, parse_vif("bridge=xenbr0", attach.CHOOSE))
        detach.detach(host, info, devices.find_disk(host, info.domid, disk.vdev), force=number % 5 == 4)
        detach.detach(host, info, devices.find_nic(host, info.domid, str(vif.devid)), force=number % 5 == 4)
"""


@pytest.fixture(scope="module")
def guest(dom0: Dom0) -> Iterator[Dom0]:
    """A running guest without devices, with 1 of 4 vCPUs and 320 of 384 MiB: enough for a 6.12 kernel."""
    before = dom0.traces()
    config = dom0.config(NAME, vcpus=1, maxvcpus=4, memory=320, maxmem=384)
    try:
        dom0.xenvm("create", config)
        dom0.console(NAME, "xenvm-guest: ready")
        yield dom0
        dom0.xenvm("destroy", NAME)
        assert dom0.settled(before) == before
    finally:
        dom0.destroy_all()


def ask(dom0: Dom0, command: str, pattern: str, *, name: str = NAME) -> str:
    """Types a command at the guest's shell and gives the line of its answer."""
    dom0.forget_console(name)
    dom0.ok(["bash", "-c", _TYPE, "type", name, command])
    return dom0.console(name, pattern, timeout=120)


def mem_total(dom0: Dom0, above: int, below: int) -> int:
    """Waits until the guest has so many MiB to use; what it has."""
    command = (
        "while :; do m=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo);"
        f' if [ $m -gt {above} -a $m -lt {below} ]; then echo "has-""$m"; break; fi; usleep 200000; done'
    )
    return int(ask(dom0, command, "^has-[0-9]+").strip().removeprefix("has-"))


def devices(dom0: Dom0, kind: str, name: str = NAME) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(dom0.xenvm(f"{kind}-list", "--json", name))["devices"]
    return found


def same_lists(dom0: Dom0, *commands: str, name: str = NAME) -> None:
    for command in commands:
        assert dom0.xenvm(command, name) == dom0.xl(command, name)


def test_a_disk_comes_carries_data_and_goes(guest: Dom0) -> None:
    before = guest.traces()
    disk = guest.disk("hot")
    guest.xenvm("block-attach", NAME, f"{disk},raw,xvdb,rw")
    ask(guest, f"{DISK_IS_THERE}; echo size-$(cat /sys/block/xvdb/size)", "^size-16384")
    ask(guest, "echo from-the-guest | dd of=/dev/xvdb bs=512 conv=sync,fsync; echo wrote-$((1 + 1))", "^wrote-2")
    assert guest.ok(["head", "-c", "14", disk]) == "from-the-guest"
    same_lists(guest, "block-list")
    assert [device["frontend_state"] for device in devices(guest, "block")] == [4]
    guest.xenvm("block-detach", NAME, "xvdb")
    ask(guest, "ls /sys/block | grep -c xvdb; echo gone-$(ls /sys/block | grep -c xvdb)", "^gone-0")
    assert guest.settled(before) == before


def test_a_vif_comes_carries_data_and_goes(guest: Dom0) -> None:
    before = guest.traces()
    guest.xenvm("network-attach", NAME, f"mac={MAC}", "bridge=xenbr0")
    up = f"{VIF_IS_THERE}; ip addr add 10.0.0.7/24 dev eth0; ip link set eth0 up"
    ask(guest, f"{up}; echo mac-$(cat /sys/class/net/eth0/address)", f"^mac-{MAC}")
    guest.ok(["ping", "-c", "3", "-w", "60", "10.0.0.7"])
    same_lists(guest, "network-list")
    guest.xenvm("network-detach", NAME, MAC)
    ask(guest, "echo gone-$(ls /sys/class/net | grep -c eth0)", "^gone-0")
    assert guest.settled(before) == before


def test_many_rounds_leave_nothing(guest: Dom0) -> None:
    before, disk = guest.traces(), guest.disk("hot")
    guest.ok(["python3", "-IS", "-c", _ROUNDS, NAME, f"{disk},raw,xvdb,rw", str(ROUNDS[guest.lab.suite])], timeout=1100)
    assert guest.settled(before) == before
    ask(guest, "echo left-$(ls /sys/block /sys/class/net | grep -c -e xvdb -e eth)", "^left-0")


def test_xl_takes_what_we_attached(guest: Dom0) -> None:
    before = guest.traces()
    guest.xenvm("block-attach", NAME, f"{guest.disk('hot')},raw,xvdb,rw")
    guest.xenvm("network-attach", NAME, f"mac={MAC}", "bridge=xenbr0")
    guest.xl("block-detach", NAME, "xvdb")
    guest.xl("network-detach", NAME, "0")
    assert guest.settled(before) == before


def test_we_take_what_xl_attached(guest: Dom0) -> None:
    """To a guest that xl created: it attaches nothing to one that it keeps no record of."""
    empty, disk = guest.traces(), guest.disk("theirs")
    guest.xl("create", "-q", guest.config("theirs", memory=256))
    guest.console("theirs", "xenvm-guest: ready")
    before = guest.traces()
    guest.xl("block-attach", "theirs", f"{disk},raw,xvdb,rw")
    guest.xl("network-attach", "theirs", f"mac={MAC}", "bridge=xenbr0")
    same_lists(guest, "block-list", "network-list", name="theirs")
    guest.xenvm("block-detach", "theirs", "xvdb")
    guest.xenvm("network-detach", "theirs", MAC)
    assert guest.settled(before) == before
    guest.xenvm("block-attach", "theirs", f"{disk},raw,xvdb,rw")
    assert guest.xl("block-list", "theirs").splitlines()[1].startswith("51728 ")
    guest.xl("destroy", "theirs")
    assert guest.traces() == empty


def test_a_guest_that_ignores_the_detach(guest: Dom0) -> None:
    before = guest.traces()
    guest.xenvm("block-attach", NAME, f"{guest.disk('hot')},raw,xvdb,rw")
    guest.xenvm("network-attach", NAME, f"mac={MAC}", "bridge=xenbr0")
    ask(
        guest,
        "until [ -e /dev/xvdb -a -e /sys/class/net/eth0 ]; do usleep 100000; done; echo both-$((1 + 1))",
        "^both-2",
    )
    guest.xenvm("pause", NAME)
    for command, device in (("block-detach", "xvdb"), ("network-detach", MAC)):
        error = guest.fails(command, NAME, device, code=9)
        assert re.search(rf"of domain \d+: {NAME} did not let go of it: its end is 4 Connected", error)
        guest.xenvm(command, "--force", NAME, device)
    assert guest.settled(before) == before
    guest.xenvm("unpause", NAME)
    ask(guest, "echo alive-$((1 + 1))", "^alive-2")


def test_vcpus(guest: Dom0) -> None:
    assert guest.xenvm("vcpu-list", NAME).split("\n")[0] == guest.xl("vcpu-list", NAME).split("\n")[0]
    ask(guest, "echo cpus-$(nproc)", "^cpus-1")
    guest.xenvm("vcpu-set", "-i", NAME, "4")
    # Linux only marks them as present; that they are switched on is for its udev, or for us.
    ask(guest, "for n in 1 2 3; do echo 1 >/sys/devices/system/cpu/cpu$n/online; done; echo cpus-$(nproc)", "^cpus-4")
    assert [row["online"] for row in vcpus(guest)] == [True] * 4
    guest.xenvm("vcpu-set", NAME, "2")
    ask(guest, "until [ $(nproc) = 2 ]; do usleep 100000; done; echo cpus-$(nproc)", "^cpus-2")
    assert [row["online"] for row in vcpus(guest)] == [True, True, False, False]


def vcpus(dom0: Dom0) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(dom0.xenvm("vcpu-list", "--json", NAME))["vcpus"]
    return found


def test_pinning_is_what_xl_sees(guest: Dom0) -> None:
    guest.xenvm("vcpu-pin", NAME, "0", "1", "0")
    guest.xenvm("vcpu-pin", NAME, "1", "-", "1")
    affinities = [line.split()[-3:] for line in guest.xl("vcpu-list", NAME).splitlines()[1:3]]
    assert affinities == [["1", "/", "0"], ["all", "/", "1"]]
    ours, theirs = (tool("vcpu-list", NAME).splitlines() for tool in (guest.xenvm, guest.xl))
    # Where a vCPU runs and how long it has run are others a moment later, in columns of the same width.
    assert [columns(line) for line in ours] == [columns(line) for line in theirs]
    guest.xenvm("vcpu-pin", NAME, "all", "all", "all")


def columns(line: str) -> tuple[str, int, str]:
    return line[:44], len(line), line.rpartition("  ")[2]


def test_memory_below_its_most_down_and_up(guest: Dom0) -> None:
    """The guest was given 384 MiB, and has kept 320 of them."""
    started = mem_total(guest, 214, 320)
    assert guest.domains()[NAME]["memory_kib"] <= 321 * 1024
    guest.xenvm("mem-set", NAME, "264")
    lower = mem_total(guest, 164, started - 40)
    guest.xenvm("mem-set", NAME, "384")
    upper = mem_total(guest, lower + 100, 384)
    assert upper - lower in range(110, 125)
    assert guest.domains()[NAME]["memory_kib"] > 379 * 1024
    guest.fails("mem-set", NAME, "385", code=1)
    guest.xenvm("mem-set", NAME, "320m")
    mem_total(guest, started - 5, started + 5)


def test_sysrq_and_trigger(guest: Dom0) -> None:
    empty = guest.traces()
    guest.xenvm("create", guest.config("end", on_crash="preserve"))
    guest.console("end", "xenvm-guest: ready")
    guest.forget_console("end")
    guest.xenvm("sysrq", "end", "h")
    guest.console("end", "sysrq: HELP", timeout=60)
    guest.xenvm("trigger", "end", "crash")
    assert guest.domains()["end"]["shutdown_reason"] == "crash"
    guest.xenvm("destroy", "end")
    assert guest.traces() == empty
