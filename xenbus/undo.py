"""Remembers what changes of a store replaced, so that they can be taken back, one after the other."""

from __future__ import annotations

from xenbus.dump import restore
from xenbus.errors import NotFound, XenbusError
from xenbus.operations import checked
from xenbus.path import parent
from xenbus.request import Discard, Mkdir, Remove, SetPerms, Write
from xenbus.tree import walk
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenbus.operations import Operations
    from xenbus.request import Request


class Step(Value):
    """What was done, in words, and the requests that take it back, in their order."""

    what: str
    back: tuple[Request, ...]


class Journal:
    """The steps of one session, the last one at the end."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._mark: int | None = None

    def do(self, store: Operations, what: str, requests: Sequence[Request]) -> None:
        """Does the requests, and remembers as one step how to take back those that were done; raises the first error.

        What another client changes between the look and the change is lost to `undo`.
        """
        back: list[Request] = []
        try:
            for request in requests:
                before = inverse(store, request)
                checked(store.batch([request]))
                back[:0] = before
        finally:
            if back:
                self.steps.append(Step(what, tuple(back)))

    def undo(self, store: Operations) -> Step | None:
        """Takes the last step back and gives it; None if there is none. It is forgotten only if that worked."""
        if not self.steps or (self._mark is not None and len(self.steps) <= self._mark):
            return None
        step = self.steps[-1]
        checked(store.batch(step.back))
        return self.steps.pop()

    def begin(self) -> None:
        """From here on the steps belong to a transaction."""
        self._mark = len(self.steps)

    def end(self, committed: bool) -> None:
        """The transaction's steps become a single one, or are forgotten."""
        if self._mark is None:
            return
        inner, self._mark = self.steps[self._mark :], None
        del self.steps[len(self.steps) - len(inner) :]
        if committed and inner:
            back = [request for step in reversed(inner) for request in step.back]
            what = inner[0].what if len(inner) == 1 else f"a transaction of {len(inner)} changes"
            self.steps.append(Step(what, tuple(back)))


def inverse(store: Operations, request: Request) -> list[Request]:
    """Requests that restore what a Write, Mkdir, Remove or SetPerms is about to change."""
    path = request.path
    if isinstance(request, (Write, Mkdir)):
        value = store.read_or_none(path)
        if value is None:
            return [Discard(_topmost_missing(store, path))]
        return [Write(path, value)] if isinstance(request, Write) else []
    if isinstance(request, SetPerms):
        return [SetPerms(path, store.get_perms(path))]
    if isinstance(request, Remove):
        try:
            return list(restore(walk(store, path, perms=True)))
        except NotFound:
            return []
    raise XenbusError(f"{request.verb} {path} cannot be undone")


def _topmost_missing(store: Operations, path: str) -> str:
    """The node that goes, to take all back that was made on the way to `path`."""
    while store.read_or_none(parent(path) or "/") is None:
        path = parent(path)
    return path
