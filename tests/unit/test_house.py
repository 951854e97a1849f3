"""The house rules, as tests: formatting, lint, types, import directions, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PROJECT_FILES = [path for package in ("xenvm", "xenbus") for path in sorted((TOP / package).rglob("*.py"))]


def tool(*argv: str) -> None:
    binary = Path(sys.executable).parent / argv[0]
    result = subprocess.run([binary, *argv[1:]], cwd=TOP, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_lint() -> None:
    tool("ruff", "check", ".")


def test_format() -> None:
    tool("ruff", "format", "--check", ".")


def test_types() -> None:
    tool("mypy")


def test_imports_point_down() -> None:
    tool("lint-imports")


ALONE = """
import os, sys, warnings
import click, ctypes, fdt, json, pytest, pyxs, textual.app
warnings.simplefilter("error")
failed = 0
for name in sys.argv[1:]:
    pid = os.fork()
    if not pid:
        __import__(name)
        os._exit(0)
    failed |= os.waitpid(pid, 0)[1]
sys.exit(bool(failed))
"""
"""Imports each module in a process of its own; what others own is there already, as that takes the most time."""


def test_every_module_can_be_the_first_one() -> None:
    """No module needs that another was imported before it, and none warns."""
    names = (".".join(path.relative_to(TOP).with_suffix("").parts) for path in PROJECT_FILES)
    modules = [name.removesuffix(".__init__") for name in names if not name.endswith(".__main__")]
    result = subprocess.run([sys.executable, "-c", ALONE, *modules], cwd=TOP, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


ROOMS = {
    "pyxs": ("xenbus/client.py",),
    "fdt": ("xenvm/guest/dtb.py",),
    "click": ("xenvm/cli/",),
    "ctypes": ("xenvm/host/xen/",),
    "libvirt": ("xenvm/interop/",),
    "textual": ("xenvm/cli/top_app.py", "xenvm/cli/top_dialogs.py"),
    "rich": ("xenvm/cli/top_app.py", "xenvm/cli/top_dialogs.py"),
}
"""Foreign libraries, and the only places that may import them."""


@pytest.mark.parametrize("library", ROOMS)
def test_foreign_libraries_have_their_rooms(library: str) -> None:
    for path in PROJECT_FILES:
        name = str(path.relative_to(TOP))
        if not name.startswith(ROOMS[library]):
            assert library not in imported(path), f"{name} imports {library}"


def imported(path: Path) -> set[str]:
    """Top-level names of all that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "__import__":
            found |= {str(word.value).partition(".")[0] for word in node.args if isinstance(word, ast.Constant)}
    return found


@pytest.mark.parametrize("path", PROJECT_FILES, ids=lambda path: str(path.relative_to(TOP)))
def test_sizes_and_docstrings(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module opens with its duty"
    assert text.count("\n") <= 400, "a file past 400 lines asks for a better cut"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= 45, f"{node.name} has {lines} lines: it asks for a better cut"


def test_commands_open_the_host_that_was_asked_for() -> None:
    """By xenvm.cli.run, which knows --host and tells of a simulated host; or with what that knows, and quietly."""
    for path in sorted((TOP / "xenvm/cli").rglob("*.py")):
        text = path.read_text()
        if re.search(r"from xenvm\.host\.open import .*\bopen_host\b", text):
            assert "chosen_host" in text, path
