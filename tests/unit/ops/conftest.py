from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost, fake_host


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FakeHost]:
    with fake_host(tmp_path) as world:
        yield world
