"""What dom0's Python imports: the working tree, and copies of the pure-Python dependencies installed here."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

#: Importable names, as pyproject.toml asks for them.
DEPENDENCIES = ("click", "fdt", "pyxs")
# What another Python on another processor cannot use, or nobody imports.
_IGNORED = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "tests", "test")


def copy(target: Path, names: Iterable[str] = DEPENDENCIES) -> list[str]:
    """Copy the packages into the new folder `target`; the names that are not installed here are returned."""
    target.mkdir()
    missing = []
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            missing.append(name)
        elif spec.submodule_search_locations:
            shutil.copytree(next(iter(spec.submodule_search_locations)), target / name, ignore=_IGNORED)
        else:
            shutil.copy(spec.origin, target)
    return missing


def project_root() -> Path:
    """The working tree that this very package lies in."""
    return Path(__file__).resolve().parents[2]


def stamp(root: Path | None = None) -> str:
    """Another text whenever a file of the working tree was changed, made or removed."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(root or project_root()):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "__pycache__")
        for name in sorted(files):
            try:
                state = os.stat(os.path.join(folder, name), follow_symlinks=False)
            except OSError:  # an editor's file, gone already
                continue
            digest.update(f"{folder}/{name} {state.st_mtime_ns} {state.st_size}\n".encode())
    return digest.hexdigest()[:16]
