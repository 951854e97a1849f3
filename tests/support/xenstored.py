"""Debian's own xenstored and xenstore-* tools, where ``python -m bench.store_client`` has unpacked them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import store_client as bench

ROOT = bench.CACHE / "root"


def missing() -> str:
    """Why there is no daemon to compare with; nothing if there is one."""
    for name in ("usr/lib/xen-4.17/bin/xenstored", "usr/bin/xenstore-ls"):
        if not (ROOT / name).exists():
            return f"no {name}: python -m bench.store_client fetches it"
    return "" if shutil.which("gcc") else "no gcc"


class Daemon:
    """A running daemon's socket, and its tools."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._environment = {**os.environ, "XENSTORED_PATH": path, "LD_LIBRARY_PATH": bench.library_path(ROOT)}

    def tool(self, name: str, *words: str) -> tuple[int, bytes]:
        """Exit code and output of ``xenstore-NAME``."""
        argv = [ROOT / "usr/bin" / f"xenstore-{name}", *words]
        done = subprocess.run(
            argv, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30
        )
        return done.returncode, done.stdout


@contextmanager
def running() -> Iterator[Daemon]:
    """A daemon with an empty store."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shim, _client = bench.build(ROOT, folder)
        with bench.xenstored(ROOT, shim, folder) as path:
            yield Daemon(path)
