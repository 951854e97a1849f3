"""The fixture xenvm: command lines on a test's host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xenvm.testing.commands import Commands
from xenvm.testing.host import XenHost


def test_a_user_s_session(xen_host: XenHost, xenvm: Commands) -> None:
    assert xenvm("create", "-q", xen_host.config("g", disks=1)).check() == ""
    xen_host.guest("g").wait_up()
    assert xenvm("list").out.splitlines()[2].split()[:2] == ["g", "1"]
    assert "51712 1048576" in xenvm("console", "g", input="lsblk\n").check()
    assert xenvm("shutdown", "-w", "g").code == 0
    assert xenvm("list").check().count("\n") == 2
    assert xen_host.left() == [], "a guest that powers off is destroyed, unless its configuration says otherwise"


def test_what_goes_wrong_is_told(xen_host: XenHost, xenvm: Commands) -> None:
    done = xenvm("destroy", "nobody")
    assert (done.code, done.out) == (3, "")
    assert done.err == "xenvm: nobody is an invalid domain identifier\n"
    with pytest.raises(AssertionError, match="xenvm destroy nobody ended with 3 instead of 0"):
        done.check()
    done.check(3)
    unknown = xenvm("destroy", "--what")
    assert unknown.code == 2 and "--what" in unknown.err
    assert "Usage" in xenvm("--help").check()


def test_bytes_go_to_files_too(xen_host: XenHost, xenvm: Commands) -> None:
    xen_host.store.write("/a", "x\n")
    assert xenvm("store", "read", "--raw", "/a").out == "x\n" or xenvm("store", "read", "/a").out == "x\n"


def test_another_host_can_be_asked_for(xen_host: XenHost, xenvm: Commands, tmp_path: Path) -> None:
    xen_host.create("g")
    assert "g " not in xenvm("--host", f"sim:{tmp_path}/other", "list").check()
    assert "g " in xenvm("list").check()


def test_a_process_of_its_own_has_the_same_host(xen_host: XenHost, xenvm: Commands) -> None:
    xen_host.create("g", disks=1)
    done = xenvm.process("list")
    assert done.err == "" and done.check().splitlines()[2].split()[0] == "g"
    assert xenvm.process("shutdown", "-w", "g").code == 0
    assert xen_host.left() == [], "a guest that powers off is destroyed, unless its configuration says otherwise"


def test_scripts_find_the_command(xen_host: XenHost, xenvm: Commands) -> None:
    config = xen_host.config("g")
    done = xenvm.script(["sh", "-ec", 'xenvm create -q "$1"; xenvm domid g; cat', "sh", config], input="typed")
    assert done.check() == "1\ntyped"
    assert xen_host.guest("g").domid == 1


@pytest.mark.xen(behaviour="crash")
def test_guests_of_a_script_behave_as_the_host_says(xen_host: XenHost, xenvm: Commands) -> None:
    xenvm.process("create", "-q", xen_host.config("g", on_crash="preserve")).check()
    xenvm("create", "-q", xen_host.config("h", on_crash="preserve")).check()
    assert [guest.down for guest in xen_host.guests()] == ["crash", "crash"]


def test_the_host_comes_back_from_a_script_that_hangs(xen_host: XenHost, xenvm: Commands) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        xenvm.script([sys.executable, "-c", "input()\nimport signal\nsignal.pause()"], input="\n", seconds=0.2)
    assert xen_host.create("g").exists


def test_nothing_of_this_process_changes(xenvm: Commands) -> None:
    before = sys.stdin, sys.stdout, sys.stderr, os.fstat(0), os.fstat(1), os.fstat(2)
    xenvm("list")
    after = sys.stdin, sys.stdout, sys.stderr, os.fstat(0), os.fstat(1), os.fstat(2)
    assert before == after
