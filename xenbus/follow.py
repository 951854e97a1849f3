"""Waits for values in the store: level-triggered, so lost, merged, repeated and reordered events do no harm.

The watches are registered before the values are read; after that, any event only means "read again". An event counts
until a read was *sent* after it had come, whatever was under way: xenstored merges a new event into an equal one that
still waits to be sent, in its place, and so in front of answers that are older than the change.
"""

from __future__ import annotations

from xenbus.errors import AccessDenied, NotFound, StoreTimeout, XenbusError
from xenbus.link import Marks
from xenbus.operations import checked
from xenbus.parse import shown
from xenbus.request import Read, Request, Unwatch, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Literal, TypeVar

    from xenbus.client import Store

    T = TypeVar("T")


class Follower:
    """Keeps the values of some nodes; a context manager that ends its watches. For one thread at a time."""

    def __init__(self, store: Store, paths: Iterable[str], first: Sequence[Request] = (), unwatch: bool = True) -> None:
        self.values: dict[str, bytes | None] = dict.fromkeys(paths)
        """path -> value, None where there is no node or it cannot be read; None for ``@releaseDomain`` and the like."""
        self._store, self._link, self._unwatch = store, store.link, unwatch
        self._marks = Marks()
        self._tokens = {self._link.new_token(self._marks): path for path in self.values}
        watches = [Watch(path, token.decode()) for token, path in self._tokens.items()]
        try:
            self.first: list[Any] = self._read(list(self._tokens), [*first, *watches])[: len(first)]
            """Values of the `first` requests."""
        except BaseException:
            self.close()
            raise

    def wait(
        self,
        check: Callable[[Mapping[str, bytes | None]], T | Literal[False] | None],
        deadline: float | None,
        what: str,
        every: float | None = None,
    ) -> T:
        """What `check` makes of the values, as soon as that is neither None nor False.

        `every` so many seconds it is asked even without an event, for what the store does not tell of.
        `deadline` is a time of the store's clock, None waits for ever. Raises StoreTimeout, whose sentence names `what`
        ("the back ends to close") and the last values.
        """
        late = False
        while True:
            result = check(self.values)
            if result is not None and result is not False:
                return result
            if late:
                raise StoreTimeout(f"gave up waiting for {what}{self._last_seen()}")
            self._link.wait(self._marks.any, self._sooner(deadline, every))
            late = deadline is not None and self._link.clock() >= deadline
            self._refresh()

    def close(self) -> None:
        """Ends the watches, without waiting for the answers."""
        for token in self._tokens:
            self._link.sinks.pop(token, None)
        requests = [Unwatch(path, token.decode()) for token, path in self._tokens.items()]
        self._tokens = {}
        if requests and self._unwatch:
            try:
                self._store.post(requests)
            except XenbusError:
                pass  # A connection that is gone has no watches.

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _refresh(self) -> None:
        self._read(self._link.take_marks(self._marks), [])

    def _read(self, tokens: list[bytes], before: Sequence[Request]) -> list[Any]:
        """Does `before` and reads the nodes behind it, in one write; gives the values of `before`."""
        tokens = [token for token in tokens if not self._tokens[token].startswith("@")]  # Those have no value.
        requests = [*before, *(Read(self._tokens[token]) for token in tokens)]
        if not requests:
            return []
        replies = self._store.exchange([(0, requests)])
        done = checked(replies[: len(before)])
        for index, token in enumerate(tokens, len(before)):
            reply = replies[index]
            absent = isinstance(reply, (NotFound, AccessDenied))
            self.values[self._tokens[token]] = None if absent else checked([reply])[0]
        return done

    def _last_seen(self) -> str:
        seen = [f"{path} = {shown(value)}" for path, value in self.values.items() if not path.startswith("@")]
        return f"; last seen: {', '.join(seen)}" if seen else ""

    def _sooner(self, deadline: float | None, every: float | None) -> float | None:
        """When to look again at the latest."""
        if every is None:
            return deadline
        soon = self._link.clock() + every
        return soon if deadline is None else min(deadline, soon)
