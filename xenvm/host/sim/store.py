"""xenstored of the simulated domain 0: the engine, its clients in this process, and the rings of the guests."""

from __future__ import annotations

from xenbus.client import Store
from xenbus.link import Link
from xenbus.server.arguments import Refused
from xenbus.server.engine import Engine
from xenvm.errors import HypercallError
from xenvm.host.sim.backside import Dom0
from xenvm.host.sim.port import WorldPort
from xenvm.host.sim.storering import StoreRings, guest_store
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from xenvm.host.sim.hypervisor import SimHypervisor
    from xenvm.host.sim.sides import GuestSide

_FEW = 16


class Xenstored:
    """The store; `wake` is told of each guest that has something to take from it."""

    def __init__(self, hyper: SimHypervisor, clock: Callable[[], float], wake: Callable[[Domid], None]) -> None:
        self.engine = Engine(lambda domid: domid in hyper.all, clock=clock)
        self.engine.on_introduce, self.engine.on_release = self._introduce, self._forget
        self.introduced: dict[int, tuple[int, int]] = {}
        """Domains that are served: frame of the ring, port."""
        self._clock, self._wake = clock, wake
        self._rings = StoreRings(Dom0(hyper), self.engine.connect)
        self._ports: list[WorldPort] = []
        self._many_ports = _FEW

    def connect(self, domid: int, idle: Callable[[float | None], object]) -> Store:
        """A client in a domain; `idle` is called while it waits."""
        connection = self.engine.connect(domid)
        if domid:
            connection.on_pending = lambda _connection: self._wake(Domid(domid))
        port = WorldPort(connection, self._clock, idle)
        self._ports.append(port)
        if len(self._ports) > self._many_ports:
            self._ports = [known for known in self._ports if not known.connection.closed]
            self._many_ports = 2 * len(self._ports) + _FEW
        return Store(Link(port))

    def deliver(self) -> None:
        """Takes what waits for each client on its behalf, lest one that is not at its turn stops the others."""
        for port in self._ports:
            port.prefetch()

    def guest(self, side: GuestSide, idle: Callable[[float | None], object]) -> Store:
        """A kernel's connection, over its ring; `idle` is called where the server has nothing to do for it."""

        def wait(left: float | None) -> None:
            if not self._rings.step_one(side.domid):
                idle(left)

        return guest_store(side, wait)

    def step(self) -> bool:
        """Serves the rings; whether there was anything to do."""
        return self._rings.step()

    def _introduce(self, domid: int, gfn: int, port: int) -> None:
        """Maps the ring by its grant and binds the port, or refuses."""
        try:
            self._rings.add(domid, port)
        except HypercallError:
            self._forget(domid)
            raise Refused("EINVAL") from None
        self.introduced[domid] = gfn, port

    def _forget(self, domid: int) -> None:
        self._rings.remove(domid)
        self.introduced.pop(domid, None)

    # Snapshots.

    def state(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "introduced": [(domid, *at) for domid, at in self.introduced.items()],
            "quotas": self._quotas(),
            "tree": [[part.decode("latin-1") for part in record] for record in self.engine.records()],
        }

    def restore(self, state: dict[str, Any], down: Iterable[Domid]) -> None:
        """What `state` gave; `down`: the domains that have shut down."""
        records = ([part.encode("latin-1") for part in record] for record in state["tree"])
        self.engine.restore((path, value, perms) for path, value, perms in records)
        for domid, gfn, port in state["introduced"]:
            self.engine.introduce(domid, gfn, port)
        for domid in down:
            self.engine.shut_down(domid)
        for domid, name, value in state.get("quotas", []):
            owner = self.engine.domains if domid is None else self.engine.domains.find(domid)
            if owner is not None:
                owner.quotas.set(name.encode(), value)

    def _quotas(self) -> list[tuple[int | None, str, int]]:
        """What has been set: whose (None: everybody's), name, value."""
        domains = self.engine.domains
        owners = [(None, domains.quotas), *((domid, domain.quotas) for domid in (0, *self.introduced)
                                            if (domain := domains.get(domid)))]  # fmt: skip
        return [(domid, name.decode(), value) for domid, quotas in owners for name, value in quotas.own().items()]
