"""What the front ends of a simulated kernel have in common."""

from __future__ import annotations

from xenbus.bus import CONNECTED, INITIALISING
from xenbus.driver import Frontend
from xenbus.errors import DeviceFault, StoreError
from xenvm.errors import HypercallError
from xenvm.host.sim.guestpages import Shared
from xenvm.types import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenbus.driver import Nodes
    from xenvm.host.sim.guestpages import Pages
    from xenvm.host.sim.sides import GuestSide
    from xenvm.types import Gfn


class GuestFrontend(Frontend):
    """A front end with a hypervisor under it: attach() comes before the first step."""

    faults = (DeviceFault, StoreError, HypercallError)
    stubborn = False
    """It does not close when the back end asks for it."""
    secretive = False
    """It does not tell where its rings are."""

    if TYPE_CHECKING:
        side: GuestSide
        shared: Shared
        log: Callable[[str], None]

    def attach(self, side: GuestSide, pages: Pages, log: Callable[[str], None]) -> None:
        """Says where it runs; `log` prints to the kernel's log."""
        self.side, self.shared, self.log = side, Shared(side, pages, self.remote), log

    def open_port(self) -> int:
        """An event channel to the back end."""
        port = self.side.alloc_unbound(self.remote)
        self.use_port(port)
        return port

    def close_port(self) -> None:
        """Closes the event channel, if there is one."""
        if self.port is not None:
            port = self.port
            self.use_port(None)
            self.side.close_port(port)

    def tell(self, wanted: bool) -> None:
        """Notifies the back end if that is `wanted`."""
        if wanted and self.port is not None:
            self.side.notify(self.port)

    def ring_pages(self) -> list[Gfn]:
        """The pages that hold rings."""
        return []

    def spoil(self, indexes: bytes) -> None:
        """Puts senseless indexes into the rings, and has the back end look at them."""
        for gfn in self.ring_pages():
            self.side.write(gfn * PAGE_SIZE, indexes)
        self.tell(True)

    def let_go(self) -> None:
        """See End."""
        self.in_service = False
        self.close_port()
        self.release()

    def _act(self, action: str) -> Nodes | None:
        nodes = super()._act(action)
        return {} if self.secretive and nodes else nodes

    def _step(self) -> bool:
        if self.stubborn and not self.shutting_down and self.state == CONNECTED:
            return False
        return super()._step()

    def state_of(self) -> dict[str, Any]:
        """What restore() takes, as plain values."""
        return {"peer": self.peer, "remote": self.remote, "port": self.port, "state": self.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where another object stood; after attach()."""
        self.state = state["state"]
        self.goes_on()
        self.use_port(state["port"])
        self.in_service = self.state not in (0, INITIALISING)
