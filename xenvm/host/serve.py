"""Runs back ends on a real host: waits for the store and for event channels, and lets the drivers act on them."""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from xenbus.client import Store

    class Driver(Protocol):
        """What can be run, as BackDriver."""

        def step(self) -> bool:
            """Does what can be done now, without waiting; whether it did anything."""

    class Pollable(Protocol):
        """Something with a descriptor to wait for."""

        def fileno(self) -> int: ...


def serve(
    driver: Driver,
    store: Store,
    wake: Sequence[Pollable],
    more: Callable[[], Mapping[int, int]] = dict,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Steps the driver whenever its store or one of `wake` has something, until it has `ended`.

    `more` gives what else to wait for now: descriptors, and which events of theirs (select.POLLIN and so on).
    """
    while not ended():
        # Events can have come with the answer to a request, and then the descriptor tells of nothing.
        while driver.step() or store.has_events():
            pass
        poll = select.poll()
        for each in (store, *wake):
            poll.register(each.fileno(), select.POLLIN)
        for descriptor, events in more().items():
            poll.register(descriptor, events)
        poll.poll()
