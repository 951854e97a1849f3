"""What back ends in domain 0 have in common: the driver of one kind, and its devices on a side of the hypervisor."""

from __future__ import annotations

from xenbus import handshake
from xenbus.devicebus import Bus
from xenbus.driver import Backend
from xenbus.errors import DeviceFault, StoreError
from xenbus.parse import parse_word
from xenbus.watcher import Watcher
from xenvm.errors import HypercallError
from xenvm.host.sim.faults import FAILING, MISSING, SLOW, SLOW_SECONDS, STUCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.client import Store
    from xenbus.driver import End, Nodes
    from xenvm.host.sim.sides import BackSide


class GuestBackend(Backend):
    """A back end with a hypervisor under it, which its driver sets before the first step."""

    faults = (DeviceFault, StoreError, HypercallError, OSError)
    trouble: Callable[[], str]
    """Its driver's fault, see xenvm.host.sim.faults."""

    if TYPE_CHECKING:
        side: BackSide

    def _act(self, action: str) -> Nodes | None:
        trouble = self.trouble()
        if trouble == STUCK and action != handshake.OFFER:
            return None
        if trouble == FAILING and action == handshake.CONNECT:
            raise DeviceFault(f"{self.path} cannot be served: this back end has been told to fail")
        return super()._act(action)

    def map_ring(self, untrusted_ref: bytes | None) -> tuple[int, memoryview]:
        """(grant reference, page) of what the front end says is a ring."""
        ref = parse_word(untrusted_ref)
        if ref is None:
            raise DeviceFault(f"{self.peer} has no sensible reference to a ring")
        return ref, self.side.map_grant(self.remote, ref)

    def bind_port(self, untrusted_port: bytes | None) -> None:
        """Binds to the front end's event channel."""
        port = parse_word(untrusted_port)
        if port is None:
            raise DeviceFault(f"{self.peer} has no sensible event channel")
        self.use_port(self.side.bind(self.remote, port))

    def tell(self, wanted: bool) -> None:
        """Notifies the front end if that is `wanted`."""
        if wanted and self.port is not None:
            self.side.notify(self.port)

    def let_go(self) -> None:
        """See End."""
        port = self.port
        super().let_go()
        if port is not None:
            self.side.unbind(port)


class BackDriver:
    """Serves all devices below ``backend/<kind>`` of domain 0; a peer of the simulated world."""

    def __init__(
        self, kind: str, store: Store, side: BackSide, make: Callable[[Bus, str], GuestBackend | None]
    ) -> None:
        self.kind = kind
        self.messages: list[str] = []
        """What went wrong with devices, oldest first, the last few."""
        self._side, self._make = side, make
        self.trouble: Callable[[], str] = str
        """What is wrong with this driver, see xenvm.host.sim.faults."""
        self._due: float | None = None
        self._watcher = Watcher(store)
        self._bus = Bus(self._watcher, f"backend/{kind}", self._probe, self._report)

    @property
    def devices(self) -> dict[str, End]:
        """Back ends by path, as ``backend/vbd/5/51712``."""
        return self._bus.ends

    def step(self) -> bool:
        """See Peer."""
        trouble = self.trouble()
        if trouble and (trouble == MISSING or (trouble == SLOW and self._too_early())):
            return False
        return self._watcher.step() | self._bus.step(self._side.pending())

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

    def close(self) -> None:
        """Gives up all that is mapped; the front ends are not told, another driver can go on."""
        self._bus.close()

    def _probe(self, bus: Bus, path: str) -> GuestBackend | None:
        end = self._make(bus, path)
        if end is not None:
            end.side, end.trouble = self._side, self.trouble
        return end

    def _report(self, message: str) -> None:
        self.messages = [*self.messages[-99:], message]
