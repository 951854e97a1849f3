"""What a recording's events mean: of which device each is, which end it belongs to, and who wrote it.

A server that recorded itself knows the domain that wrote; watches do not tell it, so it follows from what the node is
(xenbus.devices): each node of a device has one writer, and of a state's values only some can be the toolstack's.
"""

from __future__ import annotations

from xenbus.bus import CLOSED, CLOSING, INITIALISING
from xenbus.devices import BACK, CLASSES, FRONT, TOOLSTACK
from xenbus.meaning import disk_name
from xenbus.parse import parse_decimal, parse_domid, parse_state
from xenbus.path import is_under
from xenbus.recording import HAVE, REMOVE
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenbus.recording import Event, Recording

RECORD = "record"
"""The side of a device that is the toolstack's own record of it, below /libxl."""
_KINDS = {back: each.kind for each in CLASSES.values() for back in each.back_kinds}
_KEPT = ("state", "online", "frontend")
_GUEST_WRITES = ("data", "attr", "device-misc", "messages")


class Place(Value):
    """Where a node of a device is: `top` is the end's path, `name` the node's below it, empty for the end itself."""

    kind: str
    devid: str
    guest: int
    side: str
    top: str
    name: str

    @property
    def device(self) -> str:
        """``vbd 51712``."""
        return f"{self.kind} {self.devid}"


class Step(Value):
    """One event, understood; `place` is None where it is of no device."""

    event: Event
    place: Place | None
    who: str
    """FRONT (the guest), BACK or TOOLSTACK, which scripts count as."""
    state: int | None = None
    """The XenbusState that an end is in from now on; 0 if the end is gone."""


def place_of(path: str) -> Place | None:
    """The device whose node a path is, by its form alone."""
    match path.split("/"):
        case ["", "local", "domain", domid, "device", kind, devid, *rest]:
            return _place(domid, kind, devid, FRONT, path, rest)
        case ["", "local", "domain", owner, "backend", kind, domid, devid, *rest] if parse_domid(owner) is not None:
            return _place(domid, _KINDS.get(kind, kind), devid, BACK, path, rest)
        case ["", "libxl", domid, "device", kind, devid, *rest]:
            return _place(domid, kind, devid, RECORD, path, rest)
    return None


def _place(domid: str, kind: str, devid: str, side: str, path: str, rest: list[str]) -> Place | None:
    guest = parse_domid(domid)
    if guest is None or not devid.isdigit():
        return None
    name = "/".join(rest)
    top = path[: -len(name) - 1] if name else path
    return Place(kind, devid, guest, side, top, name)


def fits(place: Place | None, device: str) -> bool:
    """Whether a device is meant: a disk's name, a number, or ``kind:number``."""
    if place is None:
        return False
    number = parse_decimal(place.devid, maximum=2**29 - 1)
    disk = disk_name(number) if place.kind == "vbd" and number is not None else None
    return device in (place.devid, f"{place.kind}:{place.devid}", disk)


def steps(recording: Recording) -> Iterator[Step]:
    """Each event with its meaning; those that change nothing are passed on as they are."""
    witness = _Witness()
    for event in recording.events:
        place = place_of(event.path) if event.path.startswith("/") else None
        who = witness.writer(event, place) if event.changes else _asker(event)
        state = witness.note(event, place) if event.changes else None
        yield Step(event, place, who, state)


def _asker(event: Event) -> str:
    return FRONT if event.by else TOOLSTACK


class _Witness:
    """Keeps of the tree what it takes to tell who wrote a state: state, online and frontend of each end."""

    def __init__(self) -> None:
        self._ends: dict[str, dict[str, bytes | None]] = {}

    def note(self, event: Event, place: Place | None) -> int | None:
        """Takes an event in; the state that an end of a device has by it, if it is one of a state."""
        if event.op == REMOVE:
            return self._forget(event, place)
        if place is None or place.side == RECORD or place.name not in _KEPT or event.value is None:
            return None
        self._ends.setdefault(place.top, {})[place.name] = event.value
        return parse_state(event.value) if place.name == "state" else None

    def _forget(self, event: Event, place: Place | None) -> int | None:
        if place is None:
            for top in [top for top in self._ends if is_under(top, event.path)]:
                del self._ends[top]
            return None
        if not place.name:
            self._ends.pop(place.top, None)
        else:
            self._ends.get(place.top, {}).pop(place.name, None)
        return 0 if place.side != RECORD and place.name in ("", "state") else None

    def writer(self, event: Event, place: Place | None) -> str:
        """Who made this change, before it is taken in."""
        if place is None:
            return _writer_elsewhere(event)
        if place.side == RECORD or not place.name:
            return TOOLSTACK
        if event.by is not None and place.side == FRONT and event.by == place.guest:
            return FRONT
        if place.name == "state":
            return self._writer_of_state(event, place)
        return _writer_of_node(place)

    def _writer_of_state(self, event: Event, place: Place) -> str:
        """A toolstack makes both states, and tells a back end to close: see handshake.REMOVAL."""
        state = parse_state(event.value)
        end = self._ends.get(place.top, {})
        if event.op == REMOVE or ("state" not in end and state == INITIALISING):
            return TOOLSTACK
        if place.side == FRONT:
            return FRONT
        if state == CLOSING and end.get("online") == b"0":
            front = (end.get("frontend") or b"").decode("ascii", "replace")
            if parse_state(self._ends.get(front, {}).get("state")) not in (CLOSING, CLOSED):
                return TOOLSTACK
        return BACK


def _writer_of_node(place: Place) -> str:
    device = CLASSES.get(place.kind)
    node = device.find(place.side, place.name) if device else None
    if node is None:
        return place.side
    return node.writer if node.writer in (FRONT, BACK) else TOOLSTACK


def _writer_elsewhere(event: Event) -> str:
    """Of nodes that are of no device."""
    if event.by:
        return FRONT
    match event.path.split("/"):
        case ["", "local", "domain", domid, "control", "shutdown" | "sysrq"] if domid != "0":
            return FRONT if event.value == b"" and event.op != HAVE else TOOLSTACK
        case ["", "local", "domain", domid, "control", name] if domid != "0" and name.startswith("feature-"):
            return FRONT
        case ["", "local", "domain", domid, name, *_] if domid != "0" and name in _GUEST_WRITES:
            return FRONT
        case ["", "local", "domain", _, "error", "backend", *_]:
            return BACK
        case ["", "local", "domain", domid, "error", *_] if domid != "0":
            return FRONT
    return TOOLSTACK
