"""A XenStore on a socket for tests: the embedded server in a thread, whose state outlives a restart."""

from __future__ import annotations

import os
import threading
from shutil import rmtree
from tempfile import mkdtemp

from xenbus.client import Store, connect
from xenbus.server.engine import Engine
from xenbus.server.journal import Journal
from xenbus.server.service import Server

_PATIENCE = 10.0
"""Seconds that the server may take to end."""


class StoreServer:
    """The fixture `xenstore`; every client of `path` is domain 0."""

    def __init__(self) -> None:
        self._folder = mkdtemp(prefix="xs-")
        self.path = os.path.join(self._folder, "socket")
        """The socket's address, as `xenbus.client.connect` takes it."""
        self._stores: list[Store] = []
        self.start()

    @property
    def environment(self) -> dict[str, str]:
        """What makes libxenstore, Debian's xenstore-* tools, pyxs and xenbus use this server."""
        return {"XENSTORED_PATH": self.path}

    def connect(self) -> Store:
        """A client; it is closed with the server, if not before."""
        self._stores.append(connect(self.path))
        return self._stores[-1]

    def read(self, path: str) -> str | None:
        """A node's value, None if it is not there."""
        with connect(self.path) as store:
            value = store.read_or_none(path)
        return None if value is None else value.decode("utf-8", "replace")

    def start(self) -> None:
        """Starts it again, with all that was committed."""
        engine = Engine()
        self._journal = Journal(os.path.join(self._folder, "state"), engine)
        self._journal.load()
        engine.on_commit = self._journal.add
        self._server = Server(engine, self.path, self._journal.flush)
        self._thread = threading.Thread(target=self._server.serve, name="xenstore", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it, and every connection with it; the nodes are kept, watches and open transactions are not."""
        if self._thread.is_alive():
            self._server.stop()
            self._thread.join(_PATIENCE)
            self._server.close()
            self._journal.close()

    def restart(self) -> None:
        """As if the daemon had been restarted under its clients."""
        self.stop()
        self.start()

    def close(self) -> None:
        """The end."""
        for store in self._stores:
            store.close()
        self.stop()
        rmtree(self._folder, ignore_errors=True)
