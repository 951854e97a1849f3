"""A recording as a sequence chart: times on the left, and a column for each of front end, toolstack and back end.

Whatever a guest wrote is escaped, and cut to its column.
"""

from __future__ import annotations

from xenbus.bus import state_name
from xenbus.devices import BACK, FRONT, TOOLSTACK
from xenbus.dump import value_object
from xenbus.escape import escape
from xenbus.meaning import meaning
from xenbus.perm import format_perms
from xenbus.recording import ASK, END, HAVE, PERMS, REMOVE, SERVER
from xenbus.steps import RECORD, fits, steps
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from xenbus.recording import Event, Recording
    from xenbus.steps import Step

COLUMNS = {FRONT: "front end", TOOLSTACK: "toolstack", BACK: "back end"}
_MARGIN = 24
"""Of the time and the device."""
_NARROWEST = 20


class Row(Value):
    """One line of a chart: `who` is one of COLUMNS."""

    time: float
    device: str
    who: str
    text: str
    state: int | None = None


def chosen(recording: Recording, device: str | None = None, every: bool = False) -> list[Step]:
    """The steps to show: without `every` only changes, and of what was there before only the states of devices."""
    found = [step for step in steps(recording) if device is None or fits(step.place, device)]
    return [step for step in found if every or _is_shown(step)]


def _is_shown(step: Step) -> bool:
    if step.event.op == HAVE:
        return step.state is not None
    in_record = step.place is not None and step.place.side == RECORD
    return step.event.changes and not in_record


def rows(shown: list[Step], domid: int | None = None) -> Iterator[Row]:
    """A row for each step; paths in the home of `domid` are relative to it, as that domain gives them."""
    home = "" if domid is None else f"/local/domain/{domid}/"
    for step in shown:
        device = step.place.device if step.place else ""
        yield Row(step.event.time, device, step.who, describe(step, home), step.state)


def describe(step: Step, home: str = "") -> str:
    """What happened, in a few words: ``state = 4 Connected``."""
    event = step.event
    name = _name(step, home)
    if event.op == END:
        return escape(event.error.encode("utf-8", "replace"))
    if event.op == ASK:
        error = f": {event.error}" if event.error else ""
        return escape(f"{event.request} {event.path}{error}".encode("utf-8", "replace"))
    if event.op == REMOVE:
        return f"{name} removed"
    if event.op == PERMS:
        return f"{name} for {format_perms(event.perms or ())}"
    return f"{name} = {_value(event, step)}{_notes(event)}"


def _name(step: Step, home: str) -> str:
    place = step.place
    if place is None:
        return step.event.path.removeprefix(home)
    side = {FRONT: "front", BACK: "back", RECORD: "record"}[place.side]
    if not place.name:
        return f"{side} end"
    return place.name if place.side == step.who else f"{side}/{place.name}"


def _value(event: Event, step: Step) -> str:
    if step.state is not None:
        return state_name(step.state)
    said = meaning(event.path, event.value)
    text = "?" if event.value is None else escape(event.value)
    return f"{text} ({said})" if said else text


def _notes(event: Event) -> str:
    if event.op == HAVE:
        return " (was there)"
    return f" ({event.events} events, one look)" if event.events > 1 else ""


def header_lines(recording: Recording) -> Iterator[str]:
    """What was recorded, where and how."""
    header = recording.header
    target = escape(header.target.encode("utf-8", "replace")) or "a store"
    domid = "" if header.domid is None else f" (domain {header.domid})"
    xen = f", Xen {escape(header.xen.encode('utf-8', 'replace'))}" if header.xen else ""
    yield f"{target}{domid}{xen}: {len(recording.events)} events"
    if header.source != SERVER:
        yield "seen by watches: what changed again before it was looked at is not here; who wrote follows from the node"


def lines(recording: Recording, device: str | None, every: bool, width: int) -> Iterator[tuple[str, Row | None]]:
    """The chart's lines, with the row that each shows; `width` in characters."""
    shown = list(rows(chosen(recording, device, every), recording.header.domid))
    column = max(_NARROWEST, (width - _MARGIN - 6) // 3)
    head = f"{'seconds':>9}  {'device':<12} " + "".join(f"| {title:<{column}}" for title in COLUMNS.values())
    for line in header_lines(recording):
        yield line, None
    yield head.rstrip(), None
    last = ""
    for row in shown:
        time = f"{row.time:9.3f}"
        cells = [_cell(row.text if who == row.who else "", column) for who in COLUMNS]
        yield f"{time if time != last else '':>9}  {row.device:<12.12} {''.join(f'| {each}' for each in cells)}", row
        last = time
    left = len(recording.events) - len(shown) - bool(recording.ended and not every)
    if left:
        yield f"{left} more events are not shown", None
    if recording.ended:
        yield f"it ended: {escape(recording.ended.encode('utf-8', 'replace'))}", None
    else:
        yield "it was cut off: its last line is missing", None


def _cell(text: str, width: int) -> str:
    return f"{text if len(text) <= width else text[: width - 3] + '...':<{width}}"


def step_object(step: Step) -> dict[str, Any]:
    """A step as JSON has it."""
    event, place = step.event, step.place
    found: dict[str, Any] = {"time": event.time, "op": event.op, "who": step.who, "path": event.path}
    if place is not None:
        found.update(device=place.device.replace(" ", ":"), side=place.side, node=place.name)
    if event.op != REMOVE:
        found.update(value_object(event.value))
    if said := meaning(event.path, event.value):
        found["meaning"] = said
    if step.state is not None:
        found["state"] = step.state
    if event.perms:
        found["perms"] = format_perms(event.perms)
    if event.events > 1:
        found["events"] = event.events
    for name in ("by", "request", "error"):
        if getattr(event, name) not in (None, ""):
            found[name] = getattr(event, name)
    return found
