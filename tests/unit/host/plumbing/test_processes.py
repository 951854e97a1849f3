"""Who holds what, by a proc of our own and by the real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xenvm.host.plumbing import locks, processes
from xenvm.types import Domid


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Two processes: one has a loop device open, one maps pages of guests."""
    for pid, name, target, mapped in ((41, "losetup (x) y", "/dev/loop3", "/lib/x.so"), (42, "xenconsoled", "/", "")):
        folder = tmp_path / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fd" / "0").symlink_to(target)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "maps").write_text(f"00-01 rw-s 0 00:05 9    {mapped or '/dev/xen/gntdev'}\n")
        fields = " ".join(str(number) for number in range(3, 40))
        (folder / "stat").write_text(f"{pid} ({name}) {fields}\n")
    (tmp_path / "proc" / "43").mkdir()
    (tmp_path / "proc" / "self").mkdir()
    return tmp_path / "proc"


def test_who_has_a_file_open(proc: Path) -> None:
    found = processes.using(["/dev/loop3", "/dev/loop4"], str(proc))
    assert found == {"/dev/loop3": ["process 41 (losetup (x) y)"], "/dev/loop4": []}
    assert processes.using([], "/no/such/folder") == {}


def test_who_maps_pages(proc: Path) -> None:
    assert processes.mapping_guests(str(proc)) == ["process 42 (xenconsoled)"]


def test_a_process_is_known_by_its_beginning_too(proc: Path) -> None:
    assert processes.lives("41 22", str(proc)) and not processes.lives("41 23", str(proc))
    for junk in ("", "41", "41 ", "99 22", "x 22", "43 22", "9" * 30 + " 1"):
        assert not processes.lives(junk, str(proc))


def test_this_process() -> None:
    who = locks.claim()
    assert who.split()[0] == str(os.getpid()) and processes.lives(who)
    pid = os.fork()
    if not pid:
        os._exit(locks.claim() == who)
    assert os.waitpid(pid, 0)[1] == 0


def test_back_ends_of_the_kernel(tmp_path: Path) -> None:
    for name in ("vbd-5-51712", "vif-5-0", "vif-15-0", "vif-1-5"):
        (tmp_path / name).mkdir()
    assert processes.kernel_devices(Domid(5), str(tmp_path)) == ["vbd-5-51712", "vif-5-0"]
    assert processes.kernel_devices(Domid(5), f"{tmp_path}/none") == []
