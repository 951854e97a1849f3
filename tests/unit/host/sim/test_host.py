"""A simulated host as the toolstack sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenvm.errors import ConfigError
from xenvm.host.sim.host import open_world
from xenvm.host.trace import Tracer


def test_something_in_front_of_the_hypervisor(sim: SimWorld) -> None:
    tracer = Tracer(sim.host.hyper)
    sim.host.intercept(tracer.hyper)
    domid = sim.create()
    assert tracer.lines()[-1] == f"unpause {domid}"


def test_a_new_connection(sim: SimWorld) -> None:
    sim.host.store.close()
    sim.host.reconnect()
    assert sim.host.store.read("/local/domain/0/name") == b"Domain-0"


def test_guests_can_be_told_to_misbehave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XENVM_SIM_GUESTS", "slow, ignore-detach")
    with open_world(str(tmp_path)) as host:
        assert host.world.behaviour.delay and host.world.behaviour.ignore_detach
    monkeypatch.setenv("XENVM_SIM_GUESTS", "polite")
    with pytest.raises(ConfigError, match="cannot be 'polite'"):
        open_world(str(tmp_path))
    monkeypatch.delenv("XENVM_SIM_GUESTS")
    open_world(str(tmp_path)).close()  # the lock was given back
