"""Stores with their domains, to test by packets only: the real daemon, and ours in process and on its socket."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Protocol

from tests.conformance.client import Client, DirectChannel, PageChannel, RingChannel, SocketChannel
from tests.support.realstore import RealStore
from xenbus import wire
from xenbus.server.engine import Engine
from xenbus.server.ring import PAGE_SIZE, ServerEnd

PORT = 3


class World(Protocol):
    """A store, empty at first, and what makes domains."""

    name: str

    def dom0(self) -> Client:
        """A new privileged client."""

    def create(self, domid: int) -> None:
        """A domain that the store does not serve yet."""

    def guest(self, domid: int) -> Client:
        """Introduces a domain (again, where it is known); its connection."""

    def destroy(self, domid: int) -> None:
        """The domain dies, and the store learns it."""

    def shut_down(self, domid: int) -> None:
        """The domain stops, and stays."""

    def page(self, domid: int) -> memoryview:
        """The page of a guest's ring."""

    def notify(self, domid: int) -> None:
        """The guest tells the server to look at its page."""

    def close(self) -> None: ...


class RealWorld:
    """Debian's C xenstored."""

    name = "real"

    def __init__(self, shim: Path) -> None:
        # Not pytest's folder: addresses of sockets have to be short.
        self._folder = tempfile.TemporaryDirectory(prefix="xs")
        self.store = RealStore(Path(self._folder.name), shim)
        self._pages: dict[int, memoryview] = {}
        self._clients: list[Client] = []
        self._own = self.dom0()

    def dom0(self) -> Client:
        return self._keep(Client(SocketChannel(self.store.socket)))

    def create(self, domid: int) -> None:
        self._pages[domid] = memoryview(self.store.create(domid))

    def guest(self, domid: int) -> Client:
        if domid not in self._pages:
            self.create(domid)
        client = Client(RingChannel(self.store, domid, self._pages[domid]))
        assert self._own.ask(wire.INTRODUCE, str(domid), "1", str(PORT)) == wire.OK
        return self._keep(client)

    def destroy(self, domid: int) -> None:
        del self._pages[domid]
        self.store.destroy(domid)
        for _turn in range(1000):  # The daemon looks at its event channel in the same turn as at its sockets.
            if self._own.ask(wire.IS_DOMAIN_INTRODUCED, str(domid)) == b"F\0":
                return
        raise AssertionError(f"the daemon keeps domain {domid}")

    def shut_down(self, domid: int) -> None:
        self.store.shut_down(domid)

    def page(self, domid: int) -> memoryview:
        return self._pages[domid]

    def notify(self, domid: int) -> None:
        self.store.notify(domid)

    def close(self) -> None:
        for client in self._clients:
            client.channel.close()
        self.store.close()
        self._folder.cleanup()

    def _keep(self, client: Client) -> Client:
        self._clients.append(client)
        return client


class OurWorld:
    """Our engine, with the ends of its guests' rings."""

    name = "ours"

    def __init__(self) -> None:
        self._pages: dict[int, memoryview] = {}
        self._ends: dict[int, ServerEnd] = {}
        self.now = 0.0
        self.engine = Engine(exists=self._pages.__contains__, clock=lambda: self.now)
        self.engine.on_introduce = self._introduced
        self._own = self.dom0()

    def dom0(self) -> Client:
        return Client(DirectChannel(self.engine.connect(0)))

    def create(self, domid: int) -> None:
        self._pages[domid] = memoryview(bytearray(PAGE_SIZE))

    def guest(self, domid: int) -> Client:
        if domid not in self._pages:
            self.create(domid)
        assert self._own.ask(wire.INTRODUCE, str(domid), "1", str(PORT)) == wire.OK
        return Client(PageChannel(self._pages[domid], self._serve))

    def destroy(self, domid: int) -> None:
        del self._pages[domid]
        del self._ends[domid]
        self.engine.release(domid)

    def shut_down(self, domid: int) -> None:
        self.engine.shut_down(domid)

    def page(self, domid: int) -> memoryview:
        return self._pages[domid]

    def notify(self, domid: int) -> None:
        self._serve()

    def close(self) -> None: ...

    def _introduced(self, domid: int, _gfn: int, _port: int) -> None:
        if domid in self._pages:
            self._ends[domid] = ServerEnd(self._pages[domid], lambda: self.engine.connect(domid))

    def _serve(self) -> bool:
        self.now += 0.1  # so that nobody waits for a guest's credit in vain
        moved = [end.step() for end in self._ends.values()]
        return any(moved)
