"""The tree of the tests' store: nodes in order of creation, and what a transaction has touched and changed."""

from __future__ import annotations

from collections.abc import Callable

from xenbus import wire
from xenbus.path import basename, is_path, is_under, parent
from xenbus.perm import Perm

Node = tuple[bytes, tuple[Perm, ...]]
HOME = "/local/domain/0/"


class Refused(Exception):
    """A request is answered with this errno name."""


class View:
    """The tree itself, or a transaction's snapshot of it, with what was touched and changed."""

    def __init__(self, tree: dict[str, Node], start: int = 0) -> None:
        self.tree, self.start = tree, start
        self.touched: set[str] = set()
        self.steps: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self.news: dict[tuple[str, bool], None] = {}  # (changed path, reported to exact watches only)

    def node(self, path: str) -> Node:
        self.touched.add(path)
        if path not in self.tree:
            raise Refused("ENOENT")
        return self.tree[path]

    def names(self, path: str) -> bytes:
        self.node(path)
        return wire.join_strings(children(self.tree, path))

    def write(self, path: str, value: bytes) -> None:
        self.steps.append((View.write, (path, value)))
        missing, above = [], path
        while above not in self.tree:
            missing.append(above)
            above = parent(above)
        self.touched.update(missing, (above, path))
        for node in reversed(missing):
            self.tree[node] = b"", self.tree[above][1]
        self.tree[path] = value, self.tree[path][1]
        self.news[path, False] = None

    def set_perms(self, path: str, perms: tuple[Perm, ...]) -> None:
        self.steps.append((View.set_perms, (path, perms)))
        self.tree[path] = self.node(path)[0], perms
        self.news[path, False] = None

    def remove(self, path: str) -> None:
        if path == "/":
            raise Refused("EINVAL")
        self.node(parent(path))
        self.steps.append((View.remove, (path,)))
        for node in sorted((node for node in self.tree if is_under(node, path)), key=lambda node: -node.count("/")):
            del self.tree[node]
            self.touched.add(node)
            self.news[node, node != path] = None


def children(tree: dict[str, Node], path: str) -> list[str]:
    return [basename(node) for node in tree if node != "/" and parent(node) == path]


def part(names: bytes, head: bytes, offset: int) -> bytes:
    """A reply of DIRECTORY_PART: whole names, and an empty one behind the last."""
    rest, room = names[offset:], wire.PAYLOAD_MAX - len(head) - 1
    return head + (rest + b"\0" if len(rest) <= room else rest[: rest.rindex(b"\0", 0, room) + 1])


def absolute(path: str, *, special: bool = False) -> str:
    if not is_path(path, special=special):
        raise Refused("EINVAL")
    return path if path[0] in "/@" else HOME + path
