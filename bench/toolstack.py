"""What xenvm asks of the store for one creation: written down on the simulated host, to be asked of any store again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.support.simworld import SimWorld
from xenbus.client import Store
from xenbus.request import Begin, Introduce, Remove, Request, Unwatch, Watch

Group = tuple[bool, list[Request]]
"""Whether they belong to the transaction that was begun last, and requests that are sent together."""


class Creation:
    """The requests of domain 0's toolstack for a guest with a console, a vbd and a vif, in the same writes."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            world = SimWorld(Path(name))
            self.writes: list[list[Group]] = []
            link = world.host.store.link
            send = link.send

            def record(groups, deadline):  # type: ignore[no-untyped-def]
                self.writes.append([(bool(tx), list(requests)) for tx, requests in groups])
                return send(groups, deadline)

            link.send = record  # type: ignore[method-assign]
            self.domid = world.create()
            world.world.close()
        # The answers of back ends come from elsewhere: what was asked again because of them is not a store's work.
        self.count = sum(len(requests) for write in self.writes for _, requests in write)

    def replay(self, store: Store, introduce: bool = True) -> None:
        """Asks all of it, and waits wherever the toolstack waits."""
        tx = 0
        for write in self.writes:
            groups = [(tx if inside else 0, self._now(requests, introduce)) for inside, requests in write]
            replies = store.exchange(groups)
            if isinstance(groups[0][1][0], Begin):
                tx = replies[0]

    @staticmethod
    def _now(requests: list[Request], introduce: bool) -> list[Request]:
        return [request for request in requests if introduce or not isinstance(request, Introduce)]

    def undo(self, store: Store) -> None:
        """Removes the nodes and the watches again."""
        asked = [request for write in self.writes for _, requests in write for request in requests]
        kept = [Unwatch(*request.payload.decode().split("\0")[:2]) for request in asked if isinstance(request, Watch)]
        kinds = ("console", "vbd", "vif")
        tops = [f"/local/domain/0/backend/{kind}/{self.domid}" for kind in kinds]
        store.batch([*kept, *map(Remove, (*tops, f"/local/domain/{self.domid}", f"/libxl/{self.domid}", "/vm"))])
