"""The contract's tests on the real Xen: what the simulated one is held to."""

from __future__ import annotations

import tarfile
from pathlib import Path

from tests.lab.dom0 import Dom0
from xenvm.lab import deps

PYTEST = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")
"""All of it is Python, and runs in dom0 from a copy."""
QUICKLY = ("-p", "no:cacheprovider", "-p", "no:unittest", "-p", "no:doctest", "-p", "no:junitxml", "--assert=plain")


def test_the_contract(clean: Dom0, tmp_path: Path) -> None:
    """In one run, as pytest takes long to start in an emulated dom0."""
    assert not deps.copy(tmp_path / "site", PYTEST)
    with tarfile.open(tmp_path / "site.tar", "w") as tar:
        tar.add(tmp_path / "site", ".")
    clean.lab.put(tmp_path / "site.tar", "/tmp/site.tar")
    clean.ok("mkdir /tmp/site && tar -xf /tmp/site.tar -C /tmp/site")
    try:
        words = [
            "python3",
            "-m",
            "pytest",
            "-q",
            "--tb=line",
            "-c",
            "/dev/null",
            "--rootdir=.",
            *QUICKLY,
            "tests/contract",
        ]
        shell = 'cd /mnt/xenvm && XENVM_CONTRACT=xen PYTHONPATH=/tmp/site:$PYTHONPATH PYTHONDONTWRITEBYTECODE=1 "$@"'
        result = clean.run(["bash", "-c", shell, "contract", *words], timeout=900)
    finally:
        clean.run("rm -rf /tmp/site /tmp/site.tar")
    assert result.rc == 0 and " passed" in result.stdout, result.stdout[-8000:] + result.stderr[-2000:]
