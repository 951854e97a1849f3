"""xl's names: all of them, found as xl finds them."""

from __future__ import annotations

import pytest

from tests.lab.test_shim import NOT_COMPARED, compared
from xenvm.cli import table as ours
from xenvm.cli.xl.shim import implemented, work
from xenvm.cli.xl.table import ROWS, find

DAILY = """create destroy shutdown reboot pause unpause rename list vm-list domid domname uptime info dmesg console
vcpu-list vcpu-pin vcpu-set mem-set mem-max block-attach block-list block-detach network-attach network-list
network-detach"""
"""What a daily user needs."""
OTHERS = """config-update pci-attach pci-detach pci-list pci-assignable-add pci-assignable-remove pci-assignable-list
vncviewer save migrate restore migrate-receive suspend resume dump-core cd-insert cd-eject button-press sharing
sched-credit sched-credit2 sched-rtds trigger sysrq debug-keys set-parameters top channel-list vtpm-attach vtpm-list
vtpm-detach vkb-attach vkb-list vkb-detach vdispl-attach vdispl-list vdispl-detach vsnd-attach vsnd-list vsnd-detach
claims cpupool-create cpupool-list cpupool-destroy cpupool-rename cpupool-cpu-add cpupool-cpu-remove cpupool-migrate
cpupool-numa-split devd getenforce setenforce loadpolicy remus psr-hwinfo psr-cmt-attach psr-cmt-detach psr-cmt-show
psr-cat-set psr-cat-show psr-mba-set psr-mba-show usbctrl-attach usbctrl-detach usbdev-attach usbdev-detach usb-list
qemu-monitor-command dt-overlay xenstore-quota-get xenstore-quota-set"""
MUST = set(DAILY.split())


def test_every_name_of_xl_is_known_once() -> None:
    assert sorted(row.name for row in ROWS) == sorted([*DAILY.split(), *OTHERS.split()])


def test_what_is_needed_daily_is_there() -> None:
    assert all(implemented(row) for row in ROWS if row.name in MUST)


def test_the_lab_asks_xl_for_every_subcommand() -> None:
    assert {row.name for row in ROWS if implemented(row)} - compared() == NOT_COMPARED.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rows_hold_together(row: object) -> None:
    assert row in ROWS
    found = next(each for each in ROWS if each is row)
    assert implemented(found) or found.reason
    assert not found.refused or found.reason
    assert all(long.split("=")[1] in found.letters for long in found.longs)
    assert set(found.ignored + found.refused) <= set(found.letters)
    assert callable(work(found))
    assert found.words or not found.least


@pytest.mark.parametrize("row", [row for row in ROWS if implemented(row)], ids=lambda row: row.name)
def test_our_commands_take_what_is_passed_on(row: object) -> None:
    found = next(each for each in ROWS if each is row)
    command = ours.find(found.native)
    assert command is not None
    flags = {flag for option in command.options for flag in option.flags}
    passed = set(found.letters.replace(":", "")) - set(found.ignored + found.refused + "h")
    assert {f"-{letter}" for letter in passed} <= flags


@pytest.mark.parametrize(
    ("word", "name"),
    [("cons", "console"), ("des", "destroy"), ("li", "list"), ("create", "create"), ("sched-credit", "sched-credit"),
     ("res", "resume"), ("sus", "suspend"), ("psr-h", "psr-hwinfo"), ("vm", "vm-list")],
)  # fmt: skip
def test_beginnings(word: str, name: str) -> None:
    row = find(word)
    assert row is not None and row.name == name


@pytest.mark.parametrize("word", ["", "mem", "dom", "psr", "vcpu-", "no-such", "lists"])
def test_no_beginnings(word: str) -> None:
    assert find(word) is None
