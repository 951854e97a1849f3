"""What xenvm asks of the store for one creation: written down on the simulated host, to be asked of any store again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.simworld import SimWorld
from xenbus.client import Store
from xenbus.link import Call
from xenbus.request import Begin, Remove, Request, Unwatch, Watch

Group = tuple[bool, list[Request]]
"""Whether they belong to the transaction that was begun last, and requests that are sent together."""


class Creation:
    """The requests of domain 0's toolstack for a guest with a console, a vbd and a vif, in the same writes."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            world = SimWorld(Path(name))
            self.writes: list[list[Group]] = []
            link, send = world.host.store.link, world.host.store.link.send

            def record(groups: Sequence[tuple[int, Sequence[Request]]], deadline: float) -> Call:
                self.writes.append([(bool(tx), list(requests)) for tx, requests in groups])
                return send(groups, deadline)

            link.send = record  # type: ignore[method-assign]
            first = world.create()
            world.world.settle()
            world.destroy(first)
            self.writes.clear()  # from here on, as each further creation does it
            self.domid = world.create()
            world.world.close()
        self.count = sum(len(requests) for write in self.writes for _, requests in write)
        """How many requests that are."""

    def replay(self, store: Store) -> None:
        """Asks all of it, and waits wherever the toolstack waits."""
        tx = 0
        for write in self.writes:
            replies = store.exchange([(tx if inside else 0, requests) for inside, requests in write])
            if isinstance(write[0][1][0], Begin):
                tx = replies[0]

    def undo(self, store: Store) -> None:
        """Removes the nodes and the watches again."""
        asked = [request for write in self.writes for _, requests in write for request in requests]
        kept = [Unwatch(*request.payload.decode().split("\0")[:2]) for request in asked if isinstance(request, Watch)]
        kinds = ("console", "vbd", "vif")
        tops = [f"/local/domain/0/backend/{kind}/{self.domid}" for kind in kinds]
        store.batch([*kept, *map(Remove, (*tops, f"/local/domain/{self.domid}", f"/libxl/{self.domid}", "/vm"))])
