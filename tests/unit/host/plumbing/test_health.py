"""Drivers, daemons, terminals and files of a machine that is a folder; interfaces in a network namespace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xenvm.host.plumbing import health

from .netns import ip


def made(root: Path, path: str, text: str = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_drivers(tmp_path: Path) -> None:
    root = f"{tmp_path}/"
    assert health.driver("vbd", root) == "the kernel module xen-blkback is not loaded: `modprobe xen-blkback`"
    (tmp_path / "sys/bus/xen-backend/drivers/vbd").mkdir(parents=True)
    assert health.driver("vbd", root) == "" and health.driver("qdisk", root) == ""
    assert "xen-netback" in health.driver("vif", root)


def test_daemons(tmp_path: Path) -> None:
    root = f"{tmp_path}/"
    assert health.daemon("xenconsoled", root) is None
    made(tmp_path, "proc/1/comm", "init\n")
    (tmp_path / "proc/2").mkdir()
    assert health.daemon("xenconsoled", root) is False
    made(tmp_path, "proc/77/comm", "xenconsoled\n")
    assert health.daemon("xenconsoled", root) is True


def test_terminals() -> None:
    assert health.terminal("/dev/null")
    for path in ("/dev/nothing", "/dev/../dev/null", "/etc/passwd", "", "null", "/dev/nu\0ll"):
        assert not health.terminal(path)


def test_disks(tmp_path: Path) -> None:
    root, disk = f"{tmp_path}/", tmp_path / "disk.img"
    assert health.disk(str(disk), "w", "", root) == f"the disk's file {disk} is gone"
    disk.write_bytes(b"")
    assert health.disk(str(disk), "w", "", root) == ""
    node = "/dev/loop3"
    assert (
        health.disk(str(disk), "w", node, root) == f"the loop device {node} of its file {disk} is not set up any more"
    )
    made(tmp_path, "sys/block/loop3/loop/backing_file", f"{disk}\n")
    assert health.disk(str(disk), "w", node, root) == ""
    made(tmp_path, "sys/block/loop3/loop/backing_file", f"{disk} (deleted)\n")
    assert "is gone: it was removed while /dev/loop3 has it open" in health.disk(str(disk), "w", node, root)
    os.chmod(disk, 0o444)
    assert "is a read-only file" in health.disk(str(disk), "w", "", root)
    assert "neither a block device" in health.disk(str(tmp_path), "w", "", root)


@pytest.mark.parametrize("name", ["", "vif7.0", "a" * 16, "a/b"])
def test_interfaces_that_are_not_there(name: str) -> None:
    assert health.link(name, "xenbr0") == f"the network interface {name} does not exist"


def test_interfaces_that_are() -> None:
    assert health.link("lo", "xenbr0") == "the network interface lo is on no bridge: `ip link set lo master xenbr0`"


def test_bridges() -> None:
    assert health.bridge("nobridge7") == "bridge nobridge7 does not exist"
    assert health.bridge("lo") == "lo is a network interface, but not a bridge"


def test_an_interface_and_its_bridge(net: None) -> None:
    assert health.bridge("xenbr0") == "" and health.bridge("") == ""
    assert "is on no bridge" in health.link("vif3.0", "xenbr0")
    ip("link", "add", "br7", "type", "bridge")
    ip("link", "set", "vif3.0", "master", "br7")
    assert health.link("vif3.0", "xenbr0") == "the network interface vif3.0 is on br7, not on xenbr0"
    assert health.link("vif3.0", "br7") == "the network interface vif3.0 is down: `ip link set vif3.0 up`"
    ip("link", "set", "vif3.0", "up")
    assert health.link("vif3.0", "br7") == "" and health.link("vif3.0", "") == ""
