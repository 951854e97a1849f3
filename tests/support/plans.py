"""What a creation did on a host, in the words of a plan: to compare the two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xenbus.request import Begin, Request, SetPerms, Write
from xenvm.host.sim.host import SimHost
from xenvm.host.storetrace import traced
from xenvm.host.trace import Tracer
from xenvm.ops.steps import HYPERCALL, STORE, Step, hypercall, in_order


class Witness:
    """Stands in front of a simulated host and writes down what is done to it, in its own way."""

    def __init__(self, host: SimHost) -> None:
        self.tracer = Tracer(host.hyper)
        self.requests: list[Request] = []
        host.intercept(self.tracer.hyper)
        scripts, behind = host.world.plumbing.scripts, host.world.store
        scripts._store = lambda: behind  # what a script writes is not the toolstack's
        host.world.store = traced(host.world.store, lambda _transaction, request: self.requests.append(request))
        self._engine = host.world.xenstored.engine

    def hypercalls(self) -> list[tuple[str, object]]:
        """Operations and their arguments."""
        return [(step.operation, step.arguments) for step in map(hypercall, in_order(self.tracer.calls))]

    def writes(self) -> dict[str, tuple[str, str]]:
        """Path -> value as it was last written, and the permissions that the node has now; of nodes that are there."""
        perms = {path.decode(): text.strip(b"\0").replace(b"\0", b",").decode() for path, _, text in self._records()}
        return {
            request.path: (request.value.decode(), perms[request.path])
            for request in self.requests
            if isinstance(request, Write) and request.path in perms
        }

    def order(self) -> list[str]:
        """The paths that were written, in order."""
        return [request.path for request in self.requests if isinstance(request, Write)]

    def transactions(self) -> int:
        """How many there were."""
        return sum(isinstance(request, Begin) for request in self.requests)

    def explicit(self) -> set[str]:
        """Nodes whose permissions were set."""
        return {request.path for request in self.requests if isinstance(request, SetPerms)}

    def _records(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        return self._engine.records()


def hypercalls(steps: Iterable[Step]) -> list[tuple[str, object]]:
    """The same of a plan."""
    return [(step.operation, step.arguments) for step in steps if step.kind == HYPERCALL]


def writes(steps: Iterable[Step]) -> list[Step]:
    """The plan's writes."""
    return [step for step in steps if step.kind == STORE and step.operation == "write"]
