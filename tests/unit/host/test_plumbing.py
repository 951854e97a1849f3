"""The parts of a real host's plumbing are found by name, each where it is used first."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from xenvm.host import plumbing


def promised() -> set[str]:
    """The parts that the protocol names, for type checkers only."""
    assert plumbing.__file__ is not None
    tree = ast.parse(Path(plumbing.__file__).read_text())
    [protocol] = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "Plumbing"]
    return {node.name for node in protocol.body if isinstance(node, ast.FunctionDef)}


def test_every_part_is_there() -> None:
    """In an interpreter of its own: a part that somebody has imported before would be found anyhow."""
    program = "import sys; from xenvm.host import plumbing; [getattr(plumbing, name) for name in sys.argv[1:]]"
    subprocess.run([sys.executable, "-c", program, *sorted(promised())], check=True)
