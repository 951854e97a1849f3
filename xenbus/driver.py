"""Base classes of front ends and back ends: a working driver is a subclass that says what it shares and serves.

An end is level-triggered: step() reads both states, looks up the move in its table (xenbus.handshake), makes it, and
is called again when anything has changed. Paths are relative to the driver's own domain, so that the same code runs in
domain 0, in a driver domain and in a guest.
"""

from __future__ import annotations

from xenbus import handshake
from xenbus.bus import CLOSED, CLOSING, CONNECTED, INITIALISED, INITIALISING, UNKNOWN
from xenbus.errors import DeviceFault, StoreError
from xenbus.parse import parse_bool, parse_domid, parse_path_under, parse_state
from xenbus.path import basename
from xenbus.request import Read, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from xenbus.client import Store
    from xenbus.devicebus import Bus
    from xenbus.request import Request
    from xenbus.transaction import Transaction

    Nodes = Mapping[str, object]
    """Nodes of an end to write, relative to its path; their values as text."""


class End:
    """One end of a device: `path` is its own, relative to its domain, `peer` the other one's, `remote` its domid."""

    faults: tuple[type[Exception], ...] = (DeviceFault, StoreError)
    """What puts this device out of service, and no other."""

    def __init__(self, bus: Bus, path: str, peer: str, remote: int) -> None:
        self.bus, self.store, self.path, self.peer, self.remote = bus, bus.watcher.store, path, peer, remote
        self.devid = basename(path)
        self.gone = False
        """Whether the device is not this driver's any more."""
        self.peer_changed = True
        """Whether the other end's state was written since the last step."""
        self.error = ""
        """Why the device failed, empty while it has not."""
        self.in_service = False
        """Whether this object has connected, and shares something."""
        self.port: int | None = None
        """The event channel, see use_port()."""

    # What a driver says.

    def release(self) -> None:
        """Gives up all that is shared. Also called when nothing is shared yet, and twice."""

    def serve(self) -> bool:
        """Looks at the rings: the other end has sent an event. Whether there was anything to do."""
        return False

    # What it can use.

    def read(self, *names: str) -> list[bytes | None]:
        """Values of the own nodes."""
        return self._read([f"{self.path}/{name}" for name in names])

    def read_peer(self, *names: str) -> list[bytes | None]:
        """Values of the other end's nodes, which it can have written: they are hostile."""
        return self._read([f"{self.peer}/{name}" for name in names])

    def use_port(self, port: int | None) -> None:
        """From now on serve() is called for events of this port; None: no more."""
        if self.port is not None:
            self.bus.ports.pop(self.port, None)
        self.port = port
        if port is not None:
            self.bus.ports[port] = self

    def commit(self, nodes: Nodes, state: int) -> None:
        """Writes own nodes and the state in one transaction, unless the device was removed."""

        def body(tx: Transaction) -> list[Request]:
            if tx.read_or_none(f"{self.path}/state") is None:
                return []
            writes: list[Request] = [Write(f"{self.path}/{name}", str(value)) for name, value in nodes.items()]
            return [*writes, Write(f"{self.path}/state", str(state))]

        self.store.transact(body, checked=False)

    def fail(self, error: Exception) -> None:
        """Puts the device out of service and tells why, where such errors are looked for."""
        self.error = str(error)
        self.bus.report(f"{self.path}: {error}")
        self.let_go()
        try:
            self.store.write(f"error/{self.path}/error", f"{getattr(error, 'errno', 22)} {error}")
            self.commit({}, CLOSING)
        except StoreError:
            pass  # It was removed meanwhile, or the domain is on its way out.

    def let_go(self) -> None:
        """release(), and no more events."""
        self.in_service = False
        self.use_port(None)
        self.release()

    # What makes it run.

    def step(self) -> bool:
        """Makes the moves that the states ask for; whether it made one."""
        try:
            return self._step()
        except self.faults as error:
            self.fail(error)
            return True
        finally:
            self.peer_changed = False

    def served(self) -> bool:
        """serve(), with its failure dealt with."""
        try:
            return self.serve()
        except self.faults as error:
            self.fail(error)
            return True

    if TYPE_CHECKING:

        def _step(self) -> bool: ...

    def _read(self, paths: list[str]) -> list[bytes | None]:
        return _values(self.store, paths)

    def _states(self) -> tuple[int, int]:
        own, peer = self._read([f"{self.path}/state", f"{self.peer}/state"])
        return parse_state(own), parse_state(peer)


def _values(store: Store, paths: list[str]) -> list[bytes | None]:
    """Values of nodes, None for what is not there or cannot be read."""
    replies = store.batch([Read(path) for path in paths])
    return [None if isinstance(reply, StoreError) else reply for reply in replies]


class Backend(End):
    """A back end: subclasses say what they offer, connect to, and serve.

    A new process takes over the devices that an earlier one has left connected, if their rings can be mapped again.
    """

    table = handshake.BACKEND

    def offer(self) -> Nodes:
        """What the own nodes say before the front end is there."""
        return {}

    def connect(self) -> Nodes | None:
        """Maps what the front end shares and gives the own properties; None: not yet, something is still missing."""
        return {}

    def reconfigure(self) -> None:
        """The front end asks for something else (only vif does)."""

    @classmethod
    def probe(cls, bus: Bus, path: str) -> Self | None:
        """The driver of a back end; None if it is not (or not yet, or not any more) one to serve."""
        names = ("state", "online", "frontend-id", "frontend")
        raw_state, online, front_id, front = _values(bus.watcher.store, [f"{path}/{name}" for name in names])
        state, domid = parse_state(raw_state), parse_domid(front_id)
        peer = None if domid is None else parse_path_under(front, f"/local/domain/{domid}")
        if state == UNKNOWN or (state == CLOSED and not parse_bool(online)) or domid is None or peer is None:
            return None
        # A back end whose front end is gone has nobody to serve, whatever its state.
        return cls(bus, path, peer, domid) if bus.watcher.store.read_or_none(f"{peer}/state") is not None else None

    def _step(self) -> bool:
        own, peer = self._states()
        if own == UNKNOWN or peer == UNKNOWN:
            self._leave(own)
            return True
        move = self.table.get((own, peer)) or self._take_over(own, peer)
        if move is None:
            return False
        nodes = self._act(move.action)
        if nodes is None:
            return False
        self.in_service = self.in_service or move.action == handshake.CONNECT
        self.commit(nodes, move.state)
        if move.state == CLOSED:
            self.gone = not parse_bool(self.read("online")[0])
        return True

    def _act(self, action: str) -> Nodes | None:
        if action == handshake.OFFER:
            return self.offer()
        if action == handshake.CONNECT:
            return self.connect()
        if action == handshake.RECONFIGURE:
            self.reconfigure()
        elif action == handshake.RELEASE:
            self.let_go()
        return {}

    def _take_over(self, own: int, peer: int) -> handshake.Move | None:
        """What an earlier process has connected has to be mapped anew."""
        taken = not self.in_service and own == CONNECTED and peer in (INITIALISED, CONNECTED)
        return handshake.Move(handshake.CONNECT, CONNECTED) if taken else None

    def _leave(self, own: int) -> None:
        """One of the ends was removed. As Linux does it, Closed is written only where the toolstack waits for it."""
        self.let_go()
        self.gone = True
        if own == CLOSING:
            self.commit({}, CLOSED)


class Frontend(End):
    """A front end: subclasses say what they publish and how they use what the back end has."""

    table = handshake.FRONTEND
    probed = (INITIALISING, CONNECTED, CLOSING, CLOSED)
    """The own states in which a driver takes on a device: new, or left by another kernel."""
    shutting_down = False
    """Set when the guest goes down: the device is closed from this end."""

    def __init__(self, bus: Bus, path: str, peer: str, remote: int, resetting: bool = True) -> None:
        super().__init__(bus, path, peer, remote)
        self._resetting = resetting
        self.state = UNKNOWN
        """The own state, as of the last step."""

    def goes_on(self) -> None:
        """The device is this kernel's own: one that is connected is not reset first."""
        self._resetting = False

    def publish(self) -> Nodes:
        """Makes the rings and event channels, and gives the nodes that tell of them."""
        return {}

    def connect(self) -> None:
        """The back end is in service: reads its properties."""

    def refresh(self) -> None:
        """The back end has written its state anew: something of it may be different."""

    @classmethod
    def probe(cls, bus: Bus, path: str) -> Self | None:
        """The driver for a new front end; None if it is not one to serve."""
        names = ("state", "backend-id", "backend")
        state, back_id, back = _values(bus.watcher.store, [f"{path}/{name}" for name in names])
        domid = parse_domid(back_id)
        peer = None if domid is None else parse_path_under(back, f"/local/domain/{domid}")
        if parse_state(state) not in cls.probed or domid is None or peer is None:
            return None
        return cls(bus, path, peer, domid)

    def _step(self) -> bool:
        own, peer = self._states()
        self.state = own
        if own == UNKNOWN:
            self.let_go()
            self.gone = True
            return True
        if own == INITIALISING:
            self._resetting = False
        move = self._table().get((own, peer))
        if move is None:
            return False
        nodes = self._act(move.action)
        if nodes is None:
            return False
        if move.state != own or nodes:
            self.commit(nodes, move.state)
            self.state = move.state
        return True

    def _table(self) -> handshake.Table:
        if self.shutting_down:
            return handshake.FRONTEND_SHUTDOWN
        return handshake.FRONTEND_RESET if self._resetting else self.table

    def _act(self, action: str) -> Nodes | None:
        if action == handshake.PUBLISH:
            return self.publish()
        if action == handshake.CONNECT:
            self.connect()
        elif action == handshake.REFRESH:
            if not self.peer_changed:
                return None
            self.refresh()
        elif action == handshake.RELEASE:
            self.let_go()
        return {}
