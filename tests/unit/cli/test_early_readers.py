"""A reader that leaves early changes no exit code that is an answer, and brings no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.guestconfig import config_text
from tests.support.simworld import arm64_image

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "Image").write_bytes(arm64_image())
    (tmp_path / "disk.img").write_bytes(bytes(1 << 16))
    (tmp_path / "g.cfg").write_text(config_text(f"{tmp_path}/Image", None, f"{tmp_path}/disk.img", {}))
    (tmp_path / "bad.cfg").write_text("".join(f"setting{n} = \n" for n in range(3000)))
    return f"{tmp_path}/g.cfg"


def unread(folder: str, *words: str, errors: bool = False) -> tuple[int, bytes]:
    """Exit code and standard error of a command whose output nobody reads; with `errors`, nor what it complains of."""
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", "xenvm", "--host", f"sim:{folder}/world", *words]
    try:
        stderr = write if errors else subprocess.PIPE
        environment = {**os.environ, "PYTHONPATH": str(TOP)}
        done = subprocess.run(argv, stdout=write, stderr=stderr, env=environment)
    finally:
        os.close(write)
    return done.returncode, done.stderr


@pytest.mark.parametrize("errors", [False, True], ids=["output", "errors too"])
def test_plans(config: str, tmp_path: Path, errors: bool) -> None:
    folder = str(tmp_path)
    assert unread(folder, "plan", config, errors=errors) == (0, None if errors else b"")
    assert unread(folder, "create", config, errors=errors)[0] == 0
    for words in (("plan",), ("plan", "--json"), ("create", "-n", "-q"), ("plan", "--only", "dts")):
        code, said = unread(folder, *words, config, errors=errors)
        assert code == 10 and (errors or said == b"xenvm: a domain named 'g' exists already: domid 1\n")
    for words in (("plan",), ("plan", "--json"), ("check",), ("check", "--json")):
        code, said = unread(folder, *words, f"{folder}/bad.cfg", errors=errors)
        assert code == 6 and (errors or (b"Traceback" not in said and b"ignored" not in said))


def test_what_is_created_is_created(config: str, tmp_path: Path) -> None:
    """Nobody who reads is needed for that."""
    assert unread(str(tmp_path), "create", config, errors=True) == (0, None)
    assert unread(str(tmp_path), "domid", "g", errors=True)[0] == 0
    assert unread(str(tmp_path), "domid", "nobody", errors=True)[0] == 3


@pytest.mark.parametrize("closed", [0, 1, 2], ids=["input", "output", "errors"])
def test_streams_that_are_not_there(tmp_path: Path, closed: int) -> None:
    argv = [sys.executable, "-m", "xenvm", "--host", f"sim:{tmp_path}/world", "store", "read", "/local/domain/0/name"]
    child = f"import os; os.close({closed}); os.execv({argv[0]!r}, {argv!r})"
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "" if closed == 1 else "Domain-0\n", "")
