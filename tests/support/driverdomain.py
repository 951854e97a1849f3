"""A driver domain of a simulated host: its kernel's back ends, and xenvm's devd in it, as peers of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.simworld import SimWorld
from xenbus.client import Store
from xenvm.host.open import Host
from xenvm.host.sim.back_block import block_driver
from xenvm.host.sim.back_net import NetDriver
from xenvm.host.sim.backside import Dom0
from xenvm.host.sim.world import World
from xenvm.ops.devd import Devd
from xenvm.types import Domid

if TYPE_CHECKING:
    from xenvm.host.plumbing import Plumbing


class InnerHost(Host):
    """The host as a program in the driver domain sees it: no hypervisor, and the store as that domain."""

    def __init__(self, world: World, domid: Domid) -> None:
        super().__init__()
        self.world, self.domid = world, domid

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = self.world.peer_client(self.domid)
        return self._store

    @property
    def plumbing(self) -> Plumbing:
        return self.world.plumbing


class Daemon:
    """devd as a peer."""

    def __init__(self, host: InnerHost) -> None:
        self.said: list[str] = []
        self.devd = Devd(host, host.domid, self.said.append)
        self.store = host.world.peer_client(host.domid)
        self.store.watch(self.devd.top, "devd")

    def step(self) -> bool:
        paths = [event[0] for event in iter(lambda: self.store.next_event(0), None)]
        self.devd.look(paths)
        return bool(paths)

    def due(self) -> None:
        """Never by itself."""


class DriverDomain:
    """One that runs, with its kernel's drivers; devd starts when it is told to."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.domid = world.create(name="driver", driver_domain=1, disk=[], vif=[])
        self.top = f"/local/domain/{self.domid}/backend"
        inner = world.world
        self.sides = [Dom0(inner.hyper, self.domid), Dom0(inner.hyper, self.domid)]
        self.kernel = [
            block_driver(inner.peer_client(self.domid), self.sides[0]),
            NetDriver(inner.peer_client(self.domid), self.sides[1]),
        ]
        inner.services += self.kernel
        self.daemon: Daemon | None = None

    @property
    def said(self) -> list[str]:
        """What devd has said."""
        return [] if self.daemon is None else self.daemon.said

    def start(self) -> None:
        """devd starts, for the first time or again."""
        self.stop()
        self.daemon = Daemon(InnerHost(self.world.world, self.domid))
        self.world.world.services.append(self.daemon)
        self.world.world.settle()

    def stop(self) -> None:
        """devd ends, and leaves all as it is."""
        if self.daemon is not None:
            self.world.world.services.remove(self.daemon)
            self.daemon.store.close()
            self.daemon = None

    def hang(self) -> None:
        """Nothing runs in it any more."""
        self.stop()
        self.world.world.services = [each for each in self.world.world.services if each not in self.kernel]

    def end(self) -> None:
        """The domain is destroyed: it lets go of others' pages."""
        self.hang()
        for side in self.sides:
            side.close()
        assert self.world.destroy(self.domid) == []
