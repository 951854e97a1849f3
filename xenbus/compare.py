"""Compares two recordings device by device: the states that each end went through, and what it wrote.

What differs between any two runs is left out: domids, grant references, event channels, uuids, MAC addresses, loop
devices, times. Where watches have merged events, states that nobody has seen are no difference.
"""

from __future__ import annotations

from xenbus.bus import CLOSED, CLOSING, state_name
from xenbus.devices import BACK, FRONT
from xenbus.escape import escape
from xenbus.meaning import meaning
from xenbus.path import is_under
from xenbus.recording import HAVE, REMOVE
from xenbus.steps import RECORD, fits, place_of, steps
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xenbus.recording import Event, Recording
    from xenbus.steps import Place, Step

    Key = tuple[int, str, str]
    """Which guest of a recording (the first one is 0), kind, number."""

SIDES = {FRONT: "front end", BACK: "back end"}
_ANY = 16
"""More states than a handshake has: before a recording began, anything can have been."""
_SHOWN = 60


class Seen(Value):
    """A state that was seen; `unseen`: how many can have been before it that nobody saw."""

    time: float
    state: int
    unseen: int = 0


class Difference(Value):
    """Where two recordings differ; `time` is that of the first of them that has it."""

    time: float
    device: str
    sentence: str


class History:
    """What one device went through: states of both ends, and the last value of each node with its time."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.states: dict[str, list[Seen]] = {FRONT: [], BACK: []}
        self.nodes: dict[tuple[str, str], tuple[float, str]] = {}
        self.tops: dict[str, str] = {}
        """Paths of the ends."""

    def take(self, step: Step, place: Place) -> None:
        """Adds a step of this device."""
        event = step.event
        self.tops[place.side] = place.top
        if step.state is not None:
            add_state(self.states[place.side], Seen(event.time, step.state, unseen(step)))
        elif event.value is not None and event.op != REMOVE:
            key, value = (place.side, place.name), normalised(place, event.path, event.value)
            if key not in self.nodes or self.nodes[key][1] != value:
                self.nodes[key] = event.time, value

    def lose(self, event: Event) -> None:
        """What was above an end is gone."""
        for side, top in self.tops.items():
            if is_under(top, event.path):
                add_state(self.states[side], Seen(event.time, 0))


def unseen(step: Step) -> int:
    """How many states can have been between the one before and this one."""
    return _ANY if step.event.op == HAVE else step.event.events - 1


def add_state(states: list[Seen], seen: Seen) -> None:
    """Adds a state. The same once more tells that another one, before the first look, was missed."""
    last = states[-1] if states else None
    if last is None or last.state != seen.state:
        states.append(seen)
    elif seen.state:
        states[-1] = last.replace(unseen=last.unseen + 1)


def normalised(place: Place, path: str, value: bytes) -> str:
    """A value as any run could have it."""
    import re

    text = value.decode("latin-1")
    said = meaning(path, value) or ""
    if said.startswith(("grant ", "event channel ")):
        return f"<{said.rpartition(' ')[0]}>"
    if said.startswith("loop") or re.fullmatch(r"/dev/loop\d+", text):
        return "<loop device>"
    if place.name == "mac":
        return "<mac>"
    if place.name in ("frontend-id", "domid") and text == str(place.guest):
        return "<the guest>"
    if place.name in ("handle", "virtual-device") and text == place.devid:
        return "<its number>"
    if other := place_of(text):
        return f"<the {SIDES.get(other.side, other.side)}>"
    text = re.sub(rf"^(/local/domain|/libxl)/{place.guest}(?=/|$)", r"\1/<the guest>", text)
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>", text)
    return re.sub(rf"\bvif{place.guest}\.{place.devid}\b", "<vif>", text)


def histories(recording: Recording, device: str | None = None) -> dict[Key, History]:
    """All devices of a recording, in the order of their appearance."""
    found: dict[Key, History] = {}
    guests: dict[int, int] = {}
    for step in steps(recording):
        place = step.place
        if place is None and step.event.op == REMOVE:
            for history in found.values():
                history.lose(step.event)
        if place is None or place.side == RECORD or (device is not None and not fits(place, device)):
            continue
        guest = guests.setdefault(place.guest, len(guests))
        key = guest, place.kind, place.devid
        found.setdefault(key, History(step.event.time)).take(step, place)
    return found


def differences(one: Recording, other: Recording, device: str | None = None) -> list[Difference]:
    """Where two recordings differ, the earliest first."""
    first, second = histories(one, device), histories(other, device)
    found: list[Difference] = []
    for a, b in _pairs(list(first), list(second)):
        name = _device_name(a or b or (0, "", ""))
        if a is None or b is None:
            where, history = ("second", second[b]) if b else ("first", first[a or (0, "", "")])
            found.append(Difference(history.start, name, f"{name} is in the {where} recording alone"))
        else:
            found += _of_device(name, first[a], second[b])
    return sorted(found, key=lambda each: each.time)


def _device_name(key: Key) -> str:
    return f"{key[1]} {key[2]}" + (f" of guest {key[0] + 1}" if key[0] else "")


def _pairs(first: list[Key], second: list[Key]) -> Iterator[tuple[Key | None, Key | None]]:
    """Devices that belong together: of the same number, else the next of the same kind."""
    rest = [key for key in second if key not in first]
    for key in first:
        like = next((each for each in rest if each[:2] == key[:2]), None)
        match = key if key in second else like
        if match in rest:
            rest.remove(match)
        yield key, match
    yield from ((None, key) for key in rest)


def _of_device(name: str, first: History, second: History) -> Iterator[Difference]:
    for side, words in SIDES.items():
        parted = part(first.states[side], second.states[side])
        if parted is not None:
            times = [each.time for each in parted if each is not None]
            yield Difference(min(times), name, f"{name}: the {words} {_states(*parted)}")
    for key in {**first.nodes, **second.nodes}:
        a, b = first.nodes.get(key), second.nodes.get(key)
        if (a and a[1]) != (b and b[1]):
            what = f"{name}: the {SIDES[key[0]]}'s {key[1]} {_values(a, b)}"
            yield Difference(max(each[0] for each in (a, b) if each), name, what)


def part(
    first: Sequence[Seen], second: Sequence[Seen], closing: bool = False
) -> tuple[Seen | None, Seen | None] | None:
    """Where two ways part: the state of each that the other has not, None for its end; None if they are the same.

    `closing`: that an end passes Closing on its way to Closed makes no difference.
    """
    a, b = (_without_closing(each) if closing else list(each) for each in (first, second))
    while a and b:
        if a[0].state == b[0].state:
            a.pop(0)
            b.pop(0)
        elif a[0].unseen:
            b.pop(0)
            a[0] = a[0].replace(unseen=a[0].unseen - 1)
        elif b[0].unseen:
            a.pop(0)
            b[0] = b[0].replace(unseen=b[0].unseen - 1)
        else:
            break
    return (a[0] if a else None, b[0] if b else None) if a or b else None


def _without_closing(states: Sequence[Seen]) -> list[Seen]:
    pairs = zip(states, [*states[1:], None], strict=False)
    return [seen for seen, then in pairs if not (seen.state == CLOSING and then and then.state == CLOSED)]


def _states(a: Seen | None, b: Seen | None) -> str:
    if a is None or b is None:
        seen, where, not_there = (a, "first", "second") if a else (b, "second", "first")
        assert seen is not None, "one of both has a state"
        return f"{_goes(seen)} in the {where} recording and never in the {not_there}"
    return f"{_goes(a)} in the first recording, and {_goes(b)} in the second"


def _goes(seen: Seen) -> str:
    what = f"goes to {state_name(seen.state)}" if seen.state else "is removed"
    return f"{what} at {seen.time:.3f} s"


def _values(a: tuple[float, str] | None, b: tuple[float, str] | None) -> str:
    if a is None or b is None:
        there, where, not_there = (a, "first", "second") if a else (b, "second", "first")
        assert there is not None, "one of both has the node"
        return f"is {_shown(there[1])} in the {where} recording and missing in the {not_there}"
    return f"is {_shown(a[1])} in the first recording and {_shown(b[1])} in the second"


def _shown(text: str) -> str:
    cut = escape(text[:_SHOWN].encode("latin-1", "replace"))
    return f'"{cut}"' + ("..." if len(text) > _SHOWN else "")
