"""The worlds to test. The real daemon is the judge; where it cannot run, a test says so, and fails where CI is set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.worlds import OurWorld, RealWorld, World
from tests.support import realstore

KINDS = ("real", "ours")


def require_real() -> None:
    """Skips where the daemon cannot run, but never in CI."""
    if reason := realstore.missing():
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_real()
    return realstore.compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def make_world(request: pytest.FixtureRequest) -> Iterator[Callable[[str], World]]:
    """Makes worlds by kind, and closes them."""
    made: list[World] = []

    def make(kind: str) -> World:
        made.append(RealWorld(request.getfixturevalue("shim")) if kind == "real" else OurWorld())
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, make_world: Callable[[str], World]) -> World:
    """Each kind of store in turn."""
    return make_world(request.param)
