"""Debian's own xenstore-* tools on Debian's own xenstored."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.realstore import ROOT, RealStore, library_path


class Daemon:
    """A running daemon's socket, and its tools."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._environment = {**os.environ, "XENSTORED_PATH": path, "LD_LIBRARY_PATH": library_path()}

    def tool(self, name: str, *words: str) -> tuple[int, bytes]:
        """Exit code and output of ``xenstore-NAME``."""
        argv = [ROOT / "usr/bin" / f"xenstore-{name}", *words]
        done = subprocess.run(
            argv, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30
        )
        return done.returncode, done.stdout


@contextmanager
def running() -> Iterator[Daemon]:
    """A daemon with an empty store, and the domains 1 to 29."""
    with tempfile.TemporaryDirectory() as name, RealStore(Path(name)) as store:
        for domid in range(1, 30):
            store.create(domid)
        yield Daemon(store.socket)
