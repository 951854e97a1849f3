"""What does not work on a simulated host: back ends, the console daemon, bridges. And when states last changed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from xenbus.server.tree import Change

MISSING, STUCK, SLOW, FAILING = "missing", "stuck", "slow", "failing"
"""A service that is not there; that offers and then does nothing more; that takes SLOW_SECONDS; that gives up."""
SLOW_SECONDS = 3.0
SERVICES = {"vbd": (MISSING, STUCK, SLOW, FAILING), "vif": (MISSING, STUCK, SLOW, FAILING), "console": (MISSING,)}
"""Which faults each service can have."""


class Faults:
    """May be changed at any time; kept with the world."""

    def __init__(self) -> None:
        self.services: dict[str, str] = {}
        """One of SERVICES -> one of its faults."""
        self.bridges: set[str] = set()
        """Bridges that have been taken away."""

    def of(self, service: str) -> Callable[[], str]:
        """Asks for the fault of a service, empty while there is none."""
        return lambda: self.services.get(service, "")

    def state(self) -> list[Any]:
        """As JSON has it."""
        return [dict(self.services), sorted(self.bridges)]

    def restore(self, state: Sequence[Any]) -> None:
        """What `state` gave."""
        self.services, self.bridges = dict(state[0]), set(state[1])


class Annals:
    """Since when the states of devices are what they are, by the world's clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.states: dict[str, tuple[str, float]] = {}
        """path of a state -> its value, and since when."""

    def since(self, path: str) -> float | None:
        """Since when a state is what it is, None for what is no state."""
        found = self.states.get(path)
        return None if found is None else found[1]

    def note(self, changes: Sequence[Change]) -> None:
        """Told of all changes of the store."""
        for path, node in changes:
            if node is None:
                self._forget(path.decode())
            elif path.endswith(b"/state"):
                self._write(path.decode(), node.value.decode("latin-1"))

    def _write(self, path: str, value: str) -> None:
        known = self.states.get(path)
        if known is None or known[0] != value:
            self.states[path] = value, self._clock()

    def _forget(self, top: str) -> None:
        for path in [path for path in self.states if path == top or path.startswith(f"{top}/")]:
            del self.states[path]

    def restore(self, state: dict[str, Any]) -> None:
        """The `states` of an earlier one, by way of JSON."""
        self.states = {path: (value, when) for path, (value, when) in state.items()}
