"""Who lives on a simulated host: what is made for each guest that starts, and what runs in domain 0 from the beginning.

The least that lets a toolstack do its work: guests that never do anything, a console daemon without consoles, and back
ends that walk through their states (xenbus_state in public/io/xenbus.h) and move no data.
"""

from __future__ import annotations

from xenbus import bus
from xenbus.errors import XenbusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenbus.client import Store
    from xenvm.host.sim.sides import Peer
    from xenvm.host.sim.world import World
    from xenvm.types import Domid

_TOP = "/local/domain/0/backend"
_OWN, _FRONT = "own", "front"
_FRONT_READY = (bus.INITIALISED, bus.CONNECTED)


class IdleKernel:
    """A guest that does nothing at all."""

    def step(self) -> bool:
        """See Peer."""
        return False

    def due(self) -> float | None:
        """See Peer."""
        return None


class ConsoleDaemon:
    """Says of each guest's console where it is."""

    def __init__(self, world: World) -> None:
        self._world, self._store = world, world.peer_client()
        self._known: set[int] = set()

    def step(self) -> bool:
        """See Peer."""
        introduced = self._world.introduced.keys()
        self._known &= introduced
        new = introduced - self._known
        for domid in new:
            home = f"/local/domain/{domid}/console"
            if self._store.read_or_none(f"{home}/ring-ref") is not None:
                self._store.write(f"{home}/tty", f"/dev/pts/{domid}")
        self._known |= new
        return bool(new)

    def due(self) -> float | None:
        """See Peer."""
        return None


class BackEnds:
    """The back ends of all vbds and vifs."""

    def __init__(self, world: World) -> None:
        self._store: Store = world.peer_client()
        self._fronts: dict[str, str] = {}
        """Back end -> its front end, whose state is watched."""
        self._store.watch(_TOP, _OWN)

    def step(self) -> bool:
        """See Peer."""
        touched = set()
        while (event := self._store.next_event(0)) is not None:
            path, token = event
            parts = path.split("/") if token == _OWN else token.split("/")
            if len(parts) >= 8:
                touched.add("/".join(parts[:8]))
        return any(list(map(self._walk, sorted(touched))))

    def due(self) -> float | None:
        """See Peer."""
        return None

    def _walk(self, back_end: str) -> bool:
        """One step of one back end; whether there was one."""
        own = bus.parse_state(self._store.read_or_none(f"{back_end}/state"))
        if own == bus.UNKNOWN:
            self._forget(back_end)
            return False
        peer = bus.parse_state(self._store.read_or_none(f"{self._front_of(back_end)}/state"))
        following = bus.BACKEND_CLOSE.get((own, peer))
        if own == bus.INITIALISING and following is None:
            following = bus.INIT_WAIT
        elif own == bus.INIT_WAIT and peer in _FRONT_READY:
            following = bus.CONNECTED
        if following is None or following == own:
            return False
        self._store.write(f"{back_end}/state", str(following))
        return True

    def _front_of(self, back_end: str) -> str:
        if back_end not in self._fronts:
            front = (self._store.read_or_none(f"{back_end}/frontend") or b"").decode("ascii", "replace")
            self._fronts[back_end] = front
            self._store.watch(f"{front}/state", back_end)
        return self._fronts[back_end]

    def _forget(self, back_end: str) -> None:
        front = self._fronts.pop(back_end, None)
        if front is not None:
            try:
                self._store.unwatch(f"{front}/state", back_end)
            except XenbusError:
                pass  # it went with the domain


def kernel(_world: World, _domid: Domid, _state: Any) -> Peer:
    """The kernel of a guest."""
    return IdleKernel()


def console_daemon(world: World, _state: Any) -> Peer:
    """xenconsoled."""
    return ConsoleDaemon(world)


def back_ends(world: World, _state: Any) -> Peer:
    """blkback and netback."""
    return BackEnds(world)


SERVICES = (console_daemon, back_ends)
