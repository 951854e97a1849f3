"""What the README has a newcomer type on a machine without Xen does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


def first_try() -> list[str]:
    """The lines of the README that are a first try."""
    found = re.search(r"((?:^    xenvm .*\n)+)\nThe first line writes", (TOP / "README.md").read_text(), re.MULTILINE)
    assert found
    return [line.strip() for line in found[1].splitlines()]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A newcomer's: the command in the path, a home folder, and nothing said of a host."""
    for name in ("bin", "home", "checkout"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkout/examples").symlink_to(TOP / "examples")
    command = tmp_path / "bin/xenvm"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m xenvm "$@"\n')
    command.chmod(0o755)
    return {"PATH": f"{tmp_path}/bin:{os.defpath}", "HOME": str(tmp_path / "home"), "PYTHONPATH": str(TOP)}


@pytest.mark.skipif(os.path.exists("/proc/xen"), reason="this is a Xen host")
def test_the_first_try(environment: dict[str, str], tmp_path: Path) -> None:
    def typed(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line], env=environment, cwd=tmp_path / "checkout", capture_output=True, text=True, check=True
        )

    lines = first_try()
    assert len(lines) == 2
    created = [typed(line) for line in lines][-1]
    assert "this machine has no Xen: the host is simulated" in created.stderr
    assert re.search(r"^first +1 +64 +2 ", typed("xenvm list").stdout, re.MULTILINE)
    assert "blkfront: 51712" in typed("xenvm console first </dev/null").stdout
    assert typed("xenvm explain first").stdout.count("both ends are connected") == 2
    assert sorted(os.listdir(tmp_path / "checkout")) == ["Image", "examples"]
