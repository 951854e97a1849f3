"""Hands the watch events of one connection to whoever asked for them, without waiting."""

from __future__ import annotations

from xenbus.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.client import Store


class Watcher:
    """The watches of a store's connection, each with a function that is called with the path of its events."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._calls: dict[str, Callable[[str], None]] = {}
        self._paths: dict[str, str] = {}
        self._last = 0

    def watch(self, path: str, call: Callable[[str], None], depth: int | None = None) -> str:
        """Calls back from step() for each event of `path`, the first of which comes at once; gives the token."""
        self._last += 1
        token = str(self._last)
        self._calls[token], self._paths[token] = call, path
        self.store.watch(path, token, depth)
        return token

    def unwatch(self, token: str) -> None:
        """Ends a watch: its function is not called any more."""
        del self._calls[token]
        try:
            self.store.unwatch(self._paths.pop(token), token)
        except NotFound:
            pass  # Whoever resets all watches of the domain has ended this one, too.

    def step(self) -> bool:
        """Hands out all events that have come; whether there were any."""
        any_came = False
        while event := self.store.next_event(0):
            any_came = True
            path, token = event
            if call := self._calls.get(token):
                call(path)
        return any_came

    def has_events(self) -> bool:
        """Whether step() would find any."""
        return self.store.has_events()
