"""Plays one end of a recorded device into a store of its own, where a driver is the other end, and compares the states.

What the toolstack wrote is played too. Time is the recording's; after each event the driver runs until it is at rest.
"""

from __future__ import annotations

from xenbus.bus import INITIALISING, state_name
from xenbus.client import Store
from xenbus.compare import SIDES, Seen, add_state, part, unseen
from xenbus.devicebus import Bus
from xenbus.devices import BACK, CLASSES, FRONT
from xenbus.driver import Backend, Frontend
from xenbus.handshake import FRONTEND
from xenbus.link import Link
from xenbus.parse import parse_state, shown
from xenbus.path import is_under
from xenbus.perm import Perm
from xenbus.recording import HAVE, REMOVE, WRITE, as_requests
from xenbus.request import Discard, SetPerms, Write
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.steps import RECORD, fits, steps
from xenbus.value import Value
from xenbus.watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xenbus.compare import Key
    from xenbus.driver import End
    from xenbus.recording import Event, Recording
    from xenbus.request import Request
    from xenbus.server.tree import Change
    from xenbus.steps import Place, Step

    Make = Callable[[Bus, str, str], End | None]
    """Gives the driver of (bus, path, kind)."""

_TURNS_MAX = 200
"""Turns after which a driver that never comes to rest is left alone."""


class Verdict(Value):
    """How one device's driver did."""

    device: str
    side: str
    recorded: tuple[int, ...]
    played: tuple[int, ...]
    same: bool
    sentence: str


class PlainFront(Frontend):
    """A front end that does nothing but the handshake, with numbers that nobody maps."""

    def publish(self) -> Mapping[str, object]:
        """What most front ends tell."""
        return {"ring-ref": 8, "event-channel": 1}


def plain(bus: Bus, path: str, kind: str, side: str) -> End | None:
    """A driver that does nothing but the handshake of a device's class."""
    if side == BACK:
        return Backend.probe(bus, path)
    end = PlainFront.probe(bus, path)
    if end is not None:
        end.goes_on()
        end.table = CLASSES[kind].handshake if kind in CLASSES else FRONTEND
    return end


def play(recording: Recording, side: str, device: str | None = None, make: Make | None = None) -> list[Verdict]:
    """Lets a driver be the end `side` (FRONT or BACK) of each recorded device, one after another."""
    found = [step for step in steps(recording) if not _is_daemons(step.place)]
    tops: dict[Key, dict[str, str]] = {}
    for step in found:
        place = step.place
        if place is not None and place.side != RECORD and (device is None or fits(place, device)):
            tops.setdefault((place.guest, place.kind, place.devid), {})[place.side] = place.top
    return [_Stage(key, ends, side, make).play(found) for key, ends in tops.items()]


def _is_daemons(place: Place | None) -> bool:
    """The console daemon follows no handshake."""
    return place is not None and (place.kind == "vuart" or (place.kind == "console" and place.devid == "0"))


class _Stage:
    """One device: a store, the driver of one end, and what plays the other."""

    def __init__(self, key: Key, ends: dict[str, str], side: str, make: Make | None) -> None:
        self.guest, self.kind, devid = key
        self.device, self.side, self._ends = f"{self.kind} {devid}", side, ends
        self._make = make or (lambda bus, path, kind: plain(bus, path, kind, side))
        self.messages: list[str] = []
        self.recorded: list[Seen] = []
        self.played: list[Seen] = []
        self._now = 0.0
        self._at_hand = False
        """Whether it is the recording that writes, and not the driver."""
        self._is_made = False
        """Whether the driver's end has a state."""
        self._engine = Engine(exists=lambda _domid: True, clock=lambda: self._now)
        self._engine.on_commit = self._note
        self._hand = Store(Link(EnginePort(self._engine.connect())))

    def play(self, found: Sequence[Step]) -> Verdict:
        """The whole recording."""
        if len(self._ends) < 2:
            missing = SIDES[FRONT if BACK in self._ends else BACK]
            return Verdict(self.device, self.side, (), (), False, f"the recording has no {missing} of {self.device}")
        first = next((index for index, step in enumerate(found) if step.event.op != HAVE), len(found))
        domid, root = self._home()
        home = f"/local/domain/{domid}"
        self._hand.batch([Write(home), SetPerms(home, [Perm(domid)])])
        for step in found[:first]:
            self._take(step)
        watcher = Watcher(Store(Link(EnginePort(self._engine.connect(domid)))))
        bus = Bus(watcher, root, lambda bus, path: self._make(bus, path, self.kind), self.messages.append)
        self._settle(watcher, bus)
        for step in found[first:]:
            self._now = max(self._now, step.event.time)
            if self._take(step):
                self._settle(watcher, bus)
        bus.close()
        return self._judge()

    def _home(self) -> tuple[int, str]:
        """The domid of the driver, and the directory of its devices, relative to its domain."""
        if self.side == FRONT:
            return self.guest, "device"
        names = self._ends[BACK].split("/")
        return int(names[3]), f"backend/{names[5]}"

    def _take(self, step: Step) -> bool:
        """Plays an event, unless it is what the driver itself has to do; whether it was played."""
        event, place = step.event, step.place
        if not event.changes or not self._concerns(event, place):
            return False
        self._make_anew(step)
        own = place is not None and place.side == self.side and step.who == self.side
        if own and step.state:
            seen = Seen(event.time, step.state, unseen(step) if event.op != HAVE else 0)
            add_state(self.recorded, seen)
            if event.op == HAVE:
                add_state(self.played, seen)
        if own and event.op != HAVE:
            return False
        self._write(self._requests(event))
        return True

    def _make_anew(self, step: Step) -> None:
        """The toolstack makes an end in Initialising, which a look can have missed."""
        event, top = step.event, self._ends[self.side]
        if event.op == REMOVE and is_under(f"{top}/state", event.path):
            self._is_made = False
        elif event.path == f"{top}/state":
            if not self._is_made and event.op == WRITE and step.who == self.side:
                self._write(as_requests(event.replace(value=b"%d" % INITIALISING)))
            self._is_made = True

    def _write(self, requests: Sequence[Request]) -> None:
        self._at_hand = True
        self._hand.batch(requests)
        self._at_hand = False

    def _concerns(self, event: Event, place: Place | None) -> bool:
        """Whether an event is of this device, or removes what is above it."""
        if event.op == REMOVE:
            return any(is_under(top, event.path) or is_under(event.path, top) for top in self._ends.values())
        return place is not None and place.top in self._ends.values()

    def _requests(self, event: Event) -> list[Request]:
        if event.op == REMOVE:  # of an end alone where it was of more: the driver's own home stays
            above = [top for top in self._ends.values() if is_under(top, event.path)]
            return [Discard(path) for path in above or [event.path]]
        return as_requests(event)

    def _settle(self, watcher: Watcher, bus: Bus) -> None:
        for _turn in range(_TURNS_MAX):
            if not watcher.step() | bus.step():
                return

    def _note(self, changes: Sequence[Change]) -> None:
        """Told of all that is committed: what the driver makes of its state."""
        for path, node in changes:
            if not self._at_hand and node is not None and path == b"%b/state" % self._ends[self.side].encode():
                state = parse_state(node.value)
                if not self.played or self.played[-1].state != state:
                    self.played.append(Seen(self._now, state))

    def _judge(self) -> Verdict:
        parted = part(self.recorded, self.played, closing=True)
        recorded, played = (tuple(seen.state for seen in states) for states in (self.recorded, self.played))
        words = f"{self.device}: our {SIDES[self.side]}"
        if parted is None:
            way = ", ".join(map(state_name, played)) or "none at all"
            return Verdict(
                self.device, self.side, recorded, played, True, f"{words} goes through the same states: {way}"
            )
        return Verdict(
            self.device, self.side, recorded, played, False, f"{words} {self._parted(*parted)}{self._said()}"
        )

    def _parted(self, recorded: Seen | None, played: Seen | None) -> str:
        if recorded is None:
            assert played is not None, "one of both has a state"
            return f"goes to {_at(played)}, the recorded one never does"
        if played is None:
            last = f"at {state_name(self.played[-1].state)}" if self.played else "where it was"
            return f"stays {last}, the recorded one goes to {_at(recorded)}"
        return f"goes to {_at(played)}, the recorded one to {_at(recorded)}"

    def _said(self) -> str:
        return f" ({shown(self.messages[0], 200)})" if self.messages else ""


def _at(seen: Seen) -> str:
    return f"{state_name(seen.state)} at {seen.time:.3f} s"
