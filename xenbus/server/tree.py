"""The committed tree: nodes by their paths, ordered names of children, generations, and who owns how much.

Nodes are found by their whole path, so that nothing costs more because the store is full. A node is never changed, but
replaced; whoever holds one (a transaction) holds a snapshot of its value and permissions at no cost.
"""

from __future__ import annotations

from xenbus.server.perms import Perms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = b"/"
INTRODUCE_DOMAIN = b"@introduceDomain"
RELEASE_DOMAIN = b"@releaseDomain"
_NODE_HEADER, _PERM_SIZE = 24, 8


class Names(dict[bytes, int]):
    """Names of children, oldest first, each with a number that grows in the order of creation."""

    __slots__ = ("_joined", "generation", "size")

    def __init__(self) -> None:
        super().__init__()
        self.generation = self.size = 0
        self._joined: bytes | None = b""

    def add(self, name: bytes, generation: int) -> None:
        """Appends a name."""
        self[name] = self.generation = generation
        self.size += len(name) + 1
        self._joined = None

    def discard(self, name: bytes, generation: int) -> None:
        """Takes a name out."""
        if self.pop(name, None) is not None:
            self.size -= len(name) + 1
        self.generation, self._joined = generation, None

    def joined(self) -> bytes:
        """All names, each with a NUL behind it."""
        if self._joined is None:
            self._joined = b"".join([name + b"\0" for name in self])
        return self._joined


NO_NAMES = Names()
"""Of every node without children."""


class Node:
    """A value with its permissions; only `names` changes while the node is in the tree."""

    __slots__ = ("generation", "names", "perms", "value")

    def __init__(self, value: bytes, perms: Perms, generation: int = 0, names: Names = NO_NAMES) -> None:
        self.value, self.perms, self.generation, self.names = value, perms, generation, names

    def size(self, names: int) -> int:
        """What the quotas count, if the names of the children take so many bytes."""
        return _NODE_HEADER + _PERM_SIZE * len(self.perms.entries) + len(self.value) + names


Change = tuple[bytes, "Node | None"]
"""A path and the node that is there now; None: that node and all below are gone."""


class Usage:
    """What a domain's nodes amount to."""

    __slots__ = ("memory", "nodes")

    def __init__(self) -> None:
        self.nodes = self.memory = 0


def parent(path: bytes) -> bytes:
    """The path of the node above; the root's for special nodes and for the root itself."""
    end = path.rfind(b"/")
    return path[:end] if end > 0 else ROOT


def child(path: bytes, name: bytes) -> bytes:
    """The path of a node below."""
    return b"/" + name if path == ROOT else path + b"/" + name


def deepest_first(path: bytes, names: Callable[[bytes], Iterable[bytes]]) -> Iterator[bytes]:
    """All nodes from `path` on, each behind its children; however deep, without recursion (XSA-418)."""
    stack = [(path, iter(names(path)))]
    while stack:
        at, rest = stack[-1]
        for name in rest:
            below = child(at, name)
            stack.append((below, iter(names(below))))
            break
        else:
            stack.pop()
            yield at


class Tree:
    """All nodes, and the special ones beside them."""

    def __init__(self) -> None:
        nobody = Perms([(0, 0, False)])
        self.generation = 0
        self.nodes: dict[bytes, Node] = {ROOT: Node(b"", nobody)}
        self._named: dict[int, dict[bytes, None]] = {}
        self._usage: dict[int, Usage] = {}
        for special in (INTRODUCE_DOMAIN, RELEASE_DOMAIN):
            self.nodes[special] = Node(b"", nobody)

    def put(self, path: bytes, value: bytes, perms: Perms) -> Node:
        """Sets a node; a new one becomes the last child of its parent, which must exist."""
        node = Node(value, perms)
        self.place(path, node)
        return node

    def place(self, path: bytes, node: Node) -> None:
        """The same with a node that nobody else changes any more; it gets its generation and its children here."""
        self.generation += 1
        node.generation = self.generation
        old, perms = self.nodes.get(path), node.perms
        if old is None:
            self._hang(path)
            self._claim(path, node, 1)
        else:
            node.names = old.names
            if perms is not old.perms:
                self._claim(path, old, -1)
                self._claim(path, node, 1)
            elif perms.owner:
                self._usage[perms.owner].memory += len(node.value) - len(old.value)
        self.nodes[path] = node

    def drop(self, path: bytes) -> None:
        """Takes a node without children out."""
        self.generation += 1
        self._claim(path, self.nodes.pop(path), -1)
        above, _slash, name = path.rpartition(b"/")
        node = self.nodes[above or ROOT]
        if node.perms.owner:
            self._usage[node.perms.owner].memory -= len(name) + 1
        node.names.discard(name, self.generation)

    def names(self, path: bytes) -> Names:
        """Names of a node's children."""
        return self.nodes[path].names

    def below(self, path: bytes) -> list[bytes]:
        """The node and all below it, deepest first."""
        return list(deepest_first(path, self.names))

    def usage(self, domid: int) -> Usage:
        """What the nodes of a domain amount to, kept up to date; nothing is counted for domain 0."""
        return self._usage.setdefault(domid, Usage())

    def usage_of_domain_0(self) -> Usage:
        """The same for domain 0, which has no limits: counted when somebody asks, by a look at each node."""
        usage = Usage()
        for path, node in self.nodes.items():
            if not node.perms.owner and path not in (INTRODUCE_DOMAIN, RELEASE_DOMAIN):
                usage.nodes += 1
                usage.memory += node.size(node.names.size) + len(path)
        return usage

    def forget(self, domid: int) -> None:
        """Ends the account of a domain that owns nothing any more."""
        self._usage.pop(domid, None)
        self._named.pop(domid, None)

    def naming(self, domid: int) -> list[bytes]:
        """All nodes whose permissions name a domain (not 0), in the order of a walk through the tree."""
        return sorted(self._named.get(domid, ()), key=self._place)

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """All nodes but the special ones, parents first, children in their order."""
        todo = [ROOT]
        while todo:
            path = todo.pop()
            node = self.nodes[path]
            yield path, node
            todo.extend([child(path, name) for name in reversed(node.names)])

    def _hang(self, path: bytes) -> None:
        above, _slash, name = path.rpartition(b"/")
        node = self.nodes[above or ROOT]
        if node.names is NO_NAMES:
            node.names = Names()
        if node.perms.owner:
            self._usage[node.perms.owner].memory += len(name) + 1
        node.names.add(name, self.generation)

    def _claim(self, path: bytes, node: Node, count: int) -> None:
        """Counts a node for its owner, or no more; remembers whom it names."""
        for domid in node.perms.domids:
            if count > 0:
                self._named.setdefault(domid, {})[path] = None
            else:
                del self._named[domid][path]
        if node.perms.owner:
            usage = self._usage.get(node.perms.owner) or self.usage(node.perms.owner)
            usage.nodes += count
            usage.memory += count * (node.size(node.names.size) + len(path))

    def _place(self, path: bytes) -> tuple[int, ...]:
        place, above = [], ROOT
        for name in path[1:].split(b"/") if path[:1] == ROOT and path != ROOT else ():
            place.append(self.nodes[above].names[name])
            above = child(above, name)
        return tuple(place)
