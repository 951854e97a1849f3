from __future__ import annotations

import pytest

from xenbus.bus import CLOSED, CLOSING, CONNECTED, INIT_WAIT, INITIALISED, INITIALISING, UNKNOWN
from xenbus.handshake import (
    BACKEND,
    FRONTEND,
    FRONTEND_AT_ONCE,
    FRONTEND_RESET,
    FRONTEND_SHUTDOWN,
    FRONTEND_TOLERANT,
    Table,
)

STATES = range(9)
FRONTS = [FRONTEND, FRONTEND_AT_ONCE, FRONTEND_TOLERANT]


def run(front: Table, back: Table, own: int, peer: int) -> list[tuple[int, int]]:
    """The (front, back) states that two tables go through in turns, until neither moves."""
    seen = [(own, peer)]
    while len(seen) < 32:
        before = own, peer
        if move := front.get((own, peer)):
            own = move.state
        if move := back.get((peer, own)):
            peer = move.state
        if (own, peer) == before:
            break
        seen.append((own, peer))
    return seen


@pytest.mark.parametrize("front", FRONTS)
def test_new_ends_connect(front: Table) -> None:
    assert run(front, BACKEND, INITIALISING, INITIALISING)[-1] == (CONNECTED, CONNECTED)


def test_the_usual_way_is_the_documented_one() -> None:
    assert run(FRONTEND, BACKEND, 1, 1) == [(1, 1), (1, 2), (3, 4), (4, 4)]
    assert run(FRONTEND_AT_ONCE, BACKEND, 1, 1) == [(1, 1), (1, 2), (4, 4)]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("state", [INIT_WAIT, INITIALISED, CONNECTED])
def test_the_toolstack_s_removal_closes_both(front: Table, state: int) -> None:
    assert run(front, BACKEND, state, CLOSING)[-1] == (CLOSED, CLOSED)


def test_a_guest_that_goes_down_closes_both() -> None:
    assert run(FRONTEND_SHUTDOWN, BACKEND, CONNECTED, CONNECTED) == [(4, 4), (5, 5), (6, 6)]


def test_a_kernel_that_follows_another_connects_again() -> None:
    assert run(FRONTEND_RESET, BACKEND, CONNECTED, CONNECTED) == [(4, 4), (5, 5), (6, 6), (1, 2)]
    assert run(FRONTEND_RESET, BACKEND, CLOSED, CLOSED)[-1] == (INITIALISING, INIT_WAIT)
    assert run(FRONTEND, BACKEND, INITIALISING, INIT_WAIT)[-1] == (CONNECTED, CONNECTED)


@pytest.mark.parametrize("own", [INITIALISING, INIT_WAIT, INITIALISED, CONNECTED, CLOSING])
def test_a_front_end_that_is_gone_closes_the_back_end(own: int) -> None:
    assert BACKEND[own, UNKNOWN].state == CLOSED


@pytest.mark.parametrize("front", FRONTS)
def test_every_pair_of_states_comes_to_rest(front: Table) -> None:
    for own in STATES:
        for peer in STATES:
            assert len(run(front, BACKEND, own, peer)) < 12, (own, peer)


@pytest.mark.parametrize("table", [*FRONTS, BACKEND, FRONTEND_RESET, FRONTEND_SHUTDOWN])
def test_no_move_leads_to_a_state_that_does_not_exist(table: Table) -> None:
    assert all(1 <= move.state <= 8 for move in table.values())
    assert not any(own == UNKNOWN for own, _peer in table)
