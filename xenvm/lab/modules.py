"""Kernel modules: find some by name with all that they depend on, in the order to load them."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterable
from pathlib import Path

from xenvm.lab.errors import BuildFailed

_NEEDS = re.compile(rb"\0(?:depends=|softdep=pre: )([^\0]*)")


class ModuleTree:
    """The modules of one unpacked kernel package: `folder` is its ``lib/modules/VERSION``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = {_name(p): p for p in folder.rglob("*.ko*")}
        self._data: dict[str, bytes] = {}

    @classmethod
    def find(cls, root: Path) -> ModuleTree:
        """The only kernel's modules under an unpacked root."""
        found = [p for base in ("usr/lib/modules", "lib/modules") for p in (root / base).glob("*")]
        if not found:
            raise BuildFailed(f"no kernel modules in {root}")
        return cls(found[0])

    @property
    def version(self) -> str:
        """The kernel's release, as ``uname -r`` tells it."""
        return self.folder.name

    def closure(self, names: Iterable[str]) -> list[str]:
        """`names` and all they need, each after what it needs; what the kernel has built in is left out."""
        order: list[str] = []
        for name in names:
            self._visit(name, order, set())
        return order

    def read(self, name: str) -> bytes:
        """A module's ELF file, decompressed: modprobe of an initrd reads no xz."""
        if name not in self._data:
            self._data[name] = _decompressed(self._files[name])
        return self._data[name]

    def relative(self, name: str) -> str:
        """Where it belongs under ``lib/modules/VERSION``, without a compression suffix."""
        path = self._files[name].relative_to(self.folder)
        return str(path.with_name(path.name.partition(".ko")[0] + ".ko"))

    def _visit(self, name: str, order: list[str], path: set[str]) -> None:
        if name in order or name in path or name not in self._files:
            return
        for needed in _needs(self.read(name)):
            self._visit(needed, order, path | {name})
        order.append(name)


def _name(path: Path) -> str:
    return path.name.partition(".ko")[0].replace("-", "_")


def _needs(module: bytes) -> list[str]:
    """The names in the ``.modinfo`` section's depends and softdep lines."""
    found = [part for match in _NEEDS.findall(module) for part in re.split(rb"[,\s]+", match) if part]
    return [part.decode().replace("-", "_") for part in found]


def _decompressed(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix != ".ko":
        raise BuildFailed(f"{path}: cannot decompress a module of this kind")
    return data
