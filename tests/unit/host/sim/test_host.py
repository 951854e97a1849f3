"""A simulated host as the toolstack sees it."""

from __future__ import annotations

from tests.support.simworld import SimWorld
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
