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
        # Each has its turn: a guest that never stops sending stops nobody else's.
        while sum(map(_step, drivers)):
            pass
        for driver in drivers:
            for descriptor in (driver.store.fileno(), driver.side.fileno()):
                poll.register(descriptor, select.POLLIN)
            for descriptor, events in driver.descriptors().items():
                poll.register(descriptor, events)
        poll.poll()


def _step(driver: BackDriver) -> bool:
    # Events can have come with the answer to a request, and then the descriptor tells of nothing.
    return driver.step() or driver.store.has_events()
