"""Finds the program's own modules at one look: Python's own finder takes more than half of what a module costs.

In an emulated dom0 that is a quarter of a second for a command.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from marshal import loads
from posix import O_CLOEXEC, O_RDONLY, close, open, read, stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

_HEAD = MAGIC_NUMBER + bytes(4)
"""How byte code begins that is checked by its source's time and size (PEP 3147, PEP 552)."""
_LIMIT = 1 << 16


class Finder:
    """Finds the modules of some packages. The rules are Python's: byte code counts if it is of this Python, and of a
    source of this time and size. Whatever is unusual is left to Python's own finders and loaders.
    """

    def __init__(self, *packages: str) -> None:
        self._packages = packages

    def find_spec(self, name: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """The module `name`, if it is in the first folder of its package's path."""
        package, _, tail = name.rpartition(".")
        if not path or package.partition(".")[0] not in self._packages:
            return None
        stem = f"{path[0]}/{tail}"
        return _spec(name, f"{stem}.py", None) or _spec(name, f"{stem}/__init__.py", stem)


def install(*packages: str) -> None:
    """Has the modules of these packages found by a `Finder` from now on."""
    if not sys.flags.optimize and not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder(*packages))


def _spec(name: str, source: str, folder: str | None) -> ModuleSpec | None:
    try:
        status = stat(source)
    except OSError:
        return None
    loader = _Loader(name, source)
    loader.expected = _HEAD + _word(int(status.st_mtime)) + _word(status.st_size)
    spec = ModuleSpec(name, loader, origin=source, is_package=folder is not None)
    if folder is not None and spec.submodule_search_locations is not None:
        spec.submodule_search_locations.append(folder)
    return spec


def _word(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


class _Loader(SourceFileLoader):
    """Takes byte code that begins as `expected`; otherwise does what Python does, and that writes new byte code."""

    expected = b""

    def get_code(self, fullname: str) -> CodeType | None:
        code = self._cached()
        return super().get_code(fullname) if code is None else code

    def exec_module(self, module: Any) -> None:
        module.__file__ = self.path
        super().exec_module(module)

    def _cached(self) -> CodeType | None:
        folder, _, file = self.path.rpartition("/")
        cache = f"{sys.pycache_prefix}{folder}" if sys.pycache_prefix else f"{folder}/__pycache__"
        try:
            fd = open(f"{cache}/{file[:-3]}.{sys.implementation.cache_tag}.pyc", O_RDONLY | O_CLOEXEC)
        except OSError:
            return None
        try:
            data = read(fd, _LIMIT)
        finally:
            close(fd)
        if data[:16] != self.expected or len(data) == _LIMIT:
            return None
        code: CodeType = loads(memoryview(data)[16:])
        return code
