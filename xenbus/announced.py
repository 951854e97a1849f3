"""Keeps back lines of a recording that announce others, such as an end's state, until the others are written down.

An end writes its properties first and its state last, or both in one transaction. Watches tell of them one after
another, and a look that follows one event reads what is there by then: a state whose properties nobody has told of
yet. Their events are on the way in front of the answers to that look, so that the next look finds them.
"""

from __future__ import annotations

from xenbus.path import is_under
from xenbus.recording import REMOVE, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.recording import Event

ANNOUNCING = ("/state", "/hotplug-status")
"""How paths of nodes end that tell another one to look at the rest."""
PATIENCE = 1.0
"""Seconds after which a node that is written again and again waits no longer."""


class Announced:
    """Passes lines on to `put`: those that announce something when what had come before them was looked at."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put
        self._earlier: dict[str, Event] = {}
        self._fresh: dict[str, Event] = {}
        """Of looks before this one, and of this one; by path, in the order in which they are to follow."""

    def take(self, event: Event) -> None:
        """A line of the look that is going on."""
        old = self._earlier.get(event.path)
        if old is not None and old.value == event.value and event.time - old.time < PATIENCE:
            # The look before was ahead of its event: this is its place.
            del self._earlier[event.path]
            event = event.replace(time=old.time, events=old.events + event.events, perms=event.perms or old.perms)
        self._precede(event)
        if event.op == WRITE and event.path.endswith(ANNOUNCING):
            self._fresh[event.path] = event
        else:
            self._put(event)

    def end_look(self, now: float, caught_up: bool) -> None:
        """`caught_up`: whether the look was at all events that had come before it."""
        if caught_up:
            _release(self._earlier, now, self._put)
        self._earlier.update(self._fresh)
        self._fresh.clear()

    def release(self, now: float) -> None:
        """Passes on what waits: nothing else has come."""
        self.end_look(now, True)
        self.end_look(now, True)

    def _precede(self, event: Event) -> None:
        """Passes on what waits and must not follow an event: of the same node, or of one that goes with it."""
        for waiting in (self._earlier, self._fresh):
            for path in list(waiting):
                if path == event.path or (event.op == REMOVE and is_under(path, event.path)):
                    self._put(waiting.pop(path).replace(time=event.time))


def _release(waiting: dict[str, Event], now: float, put: Callable[[Event], None]) -> None:
    for event in waiting.values():
        put(event.replace(time=now))
    waiting.clear()
