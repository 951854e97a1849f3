"""What the server knows of domains: which are introduced, and what each of them uses."""

from __future__ import annotations

from xenbus.perm import DOMID_ANY
from xenbus.server import quota
from xenbus.server.perms import NOBODY
from xenbus.server.quota import Quotas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.server.connection import Connection
    from xenbus.server.tree import Tree, Usage

FIRST_RESERVED = 0x7FF0
"""DOMID_FIRST_RESERVED: no domain has this id or a higher one."""
SELF = 0x7FF0
"""DOMID_SELF."""
FEATURE_ERROR, FEATURE_WATCH_DEPTH, FEATURE_DOMID_ANY = 2, 4, 8
FEATURES = FEATURE_ERROR | FEATURE_WATCH_DEPTH | FEATURE_DOMID_ANY
"""All that this server offers (XENSTORE_SERVER_FEATURE_*)."""
BURST, RATE = 200.0, 100.0
"""Changes that a guest may make at once, and then a second, while others have transactions open (XSA-206)."""


class Domain:
    """A domain that a permission names or that is served; it dies with `Engine.release`."""

    __slots__ = (
        *("buffers", "connections", "credit", "credited", "domid", "features", "introduced", "outstanding"),
        *("quotas", "shut_down", "target", "transactions", "usage", "watches"),
    )

    def __init__(self, domid: int, usage: Usage, quotas: Quotas) -> None:
        self.domid, self.usage, self.quotas = domid, usage, quotas
        self.connections: set[Connection] = set()
        self.features = FEATURES
        self.introduced = self.shut_down = False
        self.target = NOBODY
        """Whose rights it has as well."""
        self.watches = self.transactions = self.outstanding = 0
        self.buffers = 0
        """Bytes of its watches, transactions and replies; its nodes are in `usage`."""
        self.credit, self.credited = BURST, 0.0

    def has_room(self, size: int) -> bool:
        """Whether its memory may grow by so many bytes."""
        return size <= 0 or self.usage.memory + self.buffers + size < self.quotas.limit(quota.MEMORY)

    def overloaded(self) -> bool:
        """Whether no more of its requests are to be looked at for now."""
        if self.outstanding >= self.quotas.limit(quota.OUTSTANDING):
            return True
        return self.usage.memory + self.buffers >= self.quotas.limit(quota.MEMORY)

    def spend(self, now: float) -> None:
        """It has made a change while others have transactions open."""
        self.refill(now)
        self.credit -= 1

    def refill(self, now: float) -> float:
        """The changes it may make at once; what it has not used comes back with time."""
        self.credit = min(BURST, self.credit + RATE * (now - self.credited))
        self.credited = now
        return self.credit

    def wake(self) -> None:
        """Goes on with requests that had to wait."""
        for connection in tuple(self.connections):
            connection.resume()


class Cause:
    """A guest's request, outstanding until its reply and all events that it caused are taken (XSA-326)."""

    __slots__ = ("_domain", "_left")

    def __init__(self, domain: Domain) -> None:
        self._domain, self._left = domain, 0

    def hold(self) -> None:
        """One packet more."""
        self._domain.outstanding += not self._left
        self._left += 1

    def settle(self) -> Domain | None:
        """One packet less; the domain if its request is done with."""
        self._left -= 1
        if self._left:
            return None
        self._domain.outstanding -= 1
        return self._domain


class Domains:
    """All known domains. `exists` asks the hypervisor about others; without one every possible domain exists."""

    def __init__(self, tree: Tree, exists: Callable[[int], bool] | None) -> None:
        self.quotas = Quotas()
        self._tree, self._exists = tree, exists
        self._known: dict[int, Domain] = {}
        self.add(0).introduced = True

    def get(self, domid: int) -> Domain | None:
        """A domain that is known."""
        return self._known.get(domid)

    def find(self, domid: int) -> Domain | None:
        """A domain that exists, known from now on."""
        known = self._known.get(domid)
        if known is None and 0 <= domid < FIRST_RESERVED and (self._exists is None or self._exists(domid)):
            return self.add(domid)
        return known

    def introduced(self, domid: int) -> Domain | None:
        """A domain that is served."""
        known = self._known.get(domid)
        return known if known and known.introduced else None

    def add(self, domid: int) -> Domain:
        """Makes a domain known."""
        domain = self._known[domid] = Domain(domid, self._tree.usage(domid), Quotas(self.quotas))
        return domain

    def may_be_named(self, domid: int, features: int) -> bool:
        """Whether a permission for this domain has force, if a client with these features gives it."""
        if domid == DOMID_ANY:
            return bool(features & FEATURE_DOMID_ANY)
        return self.find(domid) is not None

    def remove(self, domid: int) -> None:
        """Forgets a domain that owns nothing any more."""
        del self._known[domid]
        for domain in self._known.values():
            if domain.target == domid:
                domain.target = NOBODY
        self._tree.forget(domid)
