"""Events of domains, as the store tells of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenvm.ops.events import DomainEvent, State, between, follow


def test_a_guest_that_crashes_while_somebody_looks_on(tmp_path: Path) -> None:
    world = SimWorld(tmp_path)
    domid = world.create(name="g", extra="xenvm.behaviour=crash", paused=True)
    events = follow(world.host)
    world.host.hyper.unpause(domid)
    assert next(events) == DomainEvent(domid, "g", "shutdown: crash")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({}, {1: ("g", "")}, [DomainEvent(1, "g", "started")]),
        ({1: ("g", "")}, {}, [DomainEvent(1, "g", "gone")]),
        ({1: ("g", "")}, {2: ("g", "")}, [DomainEvent(1, "g", "gone"), DomainEvent(2, "g", "started")]),
        ({1: ("g", "")}, {1: ("g", "shutdown: reboot")}, [DomainEvent(1, "g", "shutdown: reboot")]),
        ({}, {1: ("g", "shutdown: 9")}, [DomainEvent(1, "g", "started"), DomainEvent(1, "g", "shutdown: 9")]),
        ({1: ("g", "shutdown: crash")}, {1: ("h", "shutdown: crash")}, []),
    ],
)
def test_what_lies_between_two_looks(before: State, now: State, expected: list[DomainEvent]) -> None:
    assert list(between(before, now)) == expected
