"""Small recordings of a device's life, made by hand."""

from __future__ import annotations

from xenbus.perm import parse_perms
from xenbus.recording import SERVER, Event, Header, Recording

Nodes = list[tuple[float, str, str]]


def life(guest: int = 5, ref: int = 8, *extra: tuple[float, str, str], devid: int = 51712) -> Recording:
    """A vbd that connects and is removed; `extra` (time, path below the ends as F/.. or B/.., value) comes between."""
    front, back = f"/local/domain/{guest}/device/vbd/{devid}", f"/local/domain/0/backend/vbd/{guest}/{devid}"
    nodes: Nodes = [
        (0, "F/backend", back),
        (0, "F/backend-id", "0"),
        (0, "F/virtual-device", str(devid)),
        (0, "F/device-type", "disk"),
        (0, "F/state", "1"),
        (0, "B/frontend", front),
        (0, "B/frontend-id", str(guest)),
        (0, "B/online", "1"),
        (0, "B/params", "/srv/d.img"),
        (0, "B/mode", "w"),
        (0, "B/physical-device", f"7:{guest}"),
        (0, "B/state", "1"),
        (1, "B/state", "2"),
        (2, "F/ring-ref", str(ref)),
        (2, "F/event-channel", str(ref + 1)),
        (2, "F/state", "3"),
        (3, "B/sectors", "2048"),
        (3, "B/state", "4"),
        (4, "F/state", "4"),
        (5, "B/online", "0"),
        (5, "B/state", "5"),
        (6, "F/state", "6"),
        (7, "B/state", "6"),
    ]
    nodes = sorted([*nodes, *extra], key=lambda node: node[0])
    ends = {"F": front, "B": back}
    rights = {"F": parse_perms(f"n{guest},r0"), "B": parse_perms(f"n0,r{guest}")}
    events = [
        Event(time, "write", ends[path[0]] + path[1:], value.encode(), rights[path[0]]) for time, path, value in nodes
    ]
    removed = [Event(8, "rm", front), Event(8, "rm", back), Event(9, "end", error="what was recorded is gone")]
    return Recording(Header(SERVER, 0.0, "4.17.5", "g", guest), (*events, *removed))


def without(recording: Recording, time: float, end: str) -> Recording:
    """The same without what was written at `time` to paths that end so."""
    kept = (event for event in recording.events if event.time != time or not event.path.endswith(end))
    return recording.replace(events=tuple(kept))
