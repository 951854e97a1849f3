"""It never pretends: every command says, in one line, that a host which nobody asked for is simulated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.simworld import arm64_image

TOP = Path(__file__).resolve().parents[4]
NOTICE = "xenvm: this machine has no Xen: the host is simulated, and no guest really runs\n"


@pytest.mark.skipif(os.path.exists("/proc/xen"), reason="this is a Xen host")
def test_each_command_says_it_once(tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(arm64_image())
    (tmp_path / "g.cfg").write_text(f"name = 'g'\nkernel = '{tmp_path}/Image'\nmemory = 64\n")
    environment = {name: value for name, value in os.environ.items() if name != "XENVM_HOST"}
    environment["XDG_STATE_HOME"] = str(tmp_path / "state")

    def told(*words: str) -> str:
        argv = [sys.executable, "-m", "xenvm", *words]
        done = subprocess.run(argv, cwd=TOP, env=environment, input="", capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stderr

    commands = (
        *(("create", "-q", f"{tmp_path}/g.cfg"), ("list",), ("console", "g"), ("store", "ls", "/"), ("info",)),
        *(("pause", "g"), ("vcpu-list",), ("block-list", "g"), ("mem-set", "g", "64"), ("destroy", "g")),
    )
    assert {words: told(*words) for words in commands} == dict.fromkeys(commands, NOTICE)


def test_its_version_says_it_too() -> None:
    from xenvm.host.sim.machine import DEFAULT

    assert DEFAULT.version.extra.endswith("-simulated")
