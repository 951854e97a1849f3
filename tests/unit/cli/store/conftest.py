from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakestore import FakeStore
from xenbus.perm import Perm

FRONT = "/local/domain/5/device/vbd/51712"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStore]:
    """The host's store: a guest with a disk."""
    with FakeStore(tmp_path) as fake:
        monkeypatch.setenv("XENSTORED_PATH", fake.path)
        monkeypatch.setenv("XENVM_HOST", "xen")
        fake.put("/local/domain/5/name", "guest")
        fake.put(f"{FRONT}/state", "4")
        fake.put(f"{FRONT}/ring-ref", "8")
        fake.put("/local/domain/5/odd", b"a\0b\n\xff")
        fake.tree["/local/domain/5/name"] = b"guest", (Perm(0), Perm(5, read=True))
        yield fake
