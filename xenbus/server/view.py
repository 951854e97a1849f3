"""How requests see the tree: as it is committed, every change final, or in a transaction of their own."""

from __future__ import annotations

from xenbus.server.tree import parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from xenbus.server.perms import Perms
    from xenbus.server.tree import Change, Node, Tree

    class View(Protocol):
        """Nodes as a request sees and changes them; it has looked at each node that it changes."""

        def look(self, path: bytes) -> Node | None:
            """The node, for whatever purpose."""

        def glance(self, path: bytes) -> Node | None:
            """The node, of which only its existence and its permissions matter."""

        def names_size(self, path: bytes) -> int:
            """Bytes of the names of a node's children."""

        def listing(self, path: bytes) -> tuple[int, bytes]:
            """Generation and names of a node's children, each with a NUL behind it."""

        def put(self, path: bytes, value: bytes, perms: Perms) -> None:
            """Sets a node whose parent exists."""

        def remove(self, path: bytes) -> None:
            """Removes a node with all below, and tells of it."""

        def tell(self, path: bytes, old: Perms | None = None) -> None:
            """A node was changed, which had the permissions `old`: watches are to be told."""

        def spoil(self) -> None:
            """A request is refused in a way that no transaction survives (XSA-415)."""


Event = tuple[bytes, bool, tuple["Perms", ...]]
"""A changed path, whether only watches on it are to be told, and permissions that held before: who may read by any of
these, or by those of the node and of the one above it as they are now, may be told."""


class Direct:
    """The committed tree; it collects the changes of one request until they are published."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.changes: list[Change] = []
        self.events: list[Event] = []
        self.look = self.glance = tree.nodes.get

    def names_size(self, path: bytes) -> int:
        """See View."""
        return self._tree.nodes[path].names.size

    def listing(self, path: bytes) -> tuple[int, bytes]:
        """See View."""
        node = self._tree.nodes[path]
        return max(node.generation, node.names.generation), node.names.joined()

    def put(self, path: bytes, value: bytes, perms: Perms) -> None:
        """See View."""
        self.changes.append((path, self._tree.put(path, value, perms)))

    def remove(self, path: bytes) -> None:
        """See View."""
        nodes = self._tree.nodes
        for gone in self._tree.below(path):
            self.events.append((gone, gone != path, (nodes[gone].perms, nodes[parent(gone)].perms)))
            self._tree.drop(gone)
        self.changes.append((path, None))

    def tell(self, path: bytes, old: Perms | None = None) -> None:
        """See View."""
        self.events.append((path, False, () if old is None else (old,)))

    def spoil(self) -> None:
        """See View."""
