"""Records what happens in a part of the store, seen from outside: by watches, and a look at each node that changed.

Events carry no values, and several changes of a node can be over before it is looked at; what is recorded then is the
last one, with the number of its events. A node that was removed and made anew is found by its missing children.

A store sends the events of a change in front of the answers to later requests. So all that was there when a look ended
has told of itself by then, and what announces it can be written down behind it (xenbus.announced).
"""

from __future__ import annotations

from xenbus.announced import ANNOUNCING, Announced
from xenbus.errors import NotFound, StoreError, XenbusError
from xenbus.path import is_under, parent
from xenbus.recording import END, HAVE, PERMS, REMOVE, WRITE, Event
from xenbus.request import GetPerms, List, Read, Unwatch, Watch
from xenbus.tree import walk
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xenbus.client import Store
    from xenbus.operations import Reply
    from xenbus.perm import Perm
    from xenbus.recording import Writer

BURST_MAX = 256
"""Events that are looked at together."""
LOOKS_MAX = 50
"""Bursts at the beginning that are looked at before the rest counts as changes."""
MEMORY_MAX = 32 << 20
"""Bytes of the nodes that are remembered: a recording ends before it takes more."""
_NODE_COST = 256
_TOKEN = "xenvm-record:"


class Known(Value):
    """What was last seen of a node."""

    value: bytes
    perms: tuple[Perm, ...] | None


class Recorder:
    """Follows some tops of a store and writes what `wanted` says is of interest; for one thread."""

    def __init__(self, store: Store, writer: Writer, wanted: Callable[[str], bool] = lambda _path: True) -> None:
        self.store, self._writer, self._wanted = store, writer, wanted
        self._start = store.clock()
        self._nodes: dict[str, Known] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._memory = 0
        self._tops: list[str] = []
        self._greetings: set[str] = set()
        """Paths whose next event need not tell of a change, such as the first one of each watch."""
        self._announced = Announced(writer.put)
        self._begun = False
        """Whether changes are written down: what was there at the beginning is known."""
        self._early: list[str] = []
        """Paths of events before that."""
        self._late: dict[str, int] = {}
        """What is looked at first, with the numbers of events."""
        self._why = "it was interrupted"
        """Why it ends."""

    @property
    def full(self) -> bool:
        """Whether nothing more can be recorded."""
        return self._writer.full or self._memory > MEMORY_MAX

    def follow(self, tops: Sequence[str]) -> None:
        """Watches places, and records what is there already: the watches first, so that nothing falls between.

        What changes meanwhile is looked at again, so that a state has with it what was written before it.
        """
        # Not what is below another one: each of its events would come twice.
        inner = {top for top in tops if any(is_under(top, other) and top != other for other in tops)}
        self._tops = [top for top in dict.fromkeys(tops) if top not in inner]
        self._watch()
        for top in self._tops:
            self._look_first(top)
        self._catch_up()
        now, self._begun = self.now(), True
        for path, node in self._nodes.items():
            self._put(Event(now, HAVE, path, node.value, node.perms))

    def resume(self, store: Store) -> None:
        """Goes on with another connection: what is different from what was known is looked at first."""
        self.store = store
        self._watch()
        there: dict[str, Known] = {}
        for top in self._tops:
            there.update(self._found(top))
        gone = self._nodes.keys() - there.keys()
        tops = [path for path in self._nodes if path in gone and parent(path) not in gone]
        changed = [path for path, node in there.items() if node != self._nodes.get(path)]
        # The first event of each watch is the one for its path.
        self._late = {path: int(path not in self._tops) for path in (*tops, *changed)}

    def run(self, until: float | None, done: Callable[[list[str]], bool]) -> str:
        """Records until the time `until` of the store's clock, or until `done`, told of each burst; says why it ended.

        After an error it can be called again, see `resume`.
        """
        try:
            self._why = self._run(until, done)
        except XenbusError as error:
            self._why = str(error)
            raise
        return self._why

    def now(self) -> float:
        """Seconds since the beginning."""
        return max(0.0, self.store.clock() - self._start)

    def close(self) -> None:
        """Writes the last line, and ends the watches."""
        self._announced.release(self.now())
        self._put(Event(self.now(), END, error=self._why))
        self._begun = False
        self._writer.flush()
        tops, self._tops = self._tops, []
        try:
            self.store.post([Unwatch(top, _TOKEN + top) for top in tops])
        except XenbusError:
            pass  # A connection that is gone has no watches.

    def _run(self, until: float | None, done: Callable[[list[str]], bool]) -> str:
        gone = done(self._early)
        while not self.full and not gone:
            burst = {} if until is not None and self.store.clock() >= until else self._burst(until)
            if not burst:
                return "the time is up"
            self._take(burst)
            gone = done(list(burst))
        if not gone:
            return "it would have been too large"
        self._take(self._burst(0))  # All that `done` has found has told of itself by now.
        return "what was recorded is gone"

    def _take(self, burst: dict[str, int]) -> None:
        """Records what events tell of: what announces behind the rest."""
        ours = [path for path in burst if self._is_ours(path)]
        self._look(sorted(ours, key=lambda path: path.endswith(ANNOUNCING)), burst)
        self._announced.end_look(self.now(), len(burst) < BURST_MAX)
        if not self.store.has_events():
            self._announced.release(self.now())
        self._writer.flush()

    def _burst(self, until: float | None) -> dict[str, int]:
        """Paths of events that have come, in the order of their last ones, with their numbers; empty at `until`."""
        counts, self._late = self._late, {}
        event = self.store.next_event(0 if counts else until)
        while event is not None:
            counts[event[0]] = counts.pop(event[0], 0) + 1
            event = self.store.next_event(0) if len(counts) < BURST_MAX else None
        return counts

    def _is_ours(self, path: str) -> bool:
        return not path.startswith("@") and self._wanted(path)

    def _watch(self) -> None:
        self._greetings.update(self._tops)
        self.store.batch_checked([Watch(top, _TOKEN + top) for top in self._tops])

    def _look_first(self, top: str) -> None:
        for path, node in self._found(top).items():
            if path not in self._nodes:
                self._keep(path, node)

    def _found(self, top: str) -> dict[str, Known]:
        """What there is of interest; nothing while the top itself is missing."""
        if top.startswith("@"):
            return {}
        try:
            found = walk(self.store, top, perms=True)
        except StoreError:
            return {}
        return {
            path: Known(node.value, node.perms)
            for path, node in found.items()
            if node.value is not None and self._wanted(path)
        }

    def _catch_up(self) -> None:
        """Looks again at what has changed during the first look, but for what announces: that is left for the next."""
        for _look in range(LOOKS_MAX):
            burst = self._burst(0)
            ours = [path for path in burst if self._is_ours(path)]
            self._look([path for path in ours if not path.endswith(ANNOUNCING)], burst)
            late = {path: burst[path] for path in ours if path.endswith(ANNOUNCING)}
            self._early += ours
            self._late.update(late)
            self._greetings.update(late)
            if len(burst) < BURST_MAX:
                return

    def _look(self, paths: list[str], counts: dict[str, int]) -> None:
        """Reads nodes with one write, and records how they differ from what was known."""
        requests = [request for path in paths for request in (Read(path), GetPerms(path), List(path))]
        replies = self.store.batch(requests)
        now = self.now()
        for index, path in enumerate(paths):
            value, perms, names = replies[3 * index : 3 * index + 3]
            if isinstance(value, bytes):
                self._drop_missing(path, names, now)
                self._changed(path, Known(value, perms if isinstance(perms, tuple) else None), counts[path], now)
            elif isinstance(value, NotFound):
                self._removed(path, counts[path], now)

    def _changed(self, path: str, new: Known, events: int, now: float) -> None:
        old = self._nodes.get(path)
        if path in self._greetings:
            self._greetings.remove(path)
            if old == new:
                return
        self._keep(path, new)
        only_perms = old is not None and old.value == new.value and old.perms != new.perms
        same = old is not None and old.perms == new.perms
        op = PERMS if only_perms else WRITE
        self._put(Event(now, op, path, None if only_perms else new.value, None if same else new.perms, None, events))

    def _removed(self, path: str, events: int, now: float) -> None:
        if self._forget(path):
            self._put(Event(now, REMOVE, path, events=events))

    def _drop_missing(self, path: str, names: Reply, now: float) -> None:
        """The event of a removal can come when the node is there again: its children tell."""
        known = self._children.get(path)
        if known and isinstance(names, tuple):
            for name in [name for name in known if name not in names]:
                self._removed(f"{path.rstrip('/')}/{name}", 1, now)

    def _put(self, event: Event) -> None:
        if self._begun:
            self._announced.take(event)

    # What is known of the tree.

    def _keep(self, path: str, node: Known) -> None:
        old = self._nodes.get(path)
        self._memory += _cost(path, node) - (_cost(path, old) if old else 0)
        self._nodes[path] = node
        while path != "/":
            above = parent(path)
            self._children.setdefault(above, {})[path.rpartition("/")[2]] = None
            path = above

    def _forget(self, path: str) -> bool:
        """Forgets a node with all below; whether there was any."""
        gone = [path]
        found = False
        while gone:
            each = gone.pop()
            gone += [f"{each.rstrip('/')}/{name}" for name in self._children.pop(each, ())]
            old = self._nodes.pop(each, None)
            if old is not None:
                found = True
                self._memory -= _cost(each, old)
        self._children.get(parent(path), {}).pop(path.rpartition("/")[2], None)
        return found


def _cost(path: str, node: Known) -> int:
    return len(path) + len(node.value) + _NODE_COST


def of_domain(path: str, domid: int) -> bool:
    """Whether a path tells of a domain: its home, its back ends anywhere, and the toolstack's records."""
    own = (f"/local/domain/{domid}", f"/libxl/{domid}")
    if any(is_under(path, top) for top in own):
        return True
    match path.split("/"):
        case ["", "local", "domain", _, "backend", _, front, *_] if front == str(domid):
            return True
        case ["", "local", "domain", _, "error", "backend", _, front, *_] if front == str(domid):
            return True
    return False
