"""The chart: columns, words, and nothing that a terminal would obey."""

from __future__ import annotations

from tests.support.recordings import life
from xenbus import chart
from xenbus.recording import Event


def page(*arguments: object, width: int = 120) -> list[str]:
    return [line.rstrip() for line, _row in chart.lines(*arguments, width)]  # type: ignore[arg-type]


def test_a_page() -> None:
    lines = page(life(), None, False)
    assert lines[0] == "g (domain 5), Xen 4.17.5: 26 events"
    assert lines[1].split("|")[1:] == [
        " front end                     ",
        " toolstack                     ",
        " back end",
    ]
    assert (
        "    1.000  vbd 51712    |                               |                               | state = 2 InitWait"
        in lines
    )
    assert "    2.000  vbd 51712    | ring-ref = 8 (grant 8)        |                               |" in lines
    assert any(line.endswith("| back/state = 5 Closing        |") for line in lines)
    assert lines[-1] == "it ended: what was recorded is gone"


def test_one_time_is_told_once() -> None:
    assert [line[:9].strip() for line in page(life(), None, False) if "vbd" in line].count("2.000") == 1


def test_what_a_guest_writes_is_escaped_and_cut() -> None:
    evil = Event(1, "write", "/local/domain/5/device/vbd/51712/protocol", b"\x1b[2J\r\n" + b"x" * 4000)
    recording = life().replace(events=(evil,))
    text = "\n".join(page(recording, None, False))
    assert "\\x1b[2J\\r\\n" in text and "\x1b" not in text and "..." in text and len(text) < 800
    assert text.endswith("it was cut off: its last line is missing")


def test_what_is_left_out() -> None:
    had = Event(0, "have", "/local/domain/5/device/vbd/51712/state", b"4")
    others = (
        Event(0, "have", "/local/domain/5/name", b"g"),
        Event(1, "ask", "/x", by=5, request="read", error="ENOENT"),
        Event(1, "write", "/libxl/5/device/vbd/51712/params", b"p"),
        Event(2, "perms", "/local/domain/5/data", perms=()),
        Event(2, "write", "/local/domain/5/data", b"x", events=3),
    )
    recording = life().replace(events=(had, *others))
    few, all_ = "\n".join(page(recording, None, False, width=180)), "\n".join(page(recording, None, True))
    assert "state = 4 Connected (was there)" in few and "read /x" not in few and "params" not in few
    assert "3 more events are not shown" in few and "(3 events, one look)" in few
    assert "read /x: ENOENT" in all_ and "record/params" in all_
    assert "data" not in "\n".join(page(recording, "xvda", True))


def test_objects() -> None:
    found = [chart.step_object(step) for step in chart.chosen(life(), "xvda")]
    state = next(each for each in found if each["who"] == "backend" and each.get("state") == 2)
    assert state == {
        "time": 1,
        "op": "write",
        "who": "backend",
        "path": "/local/domain/0/backend/vbd/5/51712/state",
        "device": "vbd:51712",
        "side": "backend",
        "node": "state",
        "value": "2",
        "meaning": "2 InitWait",
        "state": 2,
        "perms": "n0,r5",
    }
