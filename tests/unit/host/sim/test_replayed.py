"""Real handshakes, recorded on Xen 4.17 with Linux at both ends, and the simulated drivers that answer them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recordings import life
from xenbus.compare import differences
from xenbus.devices import BACK, FRONT, TOOLSTACK
from xenbus.playback import play
from xenbus.recording import Event, Recording, load
from xenbus.steps import place_of, steps
from xenvm.host.sim.replayed import drivers

GOLDEN = Path(__file__).resolve().parents[3] / "golden/recordings"
NAMES = ("xl-4.17", "xenvm-4.17")


def recorded(name: str) -> Recording:
    with open(GOLDEN / f"{name}.jsonl") as file:
        return load(file, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [FRONT, BACK])
def test_a_real_handshake_is_answered_by_simulated_drivers(name: str, side: str) -> None:
    disk, vif = play(recorded(name), side, None, drivers(side))
    assert disk.same and vif.same, (disk.sentence, vif.sentence)
    assert (disk.played, vif.played) == (((3, 4, 6), (4, 6)) if side == FRONT else ((2, 4, 6), (2, 4, 6)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [FRONT, BACK])
def test_and_by_the_bare_handshake(name: str, side: str) -> None:
    assert all(verdict.same for verdict in play(recorded(name), side))


def test_guests_of_xl_and_xenvm_go_the_same_way() -> None:
    assert differences(*map(recorded, NAMES)) == []


def test_a_real_recording_with_a_fault() -> None:
    """A bad board: the back end finds no sensible reference to the disk's ring."""
    good = recorded("xl-4.17")
    bad = good.replace(
        events=tuple(
            event.replace(value=b"none") if event.path.endswith("/51712/ring-ref") else event for event in good.events
        )
    )
    (disk,) = play(bad, BACK, "xvda", drivers(BACK))
    assert not disk.same and "has no sensible reference to a ring" in disk.sentence
    assert differences(good, bad)[0].sentence == (
        'vbd 51712: the front end\'s ring-ref is "<grant>" in the first recording and "none" in the second'
    )


def test_the_toolstack_asks_for_the_removal() -> None:
    closing = [[step.who for step in steps(recorded(name)) if step.state == 5] for name in NAMES]
    # Of the disk; of the vif; netback's own, which was over before the look in one of them.
    assert sorted(closing, key=len) == [[TOOLSTACK, TOOLSTACK], [TOOLSTACK, TOOLSTACK, BACK]]


@pytest.mark.parametrize("prefix", ["queue-0/", ""])
def test_queues_that_the_recorded_back_end_has_offered(prefix: str) -> None:
    """Of a back end that offered more than the simulated one."""

    def moved(event: Event) -> Event:
        place = place_of(event.path)
        if place is None or place.name not in ("ring-ref", "event-channel"):
            return event
        return event.replace(path=f"{place.top}/{prefix}{place.name}" + ("0" if place.name == "ring-ref" else ""))

    whole = life()
    (disk,) = play(whole.replace(events=tuple(map(moved, whole.events))), BACK, None, drivers(BACK))
    assert disk.same, disk.sentence


def test_a_kind_that_is_not_simulated() -> None:
    whole = life()
    events = tuple(event.replace(path=event.path.replace("vbd", "9pfs")) for event in whole.events)
    renamed = tuple(
        event.replace(value=event.value.replace(b"vbd", b"9pfs")) if event.value else event for event in events
    )
    for side in (FRONT, BACK):
        (share,) = play(whole.replace(events=renamed), side, None, drivers(side))
        assert share.same and share.device == "9pfs 51712", share.sentence
