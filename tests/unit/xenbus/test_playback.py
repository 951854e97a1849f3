"""A recorded end against a driver."""

from __future__ import annotations

import pytest

from tests.support.recordings import life, without
from xenbus.devices import BACK, FRONT
from xenbus.playback import play
from xenvm.host.sim.replayed import drivers


@pytest.mark.parametrize("simulated", [False, True])
def test_both_ends_go_the_same_way(simulated: bool) -> None:
    for side, states in ((BACK, (2, 4, 6)), (FRONT, (3, 4, 6))):
        (verdict,) = play(life(), side, None, drivers(side) if simulated else None)
        assert verdict.same and verdict.played == verdict.recorded == states, verdict.sentence
    assert play(life(), BACK)[0].sentence == (
        "vbd 51712: our back end goes through the same states: 2 InitWait, 4 Connected, 6 Closed"
    )


def test_a_back_end_that_did_less_than_ours() -> None:
    (verdict,) = play(without(life(), 3, "/state"), BACK, None, drivers(BACK))
    assert not verdict.same
    assert verdict.sentence == (
        "vbd 51712: our back end goes to 4 Connected at 2.000 s, the recorded one to 6 Closed at 7.000 s"
    )


def test_a_front_end_that_says_nothing_of_its_ring() -> None:
    (verdict,) = play(without(life(), 2, "/ring-ref"), BACK, None, drivers(BACK))
    assert "the recorded one to 4 Connected at 3.000 s" in verdict.sentence
    assert "has no sensible reference to a ring" in verdict.sentence


def test_a_back_end_that_never_waits() -> None:
    (verdict,) = play(without(life(), 1, "/state"), FRONT)
    assert not verdict.same
    assert verdict.sentence == (
        "vbd 51712: our front end goes to 6 Closed at 5.000 s, the recorded one to 3 Initialised at 2.000 s"
    )


def test_a_recording_that_began_late() -> None:
    whole = life()
    early = tuple(event.replace(op="have", time=0.0) for event in whole.events if event.time < 5)
    late = whole.replace(events=(*early, *(event for event in whole.events if event.time >= 5)))
    for side in (BACK, FRONT):
        (verdict,) = play(late, side, None, drivers(side))
        assert verdict.same and verdict.played[-2:] == (4, 6), verdict.sentence


def test_one_end_alone_and_other_devices() -> None:
    one_end = life()
    one_end = one_end.replace(events=tuple(event for event in one_end.events if "backend/vbd" not in event.path))
    (verdict,) = play(one_end, FRONT)
    assert not verdict.same and verdict.sentence == "the recording has no back end of vbd 51712"
    assert play(life(), BACK, "xvdb") == []


def test_a_look_that_came_after_the_end_was_made() -> None:
    """Nobody has seen the state that the toolstack gave it."""
    whole = life()
    late = whole.replace(
        events=tuple(
            event
            for event in whole.events
            if not (event.time == 0 and "/backend/" in event.path and event.path.endswith("/state"))
        )
    )
    assert len(late.events) == len(whole.events) - 1
    for side in (BACK, FRONT):
        (verdict,) = play(late, side, None, drivers(side))
        assert verdict.same and verdict.played[-2:] == (4, 6), verdict.sentence
