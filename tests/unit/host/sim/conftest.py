"""A simulated host for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peerworld import PeerWorld
from tests.support.simworld import SimWorld


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[SimWorld]:
    """A world in memory."""
    sim = SimWorld(tmp_path)
    yield sim
    sim.host.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PeerWorld]:
    """A world in memory whose guests are looked at from within."""
    live = PeerWorld(tmp_path)
    yield live
    live.world.close()
