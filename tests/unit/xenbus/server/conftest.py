from __future__ import annotations

from collections.abc import Callable

import pytest

from xenbus.client import Store
from xenbus.link import Link
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort

Connect = Callable[[int], Store]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def connect(engine: Engine) -> Connect:
    """A client in a domain, introduced if it is not domain 0."""

    def connect(domid: int = 0) -> Store:
        if domid and not engine.domains.introduced(domid):
            engine.introduce(domid, 0x39001, 1)
        return Store(Link(EnginePort(engine.connect(domid))), timeout=1)

    return connect


@pytest.fixture
def store(connect: Connect) -> Store:
    return connect(0)
