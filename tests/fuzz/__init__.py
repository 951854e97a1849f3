"""Hostile input for every parser: ``python -m tests.fuzz`` (``make fuzz``), and a share of it in the unit tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile


def scratch() -> str:
    """A folder that goes with the process."""
    folder = tempfile.mkdtemp(prefix="xenvm-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
