"""Programs of others that tests compare with: Debian's packages, unpacked in the user's cache, not installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xenvm"


def unpack(packages: Sequence[str], folder: Path) -> None:
    """Downloads these packages of this machine's suite to folder/debs, and unpacks them in folder/root."""
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "-q", "download", *packages]
    if subprocess.run(download, cwd=debs).returncode:
        # A fresh machine may have no lists of packages yet.
        subprocess.run(["apt-get", "-q", "update"], check=True)
        subprocess.run(download, cwd=debs, check=True)
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, folder / "root"], check=True)
