"""Files as stores: a snapshot that `export` has written, or a recording at its end or at ``FILE@SECONDS`` of it.

Nothing in them can be changed.
"""

from __future__ import annotations

import os

from xenbus.client import Store
from xenbus.dump import from_text, restore
from xenbus.errors import InvalidValue
from xenbus.link import Link
from xenbus.path import is_under
from xenbus.recording import as_requests, is_recording, load
from xenbus.rewind import at_moment, covers, until, with_implied
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort
from xenbus.tree import walk
from xenbus.value import Value
from xenvm.cli.store.session import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xenbus.operations import Operations
    from xenbus.recording import Recording
    from xenbus.rewind import Moment
    from xenbus.tree import Snapshot


class Recorded(Value):
    """What a file has: one of the two."""

    snapshot: Snapshot | None = None
    recording: Recording | None = None
    moment: float | None = None
    """Of the recording, in seconds since its beginning; None is its end."""


def read_recorded(name: str) -> Recorded:
    """Reads ``FILE`` or ``FILE@SECONDS``; InvalidValue says what is wrong with it."""
    path, moment = _parts(name)
    text = read_file(path)
    if is_recording(text):
        return Recorded(recording=load(text.splitlines(keepends=True), path), moment=moment)
    if moment is not None:
        raise InvalidValue(f"{path} is a snapshot, of one moment only: @SECONDS is for recordings")
    return Recorded(snapshot=from_text(text, path))


def _parts(name: str) -> tuple[str, float | None]:
    path, at, seconds = name.rpartition("@")
    if not at or os.path.exists(name):
        return name, None
    try:
        moment = float(seconds)
    except ValueError:
        moment = -1.0
    if not 0 <= moment < float("inf"):
        raise InvalidValue(f"{name}: {seconds!r} is no number of seconds since the beginning of a recording")
    return path, moment


class RecordedSource:
    """See Source; the file is read when the store is first used."""

    def __init__(self, name: str) -> None:
        self.frozen = f"{name} is a snapshot, not a live store"
        self._name = name
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """A connection to what the file has."""
        if self._store is None:
            found = read_recorded(self._name)
            # Permissions name domains that are gone by now.
            engine = Engine(exists=lambda _domid: True)
            self._store = Store(Link(EnginePort(engine.connect())))
            if found.recording is not None:
                events = until(found.recording, found.moment)
                self._store.batch([request for event in events for request in as_requests(event)])
            else:
                self._store.batch_checked(list(restore(found.snapshot or {})))
        return self._store

    def reconnect(self) -> None:
        """Gives the store up; the next use reads the file again."""
        if self._store is not None:
            self._store.close()
            self._store = None

    close = reconnect


def looks(before: Recorded | None, after: Recorded | None, eyes: Operations | None) -> list[Snapshot]:
    """Both as trees that can be compared: None is the store now, and only what a recording covers counts.

    InvalidValue for recordings of two domains.
    """
    both = (before, after)
    _check_domains(both)
    moments = [at_moment(found.recording, found.moment) if found and found.recording else None for found in both]
    trees = [
        _tree(own, moment, _now(other, eyes)) for own, moment, other in zip(both, moments, both[::-1], strict=True)
    ]
    if moments == [None, None]:
        return trees
    bounds = [_bound(found) for found in both if found is not None]
    old, new = ({path: node for path, node in tree.items() if all(fits(path) for fits in bounds)} for tree in trees)
    first, second = moments
    return [with_implied(first, old, new) if first else old, with_implied(second, new, old) if second else new]


def _check_domains(both: Sequence[Recorded | None]) -> None:
    domids = {found.recording.header.domid for found in both if found and found.recording} - {None}
    if len(domids) > 1:
        which = " and ".join(map(str, sorted(domids, key=str)))
        raise InvalidValue(f"the recordings are of domains {which}: `xenvm replay FILE --compare FILE` compares those")


def _tree(own: Recorded | None, moment: Moment | None, now: Snapshot) -> Snapshot:
    if own is None:
        return now
    return moment.nodes if moment else own.snapshot or {}


def _bound(found: Recorded) -> Callable[[str], bool]:
    """Whether a file would tell of a path."""
    if recording := found.recording:
        return lambda path: covers(recording, path)
    tops = _outermost(found.snapshot or ())
    return lambda path: any(is_under(path, top) for top in tops)


def _now(other: Recorded | None, eyes: Operations | None) -> Snapshot:
    """The store as it is, at the places that the other look covers."""
    snapshot: Snapshot = {}
    if other is None or eyes is None:
        return snapshot
    places: Iterable[str] = other.recording.header.watched if other.recording else other.snapshot or ()
    for top in _outermost(places):
        if eyes.read_or_none(top) is not None:
            snapshot.update(walk(eyes, top, perms=True))
    return snapshot


def _outermost(paths: Iterable[str]) -> list[str]:
    """Those that are not below an earlier one."""
    tops: list[str] = []
    for path in paths:
        if not any(is_under(path, top) for top in tops):
            tops.append(path)
    return tops
