"""Who wrote what, as far as watches let one tell."""

from __future__ import annotations

import pytest

from xenbus.devices import BACK, FRONT, TOOLSTACK
from xenbus.recording import SERVER, WATCHES, Event, Header, Recording
from xenbus.steps import RECORD, fits, place_of, steps

F, B = "/local/domain/5/device/vbd/51712", "/local/domain/0/backend/vbd/5/51712"


def of(
    *events: tuple[str, str, str | None], source: str = WATCHES, by: int | None = None
) -> list[tuple[str, int | None]]:
    """(who, state) of events of (op, path, value), each at its own time."""
    made = tuple(
        Event(float(at), op, path, None if value is None else value.encode(), by=by)
        for at, (op, path, value) in enumerate(events)
    )
    return [(step.who, step.state) for step in steps(Recording(Header(source, 0.0), made))]


def test_places() -> None:
    place = place_of(f"{B}/queue-0/ring-ref")
    assert place and (place.kind, place.devid, place.guest, place.side) == ("vbd", "51712", 5, BACK)
    assert (place.top, place.name, place.device) == (B, "queue-0/ring-ref", "vbd 51712")
    qdisk = place_of("/local/domain/1/backend/qdisk/5/51712")
    record = place_of("/libxl/5/device/vbd/51712/params")
    assert qdisk and (qdisk.kind, qdisk.name) == ("vbd", "")
    assert record and record.side == RECORD
    for path in (
        "/",
        "/local/domain/5/device/vbd",
        "/local/domain/x/device/vbd/1",
        "/local/domain/5/device/vbd/x/state",
        "/local/domain/x/backend/vbd/5/51712/state",
    ):
        assert place_of(path) is None


def test_devices_by_name() -> None:
    place = place_of(f"{F}/state")
    assert all(fits(place, name) for name in ("xvda", "51712", "vbd:51712"))
    assert not any(fits(place, name) for name in ("xvdb", "vif:51712", "")) and not fits(None, "xvda")


def test_states() -> None:
    assert of(
        ("write", f"{B}/frontend", F),
        ("write", f"{F}/state", "1"),
        ("write", f"{B}/state", "1"),
        ("write", f"{B}/state", "2"),
        ("write", f"{F}/state", "3"),
        ("write", f"{B}/state", "4"),
        ("write", f"{F}/state", "4"),
        ("write", f"{B}/online", "0"),
        ("write", f"{B}/state", "5"),
        ("write", f"{F}/state", "6"),
        ("write", f"{B}/state", "5"),
        ("rm", F, None),
    ) == [
        (TOOLSTACK, None),
        (TOOLSTACK, 1),
        (TOOLSTACK, 1),
        (BACK, 2),
        (FRONT, 3),
        (BACK, 4),
        (FRONT, 4),
        (TOOLSTACK, None),
        (TOOLSTACK, 5),
        (FRONT, 6),
        (BACK, 5),
        (TOOLSTACK, 0),
    ]


@pytest.mark.parametrize(
    "path, value, who",
    [
        (f"{F}/ring-ref", "8", FRONT),
        (f"{F}/backend", B, TOOLSTACK),
        (f"{B}/params", "x", TOOLSTACK),
        (f"{B}/hotplug-status", "connected", TOOLSTACK),
        (f"{B}/sectors", "9", BACK),
        (f"{B}/feature-of-tomorrow", "1", BACK),
        ("/local/domain/5/control/shutdown", "poweroff", TOOLSTACK),
        ("/local/domain/5/control/shutdown", "", FRONT),
        ("/local/domain/5/control/feature-reboot", "1", FRONT),
        ("/local/domain/5/data/x", "1", FRONT),
        ("/local/domain/5/error/device/vbd/51712/error", "1", FRONT),
        ("/local/domain/0/error/backend/vbd/5/51712/error", "1", BACK),
        ("/local/domain/5/memory/target", "1", TOOLSTACK),
        ("/libxl/5/device/vbd/51712/state", "1", TOOLSTACK),
    ],
)
def test_writers(path: str, value: str, who: str) -> None:
    assert of(("write", path, value))[0][0] == who


def test_a_server_knows_who_it_was() -> None:
    assert of(("write", f"{F}/backend", "/evil"), source=SERVER, by=5) == [(FRONT, None)]
    assert of(("write", "/tool/x", "1"), source=SERVER, by=5) == [(FRONT, None)]


def test_removals_above_and_below_an_end() -> None:
    assert of(("write", f"{F}/state", "4"), ("rm", "/local/domain/5", None), ("write", f"{F}/state", "1")) == [
        (FRONT, 4),
        (TOOLSTACK, None),
        (TOOLSTACK, 1),
    ]
    assert of(("rm", f"{F}/state", None), ("rm", f"{F}/ring-ref", None)) == [(TOOLSTACK, 0), (FRONT, None)]
