from __future__ import annotations

from itertools import product

import pytest

from xenbus import bus

STATES = range(9)


def close(frontend: int, backend: int) -> tuple[int, int]:
    """Lets both ends move, one at a time, until neither wants to."""
    for _step in range(10):
        if next_ := bus.FRONTEND_CLOSE.get((frontend, backend)):
            frontend = next_
        elif next_ := bus.BACKEND_CLOSE.get((backend, frontend)):
            backend = next_
        else:
            return frontend, backend
    raise AssertionError("the ends never come to rest")


@pytest.mark.parametrize("frontend", [s for s in STATES if s not in (bus.UNKNOWN, bus.CLOSED)])
def test_the_toolstack_removes_a_device(frontend: int) -> None:
    assert close(frontend, bus.CLOSING) == (bus.CLOSED, bus.CLOSED)


@pytest.mark.parametrize("backend", [s for s in STATES if s not in (bus.UNKNOWN, bus.CLOSED)])
def test_the_guest_closes_a_device(backend: int) -> None:
    assert close(bus.CLOSING, backend) == (bus.CLOSED, bus.CLOSED)


@pytest.mark.parametrize("backend", [s for s in STATES if s not in (bus.UNKNOWN, bus.CLOSED)])
def test_a_frontend_that_is_gone_closes_the_backend(backend: int) -> None:
    assert close(bus.UNKNOWN, backend) == (bus.UNKNOWN, bus.CLOSED)


def test_a_new_frontend_waits_for_a_closed_backend_to_come_back() -> None:
    assert (bus.INITIALISING, bus.CLOSED) not in bus.FRONTEND_CLOSE


def test_no_end_ever_moves_back() -> None:
    rank = {bus.CLOSING: 10, bus.CLOSED: 11}
    for table, (own, peer) in product((bus.FRONTEND_CLOSE, bus.BACKEND_CLOSE), product(STATES, STATES)):
        if (own, peer) in table:
            assert rank[table[own, peer]] > rank.get(own, 0)


def test_predicates() -> None:
    def those(predicate: object) -> str:
        return "".join(str(s) for s in STATES if predicate(b"%d" % s))  # type: ignore[operator]

    assert those(bus.is_ready) == "23478"
    assert those(bus.is_closing) == "056"
    assert those(bus.is_closed) == "06"
    assert bus.is_closed(None) and bus.is_closed(b"junk") and not bus.is_ready(None)


def test_names() -> None:
    assert bus.state_name(4) == "4 Connected"
    assert bus.state_name(0) == "0 Unknown"
    assert bus.state_name(8) == "8 Reconfigured"
    assert bus.state_name(9) == "9 unheard of"
