"""The store's operations as methods, for a store and for a transaction on it."""

from __future__ import annotations

from xenbus import request as ask
from xenbus.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Sequence
    from typing import Any

    from xenbus.perm import Perm

    Reply = Any
    """The decoded value of a request's answer, or the StoreError that refused it."""


class Operations:
    """Reading and changing nodes; every method is one round trip and raises StoreError, StoreTimeout, StoreClosed."""

    if TYPE_CHECKING:

        def batch(self, requests: Sequence[ask.Request], tx: int = 0) -> builtins.list[Reply]: ...
        def call(self, request: ask.Request, tx: int = 0) -> Any: ...

    def batch_checked(self, requests: Sequence[ask.Request], tx: int = 0) -> builtins.list[Any]:
        """All values; raises the first error, after all requests were done or refused."""
        return checked(self.batch(requests, tx))

    def read(self, path: str, tx: int = 0) -> bytes:
        """The node's value; raises NotFound."""
        value: bytes = self.call(ask.Read(path), tx)
        return value

    def read_or_none(self, path: str, tx: int = 0) -> bytes | None:
        """The node's value, or None if there is no such node."""
        try:
            return self.read(path, tx)
        except NotFound:
            return None

    def list(self, path: str, tx: int = 0) -> tuple[str, ...]:
        """Names of the node's children, oldest first, however many; raises NotFound."""
        names: tuple[str, ...] = self.call(ask.List(path), tx)
        return names

    def list_or_empty(self, path: str, tx: int = 0) -> tuple[str, ...]:
        """Names of the node's children; none if there is no such node."""
        try:
            return self.list(path, tx)
        except NotFound:
            return ()

    def write(self, path: str, value: bytes | str, tx: int = 0) -> None:
        """Sets the node's value; missing parents are made."""
        self.call(ask.Write(path, value), tx)

    def mkdir(self, path: str, tx: int = 0) -> None:
        """Makes the node, empty, unless it exists."""
        self.call(ask.Mkdir(path), tx)

    def remove(self, path: str, tx: int = 0) -> None:
        """Removes the node with all below; a missing node is no error, a missing parent raises NotFound."""
        self.call(ask.Remove(path), tx)

    def get_perms(self, path: str, tx: int = 0) -> tuple[Perm, ...]:
        """The node's permissions, the owner's first."""
        perms: tuple[Perm, ...] = self.call(ask.GetPerms(path), tx)
        return perms

    def set_perms(self, path: str, perms: Iterable[Perm], tx: int = 0) -> None:
        """Replaces the node's permissions."""
        self.call(ask.SetPerms(path, perms), tx)


def checked(replies: list[Reply]) -> list[Any]:
    """The replies, or the first error among them raised."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
