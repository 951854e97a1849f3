"""Files, locks and interfaces that were left, found in folders."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from xenvm.host.plumbing import leftovers
from xenvm.host.plumbing.leftovers import DataFile, Interface
from xenvm.host.plumbing.locks import FileLock, host_lock

UUID = "3f1d2c4b-0b7e-4a55-9c1e-2f6f6d1e9a01"


def test_userdata(tmp_path: Path) -> None:
    for name in (f"userdata-d.7.{UUID}.libxl-json", f"userdata-n.8.{UUID}.xl", f"userdata-l.7.{UUID}.lock", "d.7.x.y"):
        (tmp_path / name).touch()
    for name in ("userdata-d.7", "userdata-d.x.y.z", "other"):
        (tmp_path / name).touch()
    assert leftovers.data_files(str(tmp_path)) == [
        DataFile(f"{tmp_path}/userdata-d.7.{UUID}.libxl-json", 7, UUID),
        DataFile(f"{tmp_path}/userdata-n.8.{UUID}.xl", 8, UUID),
    ]
    assert leftovers.data_files(f"{tmp_path}/none") == []


def test_removal_of_what_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    leftovers.remove(str(path))
    leftovers.remove(str(path))
    assert not path.exists()


def test_only_locks_that_nobody_holds(tmp_path: Path) -> None:
    places = [(str(tmp_path), "userdata-l."), (str(tmp_path), "block"), (f"{tmp_path}/none", "x")]
    free, kept = f"{tmp_path}/userdata-l.7.lock", f"{tmp_path}/block"
    Path(free).touch()
    (tmp_path / "blocked").touch()
    with FileLock(kept):
        assert leftovers.lock_files(places) == [free]
        with pytest.raises(BlockingIOError):
            leftovers.remove_lock(kept)
    leftovers.remove_lock(free)
    assert leftovers.lock_files(places) == []


def test_a_lock_of_the_other_kind_is_held_too(tmp_path: Path) -> None:
    path = tmp_path / "block"
    with host_lock(str(path)):
        assert leftovers.lock_files([(str(tmp_path), "block")]) == []
        with pytest.raises(OSError, match="Resource temporarily"):
            host_lock(str(path), wait=False)
    fd = os.open(path, os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    assert leftovers.lock_files([(str(tmp_path), "block")]) == []
    os.close(fd)
    assert leftovers.lock_files([(str(tmp_path), "block")]) == [str(path)]


def test_interfaces_by_their_device(tmp_path: Path) -> None:
    for name, device, master in (
        ("vif5.0", "vif-5-0", "xenbr0"),
        ("web", "vif-6-1", ""),
        ("eth0", "virtio0", "xenbr0"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "device").symlink_to(f"../../../{device}")
        if master:
            (tmp_path / name / "master").symlink_to(f"../{master}")
    (tmp_path / "lo").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "device").symlink_to("../vif-x-0")
    assert leftovers.interfaces(str(tmp_path)) == [Interface("vif5.0", 5, 0, "xenbr0"), Interface("web", 6, 1, "")]
