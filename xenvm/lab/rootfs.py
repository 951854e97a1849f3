"""dom0's root file system: packages unpacked but never configured, then what their scripts would have done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

from xenvm.lab import suites, tools
from xenvm.lab.modules import ModuleTree
from xenvm.lab.progress import Progress

ASSETS = resources.files("xenvm.lab") / "assets"
GUESTS = "/srv/guest"
DISK_SIZE = "4G"

_FOLDERS = (
    "dev", "etc/xen", "mnt/xenvm", "mnt/lab", "proc", "root", "run", "srv/guest", "srv/disks", "sys", "tmp",
    "usr/lib/xenvm-lab", "usr/local/bin", "usr/local/sbin", "var/cache", "var/lib/xen", "var/lib/xenstored", "var/lock",
    "var/log/xen/console", "usr/lib/python3/dist-packages",
)  # fmt: skip
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\ndisk:x:6:\nlibvirt:x:120:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n10.0.0.1 xenvm-lab\n",
    "etc/fstab": "",
    # Behind the standard library, whose modules would otherwise be looked for on the shares first.
    "usr/lib/python3/dist-packages/xenvm-lab.pth": "/mnt/xenvm\n/mnt/deps\n",
}
_LINKS = {
    "usr/bin/awk": "gawk",
    "usr/bin/sh": "dash",
    "usr/bin/which": "busybox",
    "usr/sbin/init": "../bin/busybox",
    "usr/sbin/poweroff": "../bin/busybox",
    "usr/sbin/reboot": "../bin/busybox",
    "etc/mtab": "../proc/self/mounts",
    "var/run": "../run",
    "mnt/deps": "lab/site",
}
# Everyday programs of packages that dom0 does without.
_APPLETS = (
    "cpio", "find", "gunzip", "gzip", "hexdump", "less", "nc", "strings", "tar", "vi", "wget", "xargs", "xxd",
    "xz", "zcat",
)  # fmt: skip
_PROGRAMS = {
    "dom0-boot": "usr/lib/xenvm-lab/boot",
    "server": "usr/lib/xenvm-lab/server",
    "warm-up": "usr/lib/xenvm-lab/warm-up",
    "xenvm": "usr/local/bin/xenvm",
}


def unpack(debs: Iterable[Path], root: Path, progress: Progress, label: str) -> None:
    """Unpack packages into `root`, whose ``bin``, ``sbin`` and ``lib`` are links into ``usr``."""
    for name in ("bin", "sbin", "lib"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    # base-files replaces the links above: nothing may be unpacked at that moment.
    ordered = sorted(debs, key=lambda deb: (not deb.name.startswith("base-files_"), -deb.stat().st_size))
    done, total = 0, sum(deb.stat().st_size for deb in ordered) or 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        _extract(ordered[0], root)
        for deb, _ in zip(ordered, pool.map(lambda deb: _extract(deb, root), ordered[1:]), strict=False):
            done += deb.stat().st_size
            progress(label, done / total)


def _extract(deb: Path, root: Path) -> None:
    exclude = [f"--exclude={pattern}" for pattern in suites.EXCLUDED]
    target: list[str | Path] = ["tar", "--keep-directory-symlink", "--no-same-owner", "-p", *exclude, "-x", "-C", root]
    tools.pipe(["dpkg-deb", "--fsys-tarfile", deb], target)


def prune_modules(root: Path, tree: ModuleTree, names: Iterable[str]) -> None:
    """Keep only these kernel modules and what they need, decompressed, and index them for modprobe."""
    kept = root / "usr/lib/kept-modules"
    for name in tree.closure(names):
        target = kept / tree.relative(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(tree.read(name))
    for index in tree.folder.glob("modules.*"):
        shutil.move(index, kept / index.name)
    shutil.rmtree(tree.folder)
    kept.rename(tree.folder)
    tools.run(["depmod", "-b", root, tree.version])


def configure(root: Path, suite: suites.Suite) -> None:
    """What maintainer scripts would have made, and the lab's own programs."""
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        (root / name).write_text(text)
    for name, target in _LINKS.items():
        _link(root / name, target)
    for applet in _APPLETS:
        if not (root / "usr/bin" / applet).exists():
            _link(root / "usr/bin" / applet, "busybox")
    for asset, name in _PROGRAMS.items():
        (root / name).write_text(asset_text(asset).replace("@XEN@", suite.xen))
        (root / name).chmod(0o755)
    (root / "etc/inittab").write_text(asset_text("inittab"))


def asset_text(name: str) -> str:
    """A file of the assets folder."""
    return (ASSETS / name).read_text()


def make_disk(root: Path, image: Path) -> None:
    """A sparse ext4 image of `root`; all files belong to root inside, whoever builds it."""
    options = ["-q", "-t", "ext4", "-L", "dom0", "-m", "0", "-O", "^has_journal", "-E", "root_owner=0:0"]
    tools.run(["fakeroot", tools.find("mke2fs"), *options, "-d", root, image, DISK_SIZE])


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():  # a package's own /var/run, say
        shutil.rmtree(path)
    path.symlink_to(target)
