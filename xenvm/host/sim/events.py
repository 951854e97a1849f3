"""Event channels between domains, with the rules of Xen's event_channel.h."""

from __future__ import annotations

from errno import EINVAL, ENOSPC, ESRCH

from xenvm.errors import HypercallError
from xenvm.types import DOM0, Domid, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NO_LIMIT = 1 << 17
"""What domain 0 may have: the ports of the FIFO ABI."""


class Channel:
    """One end: unbound until `peer` is set; `remote` may bind to it."""

    __slots__ = ("peer", "remote")

    def __init__(self, remote: Domid, peer: Port | None = None) -> None:
        self.remote, self.peer = remote, peer


class EventChannels:
    """The ports of all domains."""

    def __init__(self) -> None:
        self._limits: dict[Domid, int] = {}
        self._lowest: dict[Domid, int] = {}
        """No port below is free."""
        self._ports: dict[Domid, dict[Port, Channel]] = {}
        self._waiting: dict[Domid, set[int]] = {}
        """Ports that were notified."""
        self.on_event: Callable[[Domid], object] = lambda domid: None
        """Told of each domain that has an event to look at."""
        self.add(DOM0, _NO_LIMIT)

    def add(self, domid: Domid, highest: int) -> None:
        """A new domain, whose last port is `highest`."""
        self._limits[domid], self._ports[domid], self._waiting[domid] = highest, {}, set()
        self._lowest[domid] = 1

    def remove(self, domid: Domid) -> None:
        """The domain is gone: all of its ports close."""
        for port in list(self._ports.get(domid, ())):
            self.close(domid, port)
        for table in (self._limits, self._ports, self._waiting, self._lowest):
            table.pop(domid, None)

    def alloc_unbound(self, domid: Domid, remote: Domid) -> Port:
        """A port of a domain that `remote` can bind to."""
        port = self._free(domid, "alloc_unbound")
        self._ports[domid][port] = Channel(remote)
        return port

    def bind(self, domid: Domid, remote: Domid, remote_port: Port) -> Port:
        """A port of `domid` that is bound to a port of `remote`; EINVAL where that is not waiting for it."""
        other = self._ports.get(remote, {}).get(remote_port)
        if remote not in self._ports:
            raise HypercallError("bind_interdomain", ESRCH, domid=remote)
        if other is None or other.peer is not None or other.remote != domid:
            raise HypercallError("bind_interdomain", EINVAL, domid=remote, detail=f"port {remote_port} does not wait")
        port = self._free(domid, "bind_interdomain")
        self._ports[domid][port] = Channel(remote, remote_port)
        other.peer = port
        # What was sent before is lost; Xen makes up for it by one event.
        self._mark(domid, port)
        return port

    def notify(self, domid: Domid, port: Port) -> None:
        """Sends an event; nobody hears it on an unbound port."""
        channel = self._channel(domid, port, "evtchn_send")
        if channel.peer is not None:
            self._mark(channel.remote, channel.peer)

    def close(self, domid: Domid, port: Port) -> None:
        """Closes a port; its other end waits for a new one."""
        channel = self._channel(domid, port, "evtchn_close")
        del self._ports[domid][port]
        self._lowest[domid] = min(port, self._lowest[domid])
        self._waiting[domid].discard(port)
        if channel.peer is not None:
            self._ports[channel.remote][channel.peer].peer = None

    def pending(self, domid: Domid) -> set[int]:
        """The ports that were notified since the last call."""
        found = self._waiting.get(domid, set())
        if found:
            self._waiting[domid] = set()
        return found

    def take(self, domid: Domid, ports: set[int]) -> set[int]:
        """Those of some ports that were notified since the last call."""
        found = self._waiting[domid] & ports
        self._waiting[domid] -= found
        return found

    def count(self) -> int:
        """How many ports there are in all."""
        return sum(map(len, self._ports.values()))

    def _mark(self, domid: Domid, port: Port) -> None:
        self._waiting[domid].add(port)
        self.on_event(domid)

    def _channel(self, domid: Domid, port: Port, operation: str) -> Channel:
        channel = self._ports.get(domid, {}).get(port)
        if channel is None:
            raise HypercallError(operation, EINVAL, domid=domid, detail=f"port {port} is closed")
        return channel

    def _free(self, domid: Domid, operation: str) -> Port:
        used = self._ports.get(domid)
        if used is None:
            raise HypercallError(operation, ESRCH, domid=domid)
        port = self._lowest[domid]
        while port in used:
            port += 1
        if port > self._limits[domid]:
            raise HypercallError(operation, ENOSPC, domid=domid, detail="the domain has no free event channel")
        self._lowest[domid] = port + 1
        return Port(port)

    # Snapshots.

    def state(self) -> dict[str, Any]:
        """The guests' ports as JSON has them; those to domain 0 as unbound: its back ends bind anew."""
        return {
            str(domid): {
                "limit": self._limits[domid],
                "waiting": sorted(self._waiting[domid]),
                "ports": [
                    (port, channel.remote, None if channel.remote == DOM0 else channel.peer)
                    for port, channel in ports.items()
                ],
            }
            for domid, ports in self._ports.items()
            if domid != DOM0
        }

    def restore(self, state: dict[str, Any]) -> None:
        """What `state` gave."""
        for text, of in state.items():
            domid = Domid(int(text))
            self.add(domid, of["limit"])
            self._waiting[domid] = set(of["waiting"])
            self._ports[domid] = {port: Channel(remote, peer) for port, remote, peer in of["ports"]}
