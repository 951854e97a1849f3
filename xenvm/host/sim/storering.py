"""The store's connection of a simulated guest, over its ring page and event channel as in the real thing.

The page is the one that the toolstack has introduced; the server maps it by the guest's grant 1, as xenstored does.
"""

from __future__ import annotations

from xenbus.client import Store
from xenbus.link import Link
from xenbus.server.ring import GuestEnd, ServerEnd
from xenbus.server.ringport import RingPort
from xenvm.errors import HypercallError
from xenvm.host.hyper import PARAM_STORE_EVTCHN, PARAM_STORE_PFN
from xenvm.types import Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.server.connection import Connection
    from xenvm.host.back import BackSide
    from xenvm.host.sim.sides import GuestSide

STORE_GRANT = 1
"""The reference by which every guest's store page can be mapped."""


class StoreRings:
    """The server's ends of all guests' rings. `connect` opens a connection of a domain to the engine."""

    def __init__(self, side: BackSide, connect: Callable[[int], Connection]) -> None:
        self._side, self._connect = side, connect
        self._rings: dict[int, ServerEnd] = {}
        self._ports: dict[int, int] = {}
        self._domids: dict[int, int] = {}
        """The same the other way round: an event must not cost more because there are other guests."""
        self._ready: dict[int, None] = {}

    def add(self, domid: int, guest_port: int) -> None:
        """Serves a domain from now on; one that is served already has only its port bound anew.

        HypercallError if its page or port cannot be had: then it is not served.
        """
        try:
            if domid not in self._rings:
                page = self._side.map_grant(domid, STORE_GRANT)
                self._rings[domid] = ServerEnd(page, lambda: self._open(domid))
            self._unbind(domid)
            port = self._ports[domid] = self._side.bind(domid, guest_port)
            self._domids[port] = domid
        except HypercallError:
            self.remove(domid)
            raise

    def remove(self, domid: int) -> None:
        """Serves a domain no longer, if it did."""
        if self._rings.pop(domid, None):
            self._ready.pop(domid, None)
            self._unbind(domid)
            self._side.unmap_grant(domid, STORE_GRANT)

    def _unbind(self, domid: int) -> None:
        port = self._ports.pop(domid, None)
        if port is not None:
            del self._domids[port]
            self._side.unbind(port)

    def step(self) -> bool:
        """Moves what can be moved now; whether there was anything."""
        for port in self._side.pending():
            if port in self._domids:
                self._ready[self._domids[port]] = None
        ready, self._ready = self._ready, {}
        return any([self.step_one(domid) for domid in ready])  # noqa: C419 (all of them)

    def step_one(self, domid: int) -> bool:
        """The same for one domain."""
        ring = self._rings.get(domid)
        if ring is None or domid not in self._ports or not ring.step():
            return False
        self._side.notify(self._ports[domid])
        return True

    def _open(self, domid: int) -> Connection:
        connection = self._connect(domid)
        connection.on_pending = lambda _connection: self._ready.setdefault(domid)
        return connection


def guest_store(side: GuestSide, wait: Callable[[float | None], object]) -> Store:
    """A kernel's connection; `wait` lets the server look at the ring, or time pass."""
    page, port = side.page(Gfn(side.param(PARAM_STORE_PFN))), side.param(PARAM_STORE_EVTCHN)
    return Store(Link(RingPort(GuestEnd(page), lambda: side.notify(port), wait)))
