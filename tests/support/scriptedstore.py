"""A store in this process whose other clients act by a script: one action each time that somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable

from xenbus.client import Store
from xenbus.link import Link
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort


class ScriptedStore:
    """`store` is the client under test; each wait of it does the next of `actions`, and ^C comes when all are done."""

    def __init__(self) -> None:
        self.engine = Engine(exists=lambda _domid: True, clock=lambda: self.now)
        self.now = 0.0
        self.actions: list[Callable[[], object]] = []
        self.store = self.connect()
        self.hand = self._connect(None)

    def connect(self) -> Store:
        """A connection as that of the client under test."""
        return self._connect(self._idle)

    def _connect(self, idle: Callable[[float | None], bool] | None) -> Store:
        port = EnginePort(self.engine.connect(), idle)
        port.clock = lambda: self.now  # type: ignore[attr-defined]
        return Store(Link(port))

    def _idle(self, left: float | None) -> bool:
        if left == 0:
            return False
        if not self.actions:
            if left is None:
                raise KeyboardInterrupt
            self.now += left
            return True
        self.now += 1
        self.actions.pop(0)()
        return True

    def put(self, path: str, value: str | bytes = "") -> Callable[[], object]:
        """An action that writes."""
        return lambda: self.hand.write(path, value)
