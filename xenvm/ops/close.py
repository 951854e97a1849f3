"""How back ends are closed, whether their guest helps or not, and how emptied directories of the store go.

The states are those of XenBus (public/io/xenbus.h, xenbus.bus).
"""

from __future__ import annotations

from xenbus import bus
from xenbus.errors import StoreTimeout
from xenbus.request import Discard, List, Write
from xenvm.ops.records import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xenbus.follow import Follower
    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.open import Host
    from xenvm.ops.records import Record


def state_path(device: Record) -> str:
    """Where a back end's state is."""
    return f"{device.backend}/state"


def await_closed(host: Host, follower: Follower, device: Record, deadline: float) -> list[str]:
    """Waits for the back end of a device; a sentence if it did not close. `deadline` is of the store's clock."""
    path = state_path(device)

    def closed(values: Mapping[str, bytes | None]) -> bool:
        # A driver that was about to start writes its own next state over our Closing: it is asked again.
        if not bus.is_closing(values[path]):
            host.store.transact(lambda tx: _ask_again(tx, path))
        return bus.is_closed(values[path])

    try:
        follower.wait(closed, deadline, "the back end to close")
        return []
    except StoreTimeout:
        state = bus.state_name(bus.parse_state(follower.values[path]))
        return [f"the back end of {device.name} did not close: {device.backend} is {state}"]


def _ask_again(tx: Transaction, path: str) -> list[Request]:
    """In a transaction, as nothing of a back end that has just gone must come back."""
    return [] if bus.is_closing(tx.read_or_none(path)) else [Write(path, "5")]


def farewells(closing: Sequence[Record]) -> Iterator[Request]:
    """Removes the front ends and tells the back ends to close, in this order: a back end that finds itself Closing and
    its front end gone unregisters and ends in Closed; with the front end still there it would wait for it."""
    for device in closing:
        yield Discard(device.frontend)
    for device in closing:
        yield Write(f"{device.backend}/online", "0")
        if device.state != "6":
            yield Write(state_path(device), "5")


def discard_empty(tx: Transaction, paths: Sequence[str]) -> list[Request]:
    """In a transaction, lest somebody else's new device goes with its directory."""
    return [Discard(path) for path in empty(paths, tx.batch([List(path) for path in paths]))]


def empty(paths: Sequence[str], listings: Sequence[object]) -> list[str]:
    """Those of the directories that have nothing in them, or nothing but others of these; parents come last."""
    empty: list[str] = []
    for path, listing in zip(paths, listings, strict=True):
        children = known(listing)
        if isinstance(children, tuple) and all(f"{path}/{child}" in empty for child in children):
            empty.append(path)
    return empty
