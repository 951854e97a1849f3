"""What a store had at one moment of a recording, as far as the recording tells."""

from __future__ import annotations

from xenbus.path import is_under, parent
from xenbus.recorder import of_domain
from xenbus.recording import HAVE, PERMS, REMOVE
from xenbus.tree import Node

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


def at_moment(recording: Recording, seconds: float | None = None) -> Snapshot:
    """The recorded nodes at that time; permissions are None where nothing is known of them."""
    nodes: dict[str, tuple[int, Node]] = {}
    removed: dict[str, int] = {}
    for number, event in enumerate(until(recording, seconds)):
        if not event.changes or not event.path.startswith("/"):
            continue
        if event.op == REMOVE:
            removed[event.path] = number
            continue
        _then, old = nodes.get(event.path, (0, Node(b"")))
        value = old.value if event.op == PERMS else event.value
        nodes[event.path] = number, Node(value or b"", event.perms or old.perms)
    return {path: node for path, (number, node) in nodes.items() if _lives(path, number, removed)}


def _lives(path: str, number: int, removed: dict[str, int]) -> bool:
    """Whether neither the node nor one above it was removed after it was written."""
    while removed and path:
        if removed.get(path, -1) > number:
            return False
        path = "" if path == "/" else parent(path)
    return True


def covers(recording: Recording, path: str) -> bool:
    """Whether a change of this node would be in the recording."""
    header = recording.header
    if not any(is_under(path, top) for top in header.watched):
        return False
    return header.domid is None or of_domain(path, header.domid) or path.startswith("/vm/")


def with_implied(nodes: Snapshot, other: Snapshot) -> Snapshot:
    """Recorded nodes, and those empty ones of another look that must have been there, as something is below them.

    A write makes the nodes above too, and no watch tells of them.
    """
    from bisect import bisect_left

    known = sorted(nodes)

    def implied(path: str) -> bool:
        below = path.rstrip("/") + "/"
        at = bisect_left(known, below)
        return at < len(known) and known[at].startswith(below)

    empty = [path for path, node in other.items() if path not in nodes and not node.value and implied(path)]
    return {**nodes, **{path: Node(b"") for path in empty}}
