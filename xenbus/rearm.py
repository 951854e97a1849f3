"""Watches that outlive their connection: for those who stay longer than a store's server may.

A server that keeps its store (``xenvm store serve --state``) comes back with all nodes, but no server brings watches
back: its clients register them again. Each then gives its first event, which says "read again" as any event does; so
nothing that happened meanwhile is missed.
"""

from __future__ import annotations

from time import monotonic, sleep

from xenbus.errors import NoStore, StoreClosed
from xenbus.request import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xenbus.client import Store

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


class LastingWatches:
    """Watches, as (path, token) pairs, on the store that `connect` opens now and whenever it was lost.

    A context manager. The first connection raises what `connect` raises.
    """

    def __init__(self, connect: Callable[[], Store], watches: Iterable[tuple[str, str]]) -> None:
        self._connect, self._watches = connect, tuple(watches)
        self.store = self._armed()
        """The connection in use; its transactions and other watches are lost with it."""

    def next_event(self, deadline: float | None = None) -> tuple[str, str] | None:
        """The next (path, token), or None at the deadline, a time of time.monotonic(); 0 never blocks."""
        while True:
            try:
                return self.store.next_event(deadline)
            except StoreClosed:
                if not self._reconnect(deadline):
                    return None

    def close(self) -> None:
        """Ends the connection."""
        self.store.close()

    def __enter__(self) -> LastingWatches:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _reconnect(self, deadline: float | None) -> bool:
        self.store.close()
        pause = _FIRST_PAUSE
        while True:
            try:
                self.store = self._armed()
                return True
            except (NoStore, StoreClosed):
                left = pause if deadline is None else deadline - monotonic()
            if left <= 0:
                return False
            sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _armed(self) -> Store:
        store = self._connect()
        try:
            for reply in store.batch([Watch(path, token) for path, token in self._watches]):
                if isinstance(reply, Exception):
                    raise reply
        except BaseException:
            store.close()
            raise
        return store
