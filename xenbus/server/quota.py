"""How much a guest may have: the C daemon's quotas, global and for each domain (docs/misc/xenstore.txt, GET_QUOTA).

A quota of 0 is no limit, and nothing is counted against domain 0. Whether a quota itself is still allowed differs from
one to the other; it is as in the C daemon of Xen 4.17, which forgives one watch and one transaction more.
"""

from __future__ import annotations

from xenbus.server.arguments import Refused

UNLIMITED = 1 << 62

NODES = b"nodes"
WATCHES = b"watches"
OUTSTANDING = b"outstanding"
MEMORY = b"memory"
SOFT_MEMORY = b"soft-memory"
TRANSACTIONS = b"transactions"
TRANSACTION_NODES = b"transaction-nodes"
NODE_PERMISSIONS = b"node-permissions"
PATH_MAX = b"path-max"
NODE_SIZE = b"node-size"

SOFT = b"soft-"
OVERHEAD = 300
"""Bytes that an event, a watch or a node in a transaction costs beside what is in it: memory too (XSA-326)."""

DEFAULTS = {
    NODES: 1000,
    WATCHES: 128,
    OUTSTANDING: 20,
    MEMORY: 2560 << 10,
    SOFT_MEMORY: 2048 << 10,
    TRANSACTIONS: 10,
    TRANSACTION_NODES: 1024,
    NODE_PERMISSIONS: 5,
    PATH_MAX: 2048,
    NODE_SIZE: 2048,
}
MEANINGS = {
    NODES: "nodes that a domain owns",
    WATCHES: "watches of a domain",
    OUTSTANDING: "requests of a domain that are not done with",
    MEMORY: "bytes kept for a domain",
    TRANSACTIONS: "open transactions of a domain",
    TRANSACTION_NODES: "nodes that one transaction touches",
    NODE_PERMISSIONS: "permissions of one node",
    PATH_MAX: "length of a path",
    NODE_SIZE: "size of a node with its children's names",
}


class Quotas:
    """Values by name; those of a domain fall back on the global ones, `above`."""

    __slots__ = ("_above", "_own")

    def __init__(self, above: Quotas | None = None) -> None:
        self._above = above
        self._own = {} if above else dict(DEFAULTS)

    def value(self, name: bytes) -> int:
        """A quota as it was set, 0 for no limit; EINVAL for an unknown name."""
        found = self._own.get(name)
        if found is not None:
            return found
        if self._above is None:
            raise Refused("EINVAL")
        return self._above.value(name)

    def limit(self, name: bytes) -> int:
        """A quota to compare with."""
        return self.value(name) or UNLIMITED

    def own(self) -> dict[bytes, int]:
        """Those that are not the ones above, or were never set."""
        return {name: value for name, value in self._own.items() if self._above or value != DEFAULTS[name]}

    def set(self, name: bytes, value: int) -> None:
        """Sets one; EINVAL for an unknown name."""
        self.value(name)
        self._own[name] = value
