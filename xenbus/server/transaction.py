"""A transaction: what a client sees and changes on its own, until it is committed or dropped.

The first look at a node freezes it. A commit fails only if somebody else changed what the transaction saw or wrote: of
a node it only passed by, on the way to a new child, existence and permissions count, and not its other children.
"""

from __future__ import annotations

from _operator import itemgetter  # the builtin half of operator

from xenbus.server import quota
from xenbus.server.arguments import Refused
from xenbus.server.tree import ROOT, Node, deepest_first, parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenbus.server.domains import Domain, Domains
    from xenbus.server.perms import Perms
    from xenbus.server.tree import Change, Tree
    from xenbus.server.view import Event

_SILENT, _EXACT, _WHOLE = range(3)
"""Whom a change is told: nobody, watches on the very node, also those above it."""


class Touched:
    """A node that the transaction has looked at, and what it made of it."""

    __slots__ = ("base", "born", "changed", "event", "frozen", "grown", "listed", "node", "own", "renewed", "seen")

    def __init__(self, base: Node | None) -> None:
        self.base = self.node = base
        self.seen = self.changed = False
        """Whether more than existence and permissions matter; whether the transaction changed it."""
        self.born = 0
        """Place in the order of creation, if the transaction made it."""
        self.event = _SILENT
        self.listed = -1
        """Generation of the names that were listed."""
        self.frozen: tuple[bytes, ...] = ()
        self.own: dict[bytes, bool] = {}
        """Children that the transaction made, in order, or removed."""
        self.grown = self.renewed = 0
        """By how much the names of the children have grown, and the generation of the last one."""

    def list(self) -> list[bytes]:
        """Names of the children."""
        if self.listed < 0 and self.base is not None and not self.born:
            self.listed, self.frozen = self.base.names.generation, tuple(self.base.names)
        own = self.own
        return [name for name in self.frozen if name not in own] + [name for name, there in own.items() if there]

    def adopt(self, name: bytes, there: bool, generation: int) -> None:
        """A child came (as the last one) or went."""
        self.renewed = generation
        self.own.pop(name, None)
        self.own[name] = there
        self.grown += len(name) + 1 if there else -len(name) - 1

    def end(self) -> None:
        """The node is removed."""
        self.node, self.changed, self.born = None, True, 0
        self.frozen, self.own, self.grown = (), {}, 0

    def unlike(self) -> bool:
        """Whether what was there is gone, even if something new is in its place."""
        return self.node is None or self.born > 0

    def stale(self, now: Node | None) -> bool:
        """Whether somebody else has changed what the transaction depends on."""
        base = self.base
        if now is not base and (self.seen or now is None or base is None or now.perms != base.perms):
            return True
        return self.listed >= 0 and now is not None and now.names.generation != self.listed


class Transaction:
    """An open transaction of a client, which knows it as `number`; `domain` pays for it (None: nobody does)."""

    def __init__(self, tree: Tree, number: int, domain: Domain | None) -> None:
        self.number = number
        self._tree, self._domain = tree, domain
        self._touched: dict[bytes, Touched] = {}
        self._births = self._memory = 0
        self.failed = False
        """Whether a request was refused in a way that spoils the whole transaction."""
        self.doomed = False
        """Whether it will have to be done anew."""

    # Seeing; see View.

    def look(self, path: bytes) -> Node | None:
        """See View."""
        touched = self._touched.get(path) or self._touch(path)
        touched.seen = True
        return touched.node

    def glance(self, path: bytes) -> Node | None:
        """See View."""
        return (self._touched.get(path) or self._touch(path)).node

    def names_size(self, path: bytes) -> int:
        """See View."""
        touched = self._touched[path]
        inherited = 0 if touched.base is None or touched.born else touched.base.names.size
        return inherited + touched.grown

    def listing(self, path: bytes) -> tuple[int, bytes]:
        """See View."""
        touched = self._touched[path]
        if touched.listed < 0 and touched.base is not None:
            self._charge(touched.base.names.size)
        names = touched.list()
        generation = touched.node.generation if touched.node else 0
        return max(generation, touched.listed, touched.renewed), b"".join([name + b"\0" for name in names])

    # Changing.

    def put(self, path: bytes, value: bytes, perms: Perms) -> None:
        """See View."""
        touched = self._touched[path]
        if self._domain:
            self._charge(quota.OVERHEAD // 2 + len(value))
        touched.changed = True
        generation = self._tree.generation = self._tree.generation + 1
        if touched.node is None:
            touched.born = self._births = self._births + 1
            above, _slash, name = path.rpartition(b"/")
            self._at(above or ROOT).adopt(name, True, generation)
        touched.node = Node(value, perms, generation)

    def remove(self, path: bytes) -> None:
        """See View."""
        for gone in list(deepest_first(path, self._list)):
            touched = self._touched[gone]
            touched.end()
            touched.event = max(touched.event, _WHOLE if gone == path else _EXACT)
        self._tree.generation += 1
        above, _slash, name = path.rpartition(b"/")
        self._at(above or ROOT).adopt(name, False, self._tree.generation)

    def tell(self, path: bytes, old: Perms | None = None) -> None:
        """See View."""
        self._touched[path].event = _WHOLE

    def spoil(self) -> None:
        """See View."""
        self.failed = True

    # Ending.

    def check(self, domains: Domains) -> None:
        """Raises Refused if the transaction cannot be committed."""
        if self.failed:
            raise Refused("ENOMEM")
        if self._domain and self._births and self._over_quota(domains):
            raise Refused("ENOSPC")
        nodes = self._tree.nodes
        for path, touched in self._touched.items():
            now = nodes.get(path)
            # Nearly always nothing has changed, and that is seen at once.
            if (now is not touched.base or touched.listed >= 0) and touched.stale(now):
                self.doomed = True
        if self.doomed:
            raise Refused("EAGAIN")

    def doom(self, domid: int) -> None:
        """A domain has died: what names it must not be committed."""
        self.doomed = self.doomed or any(
            touched.changed and touched.node is not None and domid in touched.node.perms.domids
            for touched in self._touched.values()
        )

    def apply(self) -> list[Change]:
        """Makes the changes in the tree; in this order, and by paths alone, they give the same tree again."""
        gone: dict[bytes, None] = {}
        kept = []
        for path, it in self._touched.items():
            if it.changed:
                if it.base and it.unlike():
                    gone[path] = None
                if it.node:
                    kept.append((it.born, path, it.node))
        for path in sorted(gone, key=len, reverse=True):
            self._tree.drop(path)
        changes: list[Change] = [(path, None) for path in gone if parent(path) not in gone]
        kept.sort(key=itemgetter(0))
        for _born, path, node in kept:
            self._tree.place(path, node)
            changes.append((path, node))
        return changes

    def events(self) -> list[Event]:
        """What watches are to be told after `apply`, in the order in which the nodes were looked at first."""
        return [
            (path, it.event == _EXACT, (it.base.perms,) if it.base else ())
            for path, it in self._touched.items()
            if it.event and (it.node or it.base)  # not what came and went again
        ]

    def release(self) -> None:
        """Gives back what the domain pays for."""
        if self._domain:
            self._domain.buffers -= self._memory
            self._domain.transactions -= 1
        self._memory, self._domain = 0, None

    def _over_quota(self, domains: Domains) -> bool:
        """Whether somebody would own too many nodes."""
        counts: dict[int, int] = {}
        for touched in self._touched.values():
            for node, count in ((touched.base, -1), (touched.node, 1)) if touched.changed else ():
                if node is not None:
                    counts[node.perms.owner] = counts.get(node.perms.owner, 0) + count
        for domid, count in counts.items():
            owner = domains.find(domid) if domid else None
            if owner and count >= 0 and owner.usage.nodes + count > owner.quotas.limit(quota.NODES):
                return True
        return False

    def _touch(self, path: bytes) -> Touched:
        base = self._tree.nodes.get(path)
        if self._domain:
            if len(self._touched) >= self._domain.quotas.limit(quota.TRANSACTION_NODES):
                self.spoil()
                raise Refused("ENOSPC")
            self._charge(quota.OVERHEAD + len(path) + (base.size(0) if base else 0))
        touched = self._touched[path] = Touched(base)
        return touched

    def _charge(self, size: int) -> None:
        if self._domain:
            if not self._domain.has_room(size):
                self.spoil()
                raise Refused("ENOMEM")
            self._domain.buffers += size
            self._memory += size

    def _at(self, path: bytes) -> Touched:
        return self._touched.get(path) or self._touch(path)

    def _list(self, path: bytes) -> Iterable[bytes]:
        self.look(path)
        return self._touched[path].list()
