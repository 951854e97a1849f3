"""Stands before the connection to a store and writes down the requests: for plans, and to compare with them."""

from __future__ import annotations

from xenbus.client import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from xenbus.link import Call, Group, Link
    from xenbus.request import Request

    Note = Callable[[int, Request], object]
    """Told of each request that is sent, and of its transaction (0: of none)."""


class _Front:
    """Has what a link has."""

    def __init__(self, behind: Link, note: Note) -> None:
        self._behind, self._note = behind, note

    def send(self, groups: Sequence[Group], deadline: float) -> Call:
        """See Link."""
        for transaction, requests in groups:
            for request in requests:
                self._note(transaction, request)
        return self._behind.send(groups, deadline)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)


def traced(store: Store, note: Note) -> Store:
    """The same connection; `note` is told of what goes through it."""
    return Store(_Front(store.link, note), store.timeout)  # type: ignore[arg-type]  # it has whatever the link has
