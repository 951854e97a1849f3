"""A guest that rewrites, removes and re-permits everything that it owns, whenever anything happens on its host."""

from __future__ import annotations

import random

from xenbus.errors import StoreClosed, StoreError, XenbusError
from xenbus.perm import Perm
from xenbus.request import Discard, Request, SetPerms, Write
from xenvm.host.sim.world import World
from xenvm.types import Domid

_JUNK = (b"", b"-1", b"0", b"6", b"99999999999999999999", b"\xff\xfe\0\x01", b"../../../0/name", b"%s%n", b"A" * 2000)
_NAMES = ("backend", "backend-id", "state", "frontend", "ring-ref", "event-channel", "mac", "online", "params", "node")


class Rewriter:
    """A service of a world; strikes in every round of it, as the domain `domid`, which it leaves only with its death.

    `victim` is another domain, whose devices it points to.
    """

    def __init__(self, world: World, domid: Domid, victim: Domid, seed: int = 0) -> None:
        self.strikes = self.taken = 0
        self._domid, self._home = domid, f"/local/domain/{domid}"
        self._store = world.peer_client(domid)
        self._random = random.Random(seed)
        other = f"/local/domain/0/backend/vbd/{victim}/51712"
        self._targets = [
            *(other.encode(), f"/local/domain/{victim}/device/vbd/51712".encode(), f"/libxl/{victim}".encode()),
            *(b"/", b"/vm", b"/local/domain/0", self._home.encode(), f"{self._home}/device/vbd/51712".encode()),
        ]
        self._invented = [
            f"{self._home}/device/{kind}/{devid}"
            for kind in ("vbd", "vif", "console", "vdispl", "nonsense")
            for devid in ("51712", "51728", "0", "99999", "x", "-1")
        ]

    def step(self) -> bool:
        """Strikes; never busy, lest the world never comes to rest."""
        try:
            self._strike()
        except (StoreClosed, XenbusError):
            pass  # It is dead, or was refused as a whole.
        return False

    def due(self) -> float | None:
        return None

    def _strike(self) -> None:
        self.strikes += 1
        paths = [*self._own(f"{self._home}/device"), *self._own(f"{self._home}/control"), f"{self._home}/data/x"]
        paths += [f"{path}/{name}" for path in self._invented for name in self._random.sample(_NAMES, 3)]
        requests: list[Request] = []
        for path in paths:
            what = self._random.random()
            if what < 0.1:
                requests.append(Discard(path))
            elif what < 0.2:
                requests.append(SetPerms(path, (Perm(self._domid), Perm(0, read=what < 0.15))))
            else:
                requests.append(Write(path, self._random.choice([*_JUNK, *self._targets])))
        self.taken += sum(not isinstance(reply, StoreError) for reply in self._store.batch(requests))

    def _own(self, path: str, depth: int = 4) -> list[str]:
        names = self._store.list_or_empty(path) if depth else ()
        return [path, *(each for name in names for each in self._own(f"{path}/{name}", depth - 1))]
