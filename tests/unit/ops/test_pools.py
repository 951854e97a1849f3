from __future__ import annotations

import pytest

from tests.support.fakehost import FakeHost
from xenvm.errors import ConfigError
from xenvm.guest.load import load_text
from xenvm.ops.pools import pool_number


def test_by_name_and_by_number(world: FakeHost) -> None:
    world.store.put("/local/pool/0/name", "Pool-0")
    for pool in ('"Pool-0"', '"0"'):
        spec, _ = load_text(world.config() + f"pool={pool}\n")
        assert pool_number(world.host, spec) == 0
    spec, _ = load_text(world.config())
    assert pool_number(world.host, spec) == 0


def test_a_pool_that_is_not_there(world: FakeHost) -> None:
    world.store.put("/local/pool/0/name", "Pool-0")
    spec, _ = load_text(world.config() + 'pool="little"\n', "g.cfg")
    with pytest.raises(ConfigError, match=r"g.cfg:\d+:\d+: there is no cpupool 'little' on this host, only Pool-0"):
        pool_number(world.host, spec)
