from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from xenvm.errors import DeviceError
from xenvm.host.plumbing import block, loop
from xenvm.host.plumbing.block import BlockTarget, OtherDisk

DEVICE = BlockTarget("phy", "/dev/vg/root", os.makedev(0xFD, 0x1A))
MM = "fd:1a"


@pytest.fixture
def mountinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text("21 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw\n")
    monkeypatch.setattr(block, "_MOUNTINFO", str(path))
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 20))
    return path


def other(mode: str = "w", vm: str = "/vm/b", device: str = MM) -> OtherDisk:
    return OtherDisk(device, mode, vm, 9)


@pytest.mark.parametrize(
    ("mode", "canonical"), [("r", "r"), ("ro", "r"), ("", "r"), ("w", "w"), ("rw", "w"), ("w!", "!"), ("rw!", "!")]
)
def test_canonical_mode(mode: str, canonical: str) -> None:
    assert block.canonical_mode(mode) == canonical


def test_resolve_follows_links_to_a_file(image: Path) -> None:
    link = image.with_name("link")
    link.symlink_to(image.name)
    status = image.stat()
    assert block.resolve(str(link), "w") == BlockTarget("file", str(image), status.st_dev, status.st_ino)


def test_resolve_a_device_by_its_short_name(loop_device: loop.LoopDevice) -> None:
    expected = BlockTarget("phy", loop_device.path, loop_device.rdev)
    assert block.resolve(loop_device.path, "w") == expected
    assert block.resolve(loop_device.path.removeprefix("/dev/"), "w") == expected


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/none.img", "/none.img: cannot be used as a disk: No such file or directory"),
        ("/dev/null", "/dev/null: is neither a block device nor a regular file"),
        ("/proc", "/proc: is neither a block device nor a regular file"),
        ("a\0b", "embedded null"),
    ],
)
def test_resolve_refuses(target: str, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        block.resolve(target, "r")


def test_resolve_refuses_to_write_a_read_only_file(image: Path) -> None:
    image.chmod(0o444)
    assert block.resolve(str(image), "r").kind == "file"
    assert block.resolve(str(image), "w!").kind == "file"
    with pytest.raises(DeviceError, match="is a read-only file"):
        block.resolve(str(image), "w")


@pytest.mark.parametrize(
    ("mode", "held", "conflict"),
    [
        ("w", "w", True),
        ("w", "r", True),
        ("r", "w", True),
        ("r", "r", False),
        ("r", "w!", False),
        ("w", "w!", True),
        ("w!", "w", False),
    ],
)
def test_sharing_with_another_guest(mountinfo: Path, mode: str, held: str, conflict: bool) -> None:
    if not conflict:
        block.check_sharing(DEVICE, mode, vm="/vm/a", others=[other(held)])
        return
    with pytest.raises(DeviceError, match=r"/dev/vg/root: is in use by domain 9, so it cannot be attached read-"):
        block.check_sharing(DEVICE, mode, vm="/vm/a", others=[other(held)])


@pytest.mark.parametrize("exempt", [other(vm="/vm/a"), other(vm=""), other(device="fd:1b"), other(device="")])
def test_no_conflict_with_the_same_vm_a_dead_one_or_another_device(mountinfo: Path, exempt: OtherDisk) -> None:
    block.check_sharing(DEVICE, "w", vm="/vm/a", others=[exempt])


@pytest.mark.parametrize(
    ("options", "mode", "conflict"),
    [
        ("rw,relatime - ext4 /dev/root rw", "w", True),
        ("rw,relatime - ext4 /dev/root rw", "r", True),
        ("ro,relatime - ext4 /dev/root rw", "r", False),
        ("rw,relatime - ext4 /dev/root ro,errors=continue", "r", False),
        ("ro - ext4 /dev/root ro", "w", True),
        ("rw - ext4 /dev/root rw", "w!", False),
    ],
)
def test_sharing_with_a_mount(mountinfo: Path, options: str, mode: str, conflict: bool) -> None:
    mountinfo.write_text(f"22 1 253:26 / /srv/my\\040disk {options}\n")
    if not conflict:
        block.check_sharing(DEVICE, mode, vm="/vm/a", others=[])
        return
    with pytest.raises(DeviceError, match="is mounted on /srv/my disk in this host"):
        block.check_sharing(DEVICE, mode, vm="/vm/a", others=[])


def test_sharing_with_a_mount_known_by_its_source_only(
    mountinfo: Path, loop_device: loop.LoopDevice, tmp_path: Path
) -> None:
    (tmp_path / "a disk").symlink_to(loop_device.path)
    mountinfo.write_text(f"22 1 0:44 / /srv rw shared:1 master:2 - btrfs {tmp_path}/a\\040disk rw\n")
    with pytest.raises(DeviceError, match="is mounted on /srv"):
        block.check_sharing(block.resolve(loop_device.path, "r"), "r", vm="/vm/a", others=[])


def test_reads_this_hosts_mounts() -> None:
    block.check_sharing(DEVICE, "w", vm="/vm/a", others=[])


def test_file_in_use_through_a_loop_device(mountinfo: Path, image: Path, loop_device: loop.LoopDevice) -> None:
    target = block.resolve(str(image), "w")
    block.check_sharing(target, "w", vm="/vm/a", others=[])
    holder = other(device=block.physical_device(loop_device.rdev))
    with pytest.raises(DeviceError, match=f"in use by domain 9 through {loop_device.path}, so .* read-only"):
        block.check_sharing(target, "r", vm="/vm/a", others=[holder])


def test_attach_a_file_and_undo(mountinfo: Path, image: Path, loop_device: loop.LoopDevice) -> None:
    attachment = block.attach(block.resolve(str(image), "r"), "r", vm="/vm/a", others=[])
    try:
        assert attachment.node is not None
        assert attachment.physical_device_path == attachment.node != loop_device.path
        numbers = subprocess.check_output(["stat", "-L", "-c", "%t:%T", attachment.node], text=True)
        assert attachment.physical_device == numbers.strip()
    finally:
        attachment.undo()
    status = image.stat()
    assert loop.backed_by(status.st_dev, status.st_ino) == [loop_device]


def test_attach_a_device_and_undo(mountinfo: Path) -> None:
    attachment = block.attach(DEVICE, "w", vm="/vm/a", others=[])
    assert attachment == block.BlockAttachment(MM, "/dev/vg/root", None)
    attachment.undo()


def test_detach_takes_the_lock(loop_device: loop.LoopDevice, image: Path, tmp_path: Path) -> None:
    block.detach(loop_device.path, str(image), str(tmp_path / "hotplug" / "block"))
    assert (tmp_path / "hotplug").exists()
    status = image.stat()
    assert loop.backed_by(status.st_dev, status.st_ino) == []
