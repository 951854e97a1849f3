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
    news: set[BackDriver] = set(drivers)
    events: set[BackDriver] = set()
    while not ended():
        # Each has its turn: a guest that never stops sending stops nobody else's.
        for driver in drivers:
            # Events of the store can have come with the answer to a request: then the descriptor tells of nothing.
            if driver in news or driver.store.has_arrived():
                if not driver.step():
                    news.discard(driver)
            elif driver in events and not driver.serve_events():
                events.discard(driver)
        waiting = not (news or events or any(driver.store.has_arrived() for driver in drivers))
        _wait(drivers, news, events, None if waiting else 0)


def _wait(drivers: tuple[BackDriver, ...], news: set[BackDriver], events: set[BackDriver], timeout: int | None) -> None:
    """Adds those drivers for which there are event channels' events, or any other news."""
    poll = select.poll()
    owners: dict[int, tuple[BackDriver, set[BackDriver]]] = {}
    for driver in drivers:
        ports = driver.side.fileno()
        owners[ports] = driver, events
        poll.register(ports, select.POLLIN)
        for descriptor, wanted in (*driver.descriptors().items(), (driver.store.fileno(), select.POLLIN)):
            owners[descriptor] = driver, news
            poll.register(descriptor, wanted)
    for descriptor, _events in poll.poll(timeout):
        driver, found = owners[descriptor]
        found.add(driver)
