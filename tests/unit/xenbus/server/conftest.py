from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.rawclient import RawClient
from xenbus.client import Store
from xenbus.link import Link
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort

Guest = Callable[[int], RawClient]


class Clock:
    """Time that only the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(clock: Clock) -> Engine:
    return Engine(clock=clock)


@pytest.fixture
def dom0(engine: Engine) -> RawClient:
    return RawClient(engine)


@pytest.fixture
def guest(engine: Engine, dom0: RawClient) -> Guest:
    """An introduced domain that owns its folder."""

    def guest(domid: int) -> RawClient:
        client = RawClient(engine, domid)
        dom0.mkdir(f"/local/domain/{domid}")
        dom0.chmod(f"/local/domain/{domid}", f"n{domid}")
        return client

    return guest


@pytest.fixture
def store(engine: Engine) -> Store:
    """The library's own client, on the engine."""
    return Store(Link(EnginePort(engine.connect(0))), timeout=1)
