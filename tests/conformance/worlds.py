"""Stores with their domains, to test by packets only: the real daemon, and ours in process and on its socket."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Protocol

from tests.conformance.client import Client, RingChannel, SocketChannel
from tests.support.realstore import RealStore
from xenbus import wire

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
        while self._own.ask(wire.IS_DOMAIN_INTRODUCED, str(domid)) == b"T\0":
            pass  # The daemon looks at its event channel in the same turn as at its sockets.

    def close(self) -> None:
        for client in self._clients:
            client.channel.close()
        self.store.close()
        self._folder.cleanup()

    def _keep(self, client: Client) -> Client:
        self._clients.append(client)
        return client
