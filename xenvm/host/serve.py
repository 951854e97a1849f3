"""Runs back ends on a real host: waits for the store and for event channels, and lets the drivers act on them."""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.back import BackDriver


def serve(*drivers: BackDriver, ended: Callable[[], bool] = lambda: False) -> None:
    """Steps each driver whenever there is something for it, until all has `ended`.

    Each has a connection to the store, and a side of the hypervisor, of its own.
    """
    while not ended():
        poll = select.poll()
        for driver in drivers:
            # Events can have come with the answer to a request, and then the descriptor tells of nothing.
            while driver.step() or driver.store.has_events():
                pass
            for descriptor in (driver.store.fileno(), driver.side.fileno()):
                poll.register(descriptor, select.POLLIN)
            for descriptor, events in driver.descriptors().items():
                poll.register(descriptor, events)
        poll.poll()
