"""Lines that wait for what they announce: never lost, never behind the end of their node, never for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xenbus.announced import PATIENCE, Announced
from xenbus.recording import PERMS, REMOVE, WRITE, Event


def state(time: float, value: bytes, path: str = "/d/state", events: int = 1) -> Event:
    return Event(time, WRITE, path, value, events=events)


def other(time: float, path: str = "/d/x") -> Event:
    return Event(time, WRITE, path, b"")


def test_a_state_waits_for_the_look_that_finds_the_rest() -> None:
    lines: list[Event] = []
    announced = Announced(lines.append)
    announced.take(state(1, b"2"))
    announced.end_look(1, True)
    announced.take(other(2))
    announced.end_look(2, True)
    assert lines == [other(2), state(2, b"2")]


def test_it_waits_longer_where_a_look_was_not_at_all_that_had_come() -> None:
    lines: list[Event] = []
    announced = Announced(lines.append)
    announced.take(state(1, b"2"))
    announced.end_look(1, True)
    announced.end_look(2, False)
    assert not lines
    announced.release(3)
    assert lines == [state(3, b"2")]


def test_its_own_event_is_its_place() -> None:
    lines: list[Event] = []
    announced = Announced(lines.append)
    announced.take(state(1, b"4", "/back/state"))
    announced.end_look(1, True)
    announced.take(state(1.1, b"3", "/front/state"))
    announced.take(state(1.1, b"4", "/back/state", events=2))
    announced.release(1.2)
    assert lines == [state(1.2, b"3", "/front/state"), state(1.2, b"4", "/back/state", events=3)]


def test_a_guest_cannot_have_it_wait_for_ever() -> None:
    lines: list[Event] = []
    announced = Announced(lines.append)
    for number in range(20):
        announced.take(state(number / 10, b"4"))
        announced.end_look(number / 10, True)
    assert [event.time for event in lines] == [PATIENCE] and lines[0].events == 10


def test_it_goes_before_what_follows_it() -> None:
    for last in (Event(2, REMOVE, "/d"), Event(2, REMOVE, "/d/state"), Event(2, PERMS, "/d/state")):
        for looks in (0, 1):
            lines: list[Event] = []
            announced = Announced(lines.append)
            announced.take(state(1, b"2"))
            announced.take(state(1, b"1", "/e/state"))
            if looks:
                announced.end_look(1, True)
            announced.take(last)
            assert lines == [state(2, b"2"), last]


@given(st.lists(st.tuples(st.sampled_from(["/d/state", "/e/hotplug-status", "/d/x"]), st.booleans())))
def test_nothing_is_lost(events: list[tuple[str, bool]]) -> None:
    lines: list[Event] = []
    announced = Announced(lines.append)
    for number, (path, ends) in enumerate(events):
        announced.take(Event(float(number), WRITE, path, b"%d" % number))
        if ends:
            announced.end_look(float(number), True)
    announced.release(float(len(events)))
    for top in ("/d/state", "/e/hotplug-status", "/d/x"):
        values = [event.value for event in lines if event.path == top]
        assert values == [b"%d" % number for number, (path, _ends) in enumerate(events) if path == top]
    assert [event.time for event in lines] == sorted(event.time for event in lines)
