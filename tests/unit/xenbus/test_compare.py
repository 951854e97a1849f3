"""Two recordings side by side: what counts as different, and what does not."""

from __future__ import annotations

import pytest

from tests.support.recordings import life, without
from xenbus.compare import Seen, differences, normalised, part
from xenbus.recording import Event
from xenbus.steps import place_of


def sentences(*arguments: object) -> list[str]:
    return [each.sentence for each in differences(*arguments)]  # type: ignore[arg-type]


def test_numbers_of_a_run_make_no_difference() -> None:
    assert sentences(life(), life(guest=77, ref=900)) == []
    assert sentences(life(), life(devid=51728)) == []


def test_the_first_difference_comes_first() -> None:
    bad = without(without(life(), 3, "/state"), 4, "/state")
    assert sentences(life(), bad)[0] == (
        "vbd 51712: the back end goes to 4 Connected at 3.000 s in the first recording,"
        " and goes to 5 Closing at 5.000 s in the second"
    )
    assert sentences(bad, life())[0].startswith("vbd 51712: the back end goes to 5 Closing at 5.000 s in the first")


def test_an_end_that_comes_no_further() -> None:
    good, bad = life(), life()
    bad = bad.replace(events=tuple(event for event in bad.events if event.time < 2))
    assert sentences(good, bad)[0] == (
        "vbd 51712: the front end goes to 3 Initialised at 2.000 s in the first recording and never in the second"
    )


def test_values_and_missing_nodes() -> None:
    more = life(5, 8, (3, "B/feature-persistent", "1"))
    assert sentences(life(), more) == [
        'vbd 51712: the back end\'s feature-persistent is "1" in the second recording and missing in the first'
    ]
    evil = life(5, 8, (3, "F/protocol", "\x1b[2J" + "x" * 100))
    (sentence,) = sentences(life(5, 8, (3, "F/protocol", "arm-abi")), evil)
    assert "\\x1b[2J" in sentence and len(sentence) < 200


def test_a_device_that_one_has_alone() -> None:
    one = life()
    both = one.replace(events=(*one.events[:-1], Event(9, "write", "/local/domain/5/device/vif/0/state", b"1")))
    assert sentences(one, both) == ["vif 0 is in the second recording alone"]
    assert sentences(one, both, "xvda") == []


S = [Seen(float(state), state) for state in range(7)]


@pytest.mark.parametrize(
    "first, second, parted",
    [
        ([], [], None),
        ([S[1], S[4]], [S[1], S[4]], None),
        ([S[1], S[2], S[4]], [S[1], S[4]], (2, 4)),
        ([S[1], S[2], S[4]], [S[1], Seen(4, 4, 1)], None),
        ([S[1], Seen(4, 4, 1)], [S[1], S[2], S[4]], None),
        ([S[1], S[2], S[3], S[4]], [S[1], Seen(4, 4, 1)], (3, 4)),
        ([S[1]], [S[1], S[2]], (None, 2)),
        ([S[4], S[5], S[6]], [S[4], S[6]], (5, 6)),
    ],
)
def test_where_ways_part(first: list[Seen], second: list[Seen], parted: tuple[int | None, int | None] | None) -> None:
    found = part(first, second)
    assert (None if found is None else tuple(each and each.state for each in found)) == parted


def test_closing_may_be_passed_over() -> None:
    assert part([S[4], S[5], S[6]], [S[4], S[6]], closing=True) is None
    assert part([S[4], S[5]], [S[4]], closing=True) is not None


@pytest.mark.parametrize(
    "name, value, normal",
    [
        ("tx-ring-ref", "768", "<grant>"),
        ("event-channel", "9", "<event channel>"),
        ("mac", "00:16:3e:00:00:01", "<mac>"),
        ("vifname", "vif5.0", "<vif>"),
        ("backend", "/local/domain/0/backend/vif/5/0", "<the back end>"),
        ("node", "/dev/loop12", "<loop device>"),
        ("uuid", "x-0b3c2a1e-0000-4000-8000-0123456789ab", "x-<uuid>"),
        ("handle", "0", "<its number>"),
        ("trusted", "0", "0"),
    ],
)
def test_values_as_any_run_could_have_them(name: str, value: str, normal: str) -> None:
    path = f"/local/domain/5/device/vif/0/{name}"
    place = place_of(path)
    assert place and normalised(place, path, value.encode()) == normal
