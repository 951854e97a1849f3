"""The examples of docs/testing.md run as their readers would run them, and what the page says is so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import xenvm.testing as plugin
from xenvm.testing import commands, guest, host, store

TOP = Path(__file__).resolve().parents[3]


def test_the_examples_pass(tmp_path: Path) -> None:
    """They need nothing but what is in their folder."""
    copy = tmp_path / "examples"
    shutil.copytree(TOP / "examples/testing", copy, ignore=shutil.ignore_patterns("__pycache__"))
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*argv, "--strict-markers", "-W", "error", str(copy)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "17 passed" in done.stdout, done.stdout


def test_it_may_be_named_in_a_conftest_too(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["xenvm.testing"]\n')
    (tmp_path / "test_it.py").write_text("def test_it(xenvm):\n    xenvm('list').check()\n")
    for words in ([], ["-p", "no:xenvm.testing"]):
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, str(tmp_path)]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
        assert ("1 passed" in done.stdout) is not words, done.stdout + done.stderr


def test_the_plugin_costs_other_projects_nothing() -> None:
    code = "import sys, xenvm.testing; print(sorted(n for n in sys.modules if n.startswith(('xenvm.', 'xenbus'))))"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout == "['xenvm.testing']\n"


def test_all_of_it_is_documented() -> None:
    text = (TOP / "docs/testing.md").read_text()
    for name in ("xen_host", "xen_hosts", "xenvm", "xenstore"):
        assert hasattr(plugin, name) and f"`{name}" in text
    for kind in (host.XenHost, guest.Guest, commands.Commands, commands.Done, store.StoreServer):
        names = [name for name in vars(kind) if not name.startswith("_")]
        missing = [name for name in names if not re.search(rf"`[^`]*\b{name}\b[^`]*`", text)]
        assert missing == [], kind
