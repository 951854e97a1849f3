"""Back ends in user space: the driver of one kind, its devices, and what they ask of a hypervisor, real or simulated.

That is little: to map pages which a guest grants, and event channels.
"""

from __future__ import annotations

from xenbus.devicebus import Bus
from xenbus.driver import Backend
from xenbus.errors import DeviceFault, StoreError
from xenbus.parse import parse_word, shown
from xenbus.watcher import Watcher
from xenvm.errors import HypercallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from xenbus.client import Store
    from xenbus.driver import End
else:
    Protocol = object


class BackSide(Protocol):
    """What a back end in domain 0 may do; each program has one of its own, as it opens /dev/xen/evtchn and gntdev.

    Failures are HypercallError.
    """

    def fileno(self) -> int:
        """For selectors: readable while `pending` would give a port; -1 where a simulated world does the waiting."""

    def map_grant(self, domid: int, ref: int, readonly: bool = False) -> memoryview:
        """The 4096 bytes of a page that a guest has granted."""

    def unmap_grant(self, domid: int, ref: int) -> None:
        """Gives a page back; its view is dead afterwards."""

    def bind(self, domid: int, port: int) -> int:
        """A local port that is bound to a guest's."""

    def unbind(self, port: int) -> None:
        """Closes a local port."""

    def notify(self, port: int) -> None:
        """Sends an event through a local port."""

    def pending(self) -> set[int]:
        """The local ports of this side that were notified since the last call."""


class GuestBackend(Backend):
    """A back end with a hypervisor under it, which its driver sets before the first step."""

    faults = (DeviceFault, StoreError, HypercallError, OSError)

    if TYPE_CHECKING:
        side: BackSide

    def map_ring(self, untrusted_ref: bytes | None) -> tuple[int, memoryview]:
        """(grant reference, page) of what the front end says is a ring."""
        ref = parse_word(untrusted_ref)
        if ref is None:
            raise DeviceFault(f"{self.peer} has no sensible reference to a ring")
        return ref, self.side.map_grant(self.remote, ref)

    def count_queues(self, offered: int = 1) -> int:
        """How many queues the front end uses, 1 where it does not say; DeviceFault if that is none or too many."""
        (untrusted,) = self.read_peer("multi-queue-num-queues")
        count = 1 if untrusted is None else parse_word(untrusted)
        if count is None or not 1 <= count <= offered:
            raise DeviceFault(f"{self.peer} asks for {shown(untrusted)} queues, where {offered} can be had")
        return count

    def parse_port(self, untrusted_port: bytes | None) -> int:
        """The front end's event channel."""
        port = parse_word(untrusted_port)
        if port is None:
            raise DeviceFault(f"{self.peer} has no sensible event channel")
        return port

    def bind_port(self, untrusted_port: bytes | None) -> None:
        """Binds to the front end's event channel."""
        self.use_port(self.side.bind(self.remote, self.parse_port(untrusted_port)))

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
    """Serves the devices below ``backend/<kind>`` of domain 0: by host.serve, or as a peer of a simulated world."""

    def __init__(
        self, kind: str, store: Store, side: BackSide, make: Callable[[Bus, str], GuestBackend | None]
    ) -> None:
        self.kind = kind
        self.messages: list[str] = []
        """What went wrong with devices, oldest first, the last few."""
        self.say: Callable[[str], object] = str
        """Is told of the same at once."""
        self.store, self.side, self._make = store, side, make
        self._watcher = Watcher(store)
        self._bus = Bus(self._watcher, f"backend/{kind}", self._probe, self._report)

    @property
    def devices(self) -> dict[str, End]:
        """Back ends by path, as ``backend/vbd/5/51712``."""
        return self._bus.ends

    def step(self) -> bool:
        """Does what can be done now, without waiting; whether it did anything."""
        return self._watcher.step() | self._bus.step(self.side.pending())

    def serve_events(self) -> bool:
        """Serves only those that event channels tell of, which is cheaper; whether somebody wants another turn."""
        self._bus.step(self.side.pending())
        return self._bus.has_kicked()

    def due(self) -> float | None:
        """See Peer of host.sim."""
        return None

    def descriptors(self) -> Mapping[int, int]:
        """What else to wait for now: descriptors, and which events of theirs (select.POLLIN and so on)."""
        return {}

    def close(self) -> None:
        """Gives up all that is mapped; the front ends are not told, another driver can go on."""
        self._bus.close()

    def _probe(self, bus: Bus, path: str) -> GuestBackend | None:
        end = self._make(bus, path)
        if end is not None:
            end.side = self.side
        return end

    def _report(self, message: str) -> None:
        self.messages = [*self.messages[-99:], message]
        self.say(message)
