"""watch: prints what changes, as it changes."""

from __future__ import annotations

import time

from xenbus.errors import StoreError, XenbusError
from xenbus.request import Read, Unwatch, Watch
from xenbus.tree import Node
from xenvm.cli.store.session import Verb
from xenvm.errors import DomainError, HostAtRest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.cli.store.session import Session

_TOKEN = "xenvm-store:"
_BURST_MAX = 500
"""Events that are shown together at most: a store that never rests must not keep them back."""


def _watch(
    session: Session,
    paths: tuple[str, ...],
    count: int,
    depth: int | None,
    values: bool,
    times: bool,
    as_json: bool,
) -> None:
    """Prints the path of each event, the first for each watched path at once; ends after `count` of them, if not 0."""
    if session.view is not None:
        raise DomainError(f"domain {session.view}'s watches are its own: `as` alone ends its view")
    session.must_be_live()
    tops = list(dict.fromkeys(session.absolute(path) for path in paths))
    left = count
    try:
        _begin(session, tops)
        for events in _bursts(session, tops, depth):
            some = events[:left] if count else events
            _show(session, some, values or as_json, times, as_json)
            left -= len(some)
            if left == 0:
                break
    finally:
        _end(session, tops)


def _bursts(session: Session, tops: list[str], depth: int | None) -> Iterator[list[str]]:
    """Paths of events that came together, without end."""
    while True:
        try:
            event = session.store.next_event()
        except HostAtRest:
            yield from _of_others(session, tops, depth)
            continue
        burst: list[str] = []
        while event is not None:
            path, token = event
            top = token.removeprefix(_TOKEN)
            if top in tops and (depth is None or _levels(path, top) <= depth):
                burst.append(path)
            event = session.store.next_event(0) if len(burst) < _BURST_MAX else None
        if burst:
            yield burst


def _of_others(session: Session, tops: list[str], depth: int | None) -> Iterator[list[str]]:
    """Lets others have a simulated host on which nothing more happens, and tells what they have changed."""
    from xenvm.cli.store.others import changed, look

    if (host := session.shared) is None:
        raise HostAtRest("nothing more will ever happen on this simulated host, and no other command can have it")
    before = look(host, tops, depth)
    session.until_changed()
    _begin(session, tops)
    while session.store.next_event(0) is not None:
        pass  # Those that come at once, and tell of no change.
    if (host := session.shared) is not None and (paths := changed(before, look(host, tops, depth), tops)):
        yield paths


def _levels(path: str, top: str) -> int:
    return path.removeprefix(top.rstrip("/")).count("/")


def _show(session: Session, paths: list[str], values: bool, times: bool, as_json: bool) -> None:
    from xenvm.cli.store import formats

    nodes = _nodes(session, paths) if values else {}
    now = time.time()
    head = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03d} " if times else ""
    hint = formats.hinter(session.paint) if session.hints else None
    lines = []
    for path in paths:
        node = nodes.get(path)
        if as_json:
            import json

            entry = {"path": path, "value": None} if node is None else formats.node_object(path, node)
            lines.append(json.dumps({"version": 1, "time": round(now, 6), **entry}))
        elif node is None:
            lines.append(head + path + ("  (none)" if values and not path.startswith("@") else ""))
        else:
            lines.append(head + formats.node_line(path, node) + (hint(path, node) if hint else ""))
    print("\n".join(lines), flush=True)


def _nodes(session: Session, paths: list[str]) -> dict[str, Node]:
    """The nodes that there are now; an event tells no value."""
    real = [path for path in dict.fromkeys(paths) if not path.startswith("@")]
    replies = session.store.batch([Read(path) for path in real])
    found = zip(real, replies, strict=True)
    return {path: Node(reply) for path, reply in found if not isinstance(reply, StoreError)}


def _begin(session: Session, tops: list[str]) -> None:
    session.store.batch_checked([Watch(path, _TOKEN + path) for path in tops])


def _end(session: Session, tops: list[str]) -> None:
    """Ends the watches; events that were under way are thrown away by the next watch."""
    if not session.is_open:
        return
    try:
        session.store.batch([Unwatch(path, _TOKEN + path) for path in tops])
        while session.store.next_event(0) is not None:
            pass
    except XenbusError:
        pass  # A connection that is gone has no watches.


watch = Verb(_watch)
