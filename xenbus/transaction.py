"""Transactions: many changes that become visible at once, or not at all.

The server answers EAGAIN to a commit if another client changed a node that the transaction had touched; the work is
then done anew. No pause is needed between attempts: someone else's commit went through each time.
"""

from __future__ import annotations

from xenbus.errors import Conflict, Exists, XenbusError
from xenbus.operations import Operations, checked
from xenbus.request import Begin, End, Request, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from xenbus.client import Store
    from xenbus.operations import Reply

    T = TypeVar("T")
    Body = Sequence[Request] | Callable[["Transaction"], Sequence[Request]]

ATTEMPTS = 1000
"""How often work is done anew before a Conflict is given up on; a guest can cause them (XSA-206)."""


class Transaction(Operations):
    """An open transaction. As a context manager it commits at the end and drops its changes on an exception."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.id: int = store.call(Begin())

    def batch(self, requests: Sequence[Request], tx: int = 0) -> list[Reply]:
        """Sends all requests at once, inside the transaction."""
        return self._store.batch(requests, tx or self.id)

    def call(self, request: Request, tx: int = 0) -> Any:
        """One request's value, inside the transaction."""
        return self._store.call(request, tx or self.id)

    def commit(self) -> None:
        """Makes the changes visible; raises Conflict if another client was faster."""
        self.call(End(True))

    def abort(self) -> None:
        """Drops the changes; does not wait for the answer."""
        self._store.post([End(False)], self.id)

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None:
            self.commit()
            return
        try:
            self.abort()
        except XenbusError:
            pass  # What went wrong before matters more.


def retry(store: Store, work: Callable[[Transaction], T], attempts: int) -> T:
    """Does `work` in a transaction until it commits; see Store.retry."""
    for attempt in range(attempts):
        try:
            with Transaction(store) as tx:
                return work(tx)
        except Conflict:
            if attempt + 1 == attempts:
                raise
    raise ValueError("at least one attempt is needed")


def transact(store: Store, body: Body, attempts: int, then: Sequence[Request], check: bool) -> list[Any]:
    """Does the requests of `body` in one transaction until it commits; see Store.transact."""
    for attempt in range(attempts):
        tx = Transaction(store)
        requests, values = _prepare(tx, body, check)
        replies = store.exchange([(tx.id, [*requests[len(values) :], End(True)]), (0, then)])
        behind = len(replies) - len(then)
        done = values + replies[:behind]
        if isinstance(done[-1], Conflict) and attempt + 1 < attempts:
            continue
        return checked(done)[:-1] + checked(_registered(then, replies[behind:], attempt > 0))
    raise ValueError("at least one attempt is needed")


def _prepare(tx: Transaction, body: Body, check: bool) -> tuple[Sequence[Request], list[Any]]:
    """The requests of a transaction, and the values of those that were done already: all if `check`, else none."""
    try:
        requests = body(tx) if callable(body) else body
        return requests, tx.batch_checked(requests) if check else []
    except BaseException as error:
        tx.__exit__(type(error))
        raise


def _registered(then: Sequence[Request], replies: list[Reply], before: bool) -> list[Reply]:
    """A watch that an earlier attempt had registered exists already, and that is well."""
    if not before:
        return replies
    return [
        None if isinstance(request, Watch) and isinstance(reply, Exists) else reply
        for request, reply in zip(then, replies, strict=True)
    ]
