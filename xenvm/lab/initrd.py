"""The initial RAM disks of dom0 and of the test guests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from xenvm.lab.cpio import Cpio
from xenvm.lab.modules import ModuleTree
from xenvm.lab.rootfs import asset_text


def build(init: str, busybox: Path, tree: ModuleTree, modules: Mapping[str, Iterable[str]], path: Path) -> None:
    """Write a RAM disk: the asset `init`, busybox, and modules; each list of them by its name in ``/modules``."""
    archive = Cpio()
    archive.file("init", asset_text(init).encode(), 0o755)
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    archive.node("dev/console", 5, 1)
    for folder in ("dev", "proc", "root", "sys"):
        archive.folder(folder)
    lists = {key: tree.closure(names) for key, names in modules.items()}
    for name in dict.fromkeys(name for order in lists.values() for name in order):
        archive.file(f"modules/{name}.ko", tree.read(name))
    for key, order in lists.items():
        archive.file(f"modules/{key}", "".join(f"{name}\n" for name in order).encode())
    archive.write(path)
