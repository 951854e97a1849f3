"""A simulated host for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simworld import SimWorld


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[SimWorld]:
    """A world in memory."""
    sim = SimWorld(tmp_path)
    yield sim
    sim.host.close()
