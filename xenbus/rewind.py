"""What a store had at one moment of a recording, as far as the recording tells."""

from __future__ import annotations

from xenbus.path import is_under, parent
from xenbus.recorder import of_domain
from xenbus.recording import HAVE, PERMS, REMOVE
from xenbus.tree import Node
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenbus.recording import Event, Recording
    from xenbus.tree import Snapshot


def until(recording: Recording, seconds: float | None) -> Iterator[Event]:
    """What has happened by a time in seconds since the beginning, None: all; what was there then is always among it."""
    for event in recording.events:
        if seconds is None or event.op == HAVE or event.time <= seconds:
            yield event


class Moment(Value):
    """A recording at one time of it."""

    nodes: Snapshot
    """The recorded nodes; permissions are None where nothing is known of them."""
    written: dict[str, int]
    """When each path was written last, in events, whether it is still there or not."""
    removed: dict[str, int]
    """When each path was removed last."""


def at_moment(recording: Recording, seconds: float | None = None) -> Moment:
    """What there was at a time in seconds since the beginning, or at the end."""
    known: dict[str, Node] = {}
    written: dict[str, int] = {}
    removed: dict[str, int] = {}
    for number, event in enumerate(until(recording, seconds)):
        if not event.changes or not event.path.startswith("/"):
            continue
        if event.op == REMOVE:
            removed[event.path] = number
            continue
        old = known.get(event.path, Node(b""))
        value = old.value if event.op == PERMS else event.value
        known[event.path] = Node(value or b"", event.perms or old.perms)
        written[event.path] = number
    nodes = {path: node for path, node in known.items() if written[path] > _gone(path, removed)}
    return Moment(nodes, written, removed)


def _gone(path: str, removed: dict[str, int]) -> int:
    """When the node, or one above it, was removed last; -1 if never."""
    last = -1
    while removed and path:
        last = max(last, removed.get(path, -1))
        path = "" if path == "/" else parent(path)
    return last


def covers(recording: Recording, path: str) -> bool:
    """Whether a change of this node would be in the recording."""
    header = recording.header
    if not any(is_under(path, top) for top in header.watched):
        return False
    return header.domid is None or of_domain(path, header.domid) or path.startswith("/vm/")


def with_implied(moment: Moment, nodes: Snapshot, other: Snapshot) -> Snapshot:
    """Some nodes of it, and those empty ones of another look that must have been there: something was made below them.

    A write makes the nodes above too, of which no watch tells; and they stay when what is below goes.
    """
    from bisect import bisect_left

    known = sorted(moment.written)

    def implied(path: str) -> bool:
        below, gone = path.rstrip("/") + "/", _gone(path, moment.removed)
        for at in range(bisect_left(known, below), len(known)):
            if not known[at].startswith(below):
                return False
            if moment.written[known[at]] > gone:
                return True
        return False

    empty = [path for path, node in other.items() if path not in nodes and not node.value and implied(path)]
    return {**nodes, **{path: Node(b"") for path in empty}}
