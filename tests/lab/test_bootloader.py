"""Guests that boot what lies in their disks: Xen's own pygrub, with xl as the oracle, and some that misbehave."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.dom0 import KERNEL32, RAMDISK32, Dom0

WHOLE, PARTED, EMPTY = (f"/srv/disks/boot-{kind}.img" for kind in ("whole", "parted", "empty"))
MENU = """set default="0"
set timeout=3
menuentry 'First' --class os {
    insmod ext2
    linux /boot/vmlinuz console=hvc0 entry=first
    initrd /boot/initrd.gz
}
menuentry 'Second' --class os {
    linux /boot/vmlinuz console=hvc0 entry=second
    initrd /boot/initrd.gz
}
"""
# The same file system, as the only partition of a disk of its own, one MiB from its start.
PART = """
import struct, sys
entry = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 2048, 65536)
with open(sys.argv[1], "rb") as whole, open(sys.argv[2], "wb") as disk:
    disk.write(bytes(446) + entry + bytes(48) + b"\\x55\\xaa")
    disk.seek(1 << 20)
    while piece := whole.read(1 << 20):
        disk.seek(len(piece), 1) if not any(piece) else disk.write(piece)
    disk.truncate(33 << 20)
"""
STAND_IN = """#!/bin/sh
for word in "$@"; do
    case $word in --output=*) output=${word#*=};; --output-directory=*) to=${word#*=};; esac
done
"""


@pytest.fixture(scope="module")
def images(dom0: Dom0, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dom0]:
    """Three disks in dom0, made once: with a file system and a partition, and one with a file system only.

    They are made here, with the tool that the lab's own disk is made with: dom0 has none.
    """
    folder = tmp_path_factory.mktemp("boot")
    tree = folder / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    empty = folder / "empty.img"
    _make(tree, empty, "2M")
    dom0.lab.get(KERNEL32, tree / "boot/vmlinuz")
    dom0.lab.get(RAMDISK32, tree / "boot/initrd.gz")
    (tree / "boot/grub/grub.cfg").write_text(MENU)
    _make(tree, folder / "whole.img", "32M")
    dom0.lab.put(folder / "whole.img", WHOLE)
    dom0.lab.put(empty, EMPTY)
    dom0.ok(["python3", "-c", PART, WHOLE, PARTED])
    yield dom0
    dom0.run(["rm", "-f", WHOLE, PARTED, EMPTY, "/root/stand-in"])


def _make(tree: Path, image: Path, size: str) -> None:
    tool = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert tool is not None
    subprocess.run([tool, "-q", "-F", "-t", "ext4", "-d", str(tree), str(image), size], check=True)


def config(dom0: Dom0, name: str, disk: str, **settings: object) -> str:
    """A 32-bit guest, because its kernel is small; pinned, see docs/lab.md."""
    wanted = {"bootloader": "pygrub", "kernel": None, "ramdisk": None, "cmdline": None, "cpus": "1", **settings}
    return dom0.config(name, disk=[f"{disk},raw,xvda,rw"], **wanted)


def leftovers(dom0: Dom0) -> list[str]:
    """What no bootloader may leave: images, folders, mounts, itself."""
    found = "ls -d /var/lib/xen/*bootloader* /run/*bootloader* /tmp/*bootloader* /tmp/boot_* 2>/dev/null;"
    return dom0.ok(
        f"{found} grep -E 'bootloader|boot_' /proc/mounts; ps -eo args | grep -E '[p]ygrub|[s]tand-in'; :"
    ).split()


def command_line(dom0: Dom0, name: str) -> str:
    return dom0.console(name, "Kernel command line: ").split("Kernel command line: ")[1]


def test_the_guest_boots_what_pygrub_finds_as_under_xl(images: Dom0, clean: Dom0) -> None:
    """Its command line is the menu's with that of the configuration; it chooses again at each reboot."""
    path = config(clean, "grub", WHOLE, cmdline="from=cfg")
    clean.xenvm("check", path)
    assert "only a creation has the bootloader look for the kernel" in clean.fails("plan", path)
    clean.xl("create", path)
    theirs = command_line(clean, "grub")
    clean.xl("destroy", "grub")
    clean.gone("grub")
    clean.forget_console("grub")
    clean.xenvm("create", path)
    assert command_line(clean, "grub") == theirs == "console=hvc0 entry=first from=cfg"
    clean.console("grub", "xenvm-guest: ready")
    assert leftovers(clean) == []
    assert '"bootloader": "pygrub"' in clean.xl("list", "-l", "grub")
    clean.forget_console("grub")
    clean.xenvm("reboot", "grub")
    assert command_line(clean, "grub") == theirs
    clean.xenvm("destroy", "grub")
    assert leftovers(clean) == []


def test_a_partition_another_entry_a_path_and_a_user_without_rights(images: Dom0, clean: Dom0) -> None:
    pygrub = clean.ok("ls /usr/lib/xen-4.*/bin/pygrub").strip()
    settings = {"bootloader_restrict": 1, "bootloader_user": "nobody"}
    path = config(clean, "entry", PARTED, bootloader=pygrub, bootloader_args=["--entry=Second"], **settings)
    clean.xenvm("create", path)
    assert command_line(clean, "entry") == "console=hvc0 entry=second"
    clean.xenvm("destroy", "entry")
    assert leftovers(clean) == []


def test_a_disk_without_a_menu(images: Dom0, clean: Dom0) -> None:
    """pygrub says why as its last line. One that is restricted says that it succeeded, and names no kernel.

    The other looks into a block device, as it does into a file.
    """
    loop = clean.ok(["losetup", "--show", "-f", EMPTY]).strip()
    try:
        for disk, settings in ((EMPTY, {"bootloader_restrict": 1, "bootloader_user": "nobody"}), (loop, {})):
            said = clean.fails("create", config(clean, "none", disk, **settings))
            assert f"{disk}: the bootloader /usr/lib/xen-4." in said
            assert "Unable to find partition containing kernel" in said
    finally:
        clean.ok(["losetup", "-d", loop])
    assert leftovers(clean) == []


MISBEHAVING = [
    ("echo no such disk; exit 1", "failed (1): no such disk"),
    ("kill -TERM $$", "was killed by signal 15"),
    ("head -c 200000 /dev/zero | tr '\\0' x; echo; echo enough; exit 2", "failed (2): enough"),
    ("head -c 70000 /dev/zero >$output", "wrote more than 65536 bytes of what it chose"),
    ("printf 'kernel /etc/passwd\\0' >$output", "named '/etc/passwd', which is no file in the folder"),
    ("sleep 1000 & exec <&- >&- 2>&-; exit 3", "failed (3): it said nothing"),
]


def test_those_that_misbehave(images: Dom0, clean: Dom0) -> None:
    path = config(clean, "bad", EMPTY, bootloader="/root/stand-in")
    for body, reason in MISBEHAVING:
        clean.lab.write("/root/stand-in", STAND_IN + body + "\n", 0o755)
        assert f"{EMPTY}: the bootloader /root/stand-in {reason}" in clean.fails("create", path)
    assert leftovers(clean) == []
    clean.ok("ls /etc/passwd")


def test_a_qcow2_image_is_refused(images: Dom0, clean: Dom0) -> None:
    path = clean.config("cow", disk=[f"{EMPTY},qcow2,xvda,rw"], bootloader="pygrub", kernel=None, ramdisk=None)
    assert "`bootloader' cannot look into xvda, which is qcow2 and not raw" in clean.fails("create", path)
