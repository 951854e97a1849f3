"""A snapshot that `export` has written, or the end of a recording, as a store to look at, in this process.

Nothing in it can be changed.
"""

from __future__ import annotations

from xenbus.client import Store
from xenbus.dump import from_text, restore
from xenbus.link import Link
from xenbus.recording import as_requests, is_recording, load
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenvm.cli.store.session import read_file


class RecordedSource:
    """See Source; the file is read when the store is first used."""

    def __init__(self, path: str) -> None:
        self.frozen = f"{path} is a snapshot, not a live store"
        self._path = path
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """A connection to what the snapshot has."""
        if self._store is None:
            # Permissions name domains that are gone by now.
            engine = Engine(exists=lambda _domid: True)
            self._store = Store(Link(EnginePort(engine.connect())))
            text = read_file(self._path)
            if is_recording(text):
                events = load(text.splitlines(keepends=True), self._path).events
                self._store.batch([request for event in events for request in as_requests(event)])
            else:
                self._store.batch_checked(list(restore(from_text(text, self._path))))
        return self._store

    def reconnect(self) -> None:
        """Gives the store up; the next use reads the file again."""
        if self._store is not None:
            self._store.close()
            self._store = None

    close = reconnect
