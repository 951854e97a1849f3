"""Finds the devices below one directory of the store, gives each its driver, and steps those that have news.

The directory is ``device`` in a guest (``device/<kind>/<devid>``), or ``backend/<kind>`` where back ends are served
(``backend/<kind>/<domid>/<devid>``): devices lie two levels below in both.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xenbus.driver import End
    from xenbus.watcher import Watcher

    Probe = Callable[["Bus", str], End | None]
    """Gives a device's driver by its path, or None if it is not to be served now."""

MAX_CHILDREN = 4096
"""Most devices, or domains, that are looked at in one directory: a guest can make as many as its quota allows."""


def _ignore(_message: str) -> None:
    pass


class Bus:
    """The devices below `root`, which is relative to the own domain."""

    def __init__(
        self, watcher: Watcher, root: str, probe: Probe, report: Callable[[str], None] = _ignore, depth: int = 2
    ) -> None:
        self.watcher, self.root, self.report = watcher, root, report
        self.ends: dict[str, End] = {}
        """Devices in service, by path."""
        self.ports: dict[int, End] = {}
        """Who is served for the events of a port."""
        self._probe, self._depth = probe, depth
        self._dirty: dict[str, None] = {}
        self._kicked: dict[str, End] = {}
        self._tokens: dict[str, str] = {}
        self._scans: dict[str, None] = {}
        """Directories in which there may be new devices."""
        self._below: dict[str, dict[str, None]] = {}
        """Devices in service below each directory: news of one guest must not cost more because there are others."""
        watcher.watch(root, self._event)

    def step(self, fired: Iterable[int] = ()) -> bool:
        """Serves the devices of the ports that fired, and steps those with news; whether anything was done.

        The watcher's own step() comes before.
        """
        moved = False
        for port in fired:
            if end := self.ports.get(port):
                self.kick(end)
        # Whoever is kicked meanwhile has its turn in the next step: a guest that never stops sending stops nobody else.
        kicked, self._kicked = self._kicked, {}
        for end in kicked.values():
            moved |= end.served()
        scans, self._scans = self._scans, {}
        for path in scans:
            self._scan(path, self._depth - path.count("/") + self.root.count("/"))
        while self._dirty:
            path = next(iter(self._dirty))
            del self._dirty[path]
            moved |= self._look(path)
        return moved or bool(self._kicked)

    def mark(self, path: str) -> None:
        """Has a device looked at in the next step, as if there were news of it."""
        self._dirty[path] = None

    def kick(self, end: End) -> None:
        """Has a device served in the next step, as if the other end had sent an event."""
        self._kicked[end.path] = end

    def has_kicked(self) -> bool:
        """Whether somebody is to be served in the next step."""
        return bool(self._kicked)

    def adopt(self, end: End) -> None:
        """Takes a device into service that has its driver already."""
        path = end.path
        self.ends[path] = end
        for above in self._above(path):
            self._below.setdefault(above, {})[path] = None
        # The first event of the new watch has the device looked at: states that changed before it are seen.
        self._tokens[path] = self.watcher.watch(f"{end.peer}/state", lambda _path: self._peer_event(path))

    def close(self) -> None:
        """Takes all devices out of service, without a word to the other ends."""
        for end in self.ends.values():
            end.let_go()
        self.ends.clear()
        self._below.clear()

    def _event(self, path: str) -> None:
        names = path[len(self.root) + 1 :].split("/")
        if len(names) >= self._depth:
            self.mark("/".join((self.root, *names[: self._depth])))
        else:
            self._scans[path] = None
            self._dirty.update(self._below.get(path, ()))

    def _above(self, path: str) -> Iterator[str]:
        """The directories that a device is in, the root too."""
        while len(path) > len(self.root):
            path = path.rpartition("/")[0]
            yield path

    def _scan(self, path: str, depth: int) -> None:
        if not depth:
            if path not in self.ends:
                self.mark(path)
            return
        for name in self.watcher.store.list_or_empty(path)[:MAX_CHILDREN]:
            self._scan(f"{path}/{name}", depth - 1)

    def _look(self, path: str) -> bool:
        end = self.ends.get(path)
        if end is None:
            end = self._probe(self, path)
            if end is None:
                return False
            self.adopt(end)
            return True
        moved = end.step()
        if end.gone:
            self._drop(path)
            self.watcher.unwatch(self._tokens.pop(path))
        return moved

    def _drop(self, path: str) -> None:
        del self.ends[path]
        for above in self._above(path):
            self._below[above].pop(path)
            if not self._below[above]:
                del self._below[above]

    def _peer_event(self, path: str) -> None:
        if end := self.ends.get(path):
            end.peer_changed = True
            self.mark(path)
