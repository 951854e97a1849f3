"""Looks at a whole tree with few round trips, and compares two looks.

A look is not a transaction: nodes may come and go meanwhile, and one that vanishes is passed over.
"""

from __future__ import annotations

from xenbus.errors import AccessDenied, InvalidPath, NotFound
from xenbus.path import basename, join
from xenbus.request import GetPerms, List, Read
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xenbus.operations import Operations, Reply
    from xenbus.perm import Perm
    from xenbus.request import Request

    Snapshot = dict[str, "Node"]
    """Nodes by path: a parent before its children, children oldest first."""

NODES_A_WRITE = 128
"""For how many nodes the requests go out together."""


class Node(Value):
    """What was seen of a node: None is a value that may not be read, and permissions that nobody asked for."""

    value: bytes | None
    perms: tuple[Perm, ...] | None = None


class Change(Value):
    """A node that differs between two looks; None where there is none."""

    path: str
    before: Node | None
    after: Node | None


def walk(store: Operations, top: str = "/", *, perms: bool = False, depth: int | None = None) -> Snapshot:
    """All nodes from `top` on, down to `depth` levels below it.

    Raises NotFound or AccessDenied for `top` alone; below it a node that is gone is missing, and a closed one is empty.
    """
    found: Snapshot = {}
    below: dict[str, tuple[str, ...]] = {}
    level, left = [top], depth
    while level:
        for begin in range(0, len(level), NODES_A_WRITE):
            _look(store, level[begin : begin + NODES_A_WRITE], left != 0, perms, found, below)
        level = [join(path, name) for path in level for name in below.get(path, ())]
        left = None if left is None else left - 1
    if top not in found:
        raise NotFound("ENOENT", "list", top)
    if found[top].value is None:
        raise AccessDenied("EACCES", "list", top)
    return _in_order(top, found, below)


def _look(
    store: Operations, paths: list[str], deeper: bool, perms: bool, found: Snapshot, below: dict[str, tuple[str, ...]]
) -> None:
    """Reads some nodes with one write."""
    asked: list[tuple[str, int]] = []
    requests: list[Request] = []
    for path in paths:
        try:
            own = _requests(path, deeper, perms)
        except InvalidPath:
            continue  # A server that allows other names than the protocol: nobody can ask for such a node.
        asked.append((path, len(requests)))
        requests += own
    replies = store.batch(requests)
    for path, at in asked:
        value, rights = _value(replies[at]), _value(replies[at + 1]) if perms else None
        if value is _GONE or rights is _GONE:
            continue
        found[path] = Node(value, rights)
        if deeper:
            names = _value(replies[at + 1 + perms])
            below[path] = () if names is _GONE or names is None else names


def _requests(path: str, deeper: bool, perms: bool) -> list[Request]:
    own: list[Request] = [Read(path)]
    if perms:
        own.append(GetPerms(path))
    if deeper:
        own.append(List(path))
    return own


_GONE = object()


def _value(reply: Reply) -> Reply:
    """The reply; None if it is forbidden, `_GONE` if there is no such node; raises any other error."""
    if not isinstance(reply, Exception):
        return reply
    if isinstance(reply, NotFound):
        return _GONE
    if isinstance(reply, AccessDenied):
        return None
    raise reply


def _in_order(top: str, found: Snapshot, below: dict[str, tuple[str, ...]]) -> Snapshot:
    ordered: Snapshot = {}
    stack = [top]
    while stack:
        path = stack.pop()
        node = found.get(path)
        if node is not None:
            ordered[path] = node
            stack.extend(join(path, name) for name in reversed(below.get(path, ())))
    return ordered


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """What changed, by path; permissions count where both looks have them."""
    changes = []
    for path in sorted({*before, *after}, key=lambda path: path.split("/")):
        old, new = before.get(path), after.get(path)
        if old is None or new is None or old.value != new.value or _perms_differ(old, new):
            changes.append(Change(path, old, new))
    return changes


def _perms_differ(old: Node, new: Node) -> bool:
    return old.perms is not None and new.perms is not None and old.perms != new.perms


def matching(
    snapshot: Snapshot, *, name: str | None = None, value: bytes | None = None, owner: int | None = None
) -> Iterator[str]:
    """Paths whose last name (or whole path, if the pattern has a slash) fits a glob, that contain a value, of an owner.

    An `owner` needs a snapshot with permissions.
    """
    from fnmatch import fnmatchcase

    for path, node in snapshot.items():
        if name is not None and not fnmatchcase(path if "/" in name else basename(path), name):
            continue
        if value is not None and (node.value is None or value not in node.value):
            continue
        if owner is None or (node.perms is not None and node.perms[0].domid == owner):
            yield path


def owners(snapshot: Snapshot) -> dict[int, int]:
    """How many nodes each domain owns."""
    counts: dict[int, int] = {}
    for perms in _known(node.perms for node in snapshot.values()):
        counts[perms[0].domid] = counts.get(perms[0].domid, 0) + 1
    return counts


def _known(all_perms: Iterable[tuple[Perm, ...] | None]) -> Iterator[tuple[Perm, ...]]:
    return (perms for perms in all_perms if perms)
