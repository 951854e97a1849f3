from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakestore import FakeStore
from xenbus.client import Store, connect


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeStore]:
    with FakeStore(tmp_path) as fake:
        yield fake


@pytest.fixture
def store(fake: FakeStore) -> Iterator[Store]:
    with connect(fake.path, timeout=10) as store:
        yield store
