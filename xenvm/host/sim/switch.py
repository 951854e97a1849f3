"""Simulated bridges: Ethernet switches that learn which address is behind which port."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    Deliver = Callable[[bytes], None]

ADDRESSES_MAX = 1024
"""Addresses that a bridge remembers: guests can make up as many as they like."""
_GROUP = 1


class Switch:
    """One bridge; a port is anything that frames can be delivered to."""

    def __init__(self) -> None:
        self._ports: dict[Hashable, Deliver] = {}
        self._learned: dict[bytes, Hashable] = {}

    def plug(self, port: Hashable, deliver: Deliver) -> None:
        """Adds a port."""
        self._ports[port] = deliver

    def unplug(self, port: Hashable) -> None:
        """Removes a port, and what was learned of it."""
        self._ports.pop(port, None)
        self._learned = {address: where for address, where in self._learned.items() if where != port}

    def forward(self, frame: bytes, source: Hashable) -> None:
        """Passes a frame on: to the port of its destination if that is known, otherwise to all but its own."""
        if len(frame) < 14:
            return
        self._learn(frame[6:12], source)
        known = None if frame[0] & _GROUP else self._learned.get(frame[:6])
        targets = [known] if known is not None else list(self._ports)
        for port in targets:
            if port != source and port in self._ports:
                self._ports[port](frame)

    def _learn(self, address: bytes, port: Hashable) -> None:
        if address[0] & _GROUP:
            return
        if address not in self._learned and len(self._learned) >= ADDRESSES_MAX:
            del self._learned[next(iter(self._learned))]
        self._learned[address] = port
