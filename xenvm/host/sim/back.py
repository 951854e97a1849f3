"""The back ends of the simulated domain 0: those of host.back, with the troubles that somebody wants them to have."""

from __future__ import annotations

from xenbus import handshake
from xenbus.errors import DeviceFault
from xenvm.host import back
from xenvm.host.sim.faults import FAILING, MISSING, SLOW, SLOW_SECONDS, STUCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.client import Store
    from xenbus.devicebus import Bus
    from xenbus.driver import Nodes
    from xenvm.host.back import BackSide


class GuestBackend(back.GuestBackend):
    """A back end that can be told to fail."""

    trouble: Callable[[], str] = staticmethod(str)
    """Its driver's fault, see xenvm.host.sim.faults."""

    def _act(self, action: str) -> Nodes | None:
        trouble = self.trouble()
        if trouble == STUCK and action != handshake.OFFER:
            return None
        if trouble == FAILING and action == handshake.CONNECT:
            raise DeviceFault(f"{self.path} cannot be served: this back end has been told to fail")
        return super()._act(action)


class BackDriver(back.BackDriver):
    """Serves all devices below ``backend/<kind>`` of domain 0; a peer of the simulated world."""

    def __init__(
        self, kind: str, store: Store, side: BackSide, make: Callable[[Bus, str], back.GuestBackend | None]
    ) -> None:
        self.trouble: Callable[[], str] = str
        """What is wrong with this driver, see xenvm.host.sim.faults."""
        self._due: float | None = None
        super().__init__(kind, store, side, make)

    def step(self) -> bool:
        """See Peer."""
        trouble = self.trouble()
        if trouble and (trouble == MISSING or (trouble == SLOW and self._too_early())):
            return False
        return super().step()

    def _too_early(self) -> bool:
        """Whether a slow driver lets its news wait."""
        now = self._watcher.store.clock()
        if self._due is None and self._watcher.has_events():
            self._due = now + SLOW_SECONDS
        if self._due is None or now < self._due:
            return True
        self._due = None
        return False

    def due(self) -> float | None:
        """See Peer."""
        return self._due

    def _probe(self, bus: Bus, path: str) -> back.GuestBackend | None:
        end = super()._probe(bus, path)
        if isinstance(end, GuestBackend):
            end.trouble = self.trouble
        return end
