"""A guest that tries to mislead everybody: it puts senseless values into its nodes in the store, and into its rings."""

from __future__ import annotations

from xenbus.errors import StoreClosed, XenbusError
from xenbus.request import Remove, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenbus.client import Store
    from xenbus.request import Request
    from xenvm.host.sim.front import GuestFrontend

ROUNDS = 40
"""How often it strikes; then it has come to rest, and so can the world."""

_WILD = (
    b"",
    b"-1",
    b"0",
    b"99999999999999999999999999",
    b"\xff\xfe\0\x01",
    b"/local/domain/0/backend/vbd/1/51712",
    b"../../../0/state",
    b"%s%n%x",
    b"A" * 2000,
    b"4294967296",
    b"/local/domain/0",
    b"5",
)
_WILD_INDEXES = b"\xff\xff\xff\x7f\0\0\0\x80" * 2
_DEVICE_NODES = ("backend", "backend-id", "state", "ring-ref", "event-channel", "tx-ring-ref", "mac", "virtual-device")
_OWN_NODES = (
    *("control/shutdown", "control/sysrq", "control/feature-poweroff", "data/wild", "feature/wild", "attr/eth0/ip"),
    *("device/suspend/event-channel", "error/device/vbd/1/error", "console/tty", "name", "memory/target", "domid"),
)


class Hostility:
    """Writes another wild value into every node each time; what it may not write is refused by the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._round = 0

    def strike(self, ends: Sequence[GuestFrontend]) -> None:
        """One round, unless there were enough of them."""
        if self._round >= ROUNDS:
            return
        self._round += 1
        if self._round % 5 == 0:
            for end in ends:
                end.spoil(_WILD_INDEXES)
        paths = [f"{end.path}/{name}" for end in ends for name in _DEVICE_NODES]
        requests: list[Request] = []
        for number, path in enumerate([*_OWN_NODES, *paths]):
            value = _WILD[(number + self._round) % len(_WILD)]
            requests.append(Write(path, value))
        if self._round % 7 == 0:
            requests += [Remove(end.path) for end in ends]
        try:
            self._store.batch(requests)
        except StoreClosed:
            raise
        except XenbusError:
            pass  # The store defends itself.
