"""Watches by the paths they are on, so that a change looks only at those on its own node and above it."""

from __future__ import annotations

from xenbus.server.quota import OVERHEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.server.connection import Connection

UNLIMITED = -1
"""The depth of a watch that has none."""
_REMEMBERED = 1 << 14
"""Nodes, and watches above them, that are remembered in all: guests can make up as many nodes as they like."""


class Watch:
    """One watch; `cut` bytes at the start of a path are not told, as the client gave a relative one."""

    __slots__ = ("connection", "cut", "depth", "path", "serial", "token")

    def __init__(self, connection: Connection, path: bytes, token: bytes, depth: int, cut: int) -> None:
        self.connection, self.path, self.token, self.depth, self.cut = connection, path, token, depth, cut
        self.serial = 0

    def event(self, path: bytes) -> bytes:
        """The payload that tells of a change of a node."""
        return b"%b\0%b\0" % (path[self.cut :], self.token)

    def memory(self) -> int:
        """What the quotas count."""
        return len(self.path) + len(self.token) + OVERHEAD


class WatchIndex:
    """All watches of all clients."""

    def __init__(self) -> None:
        self._by_path: dict[bytes, dict[Watch, None]] = {}
        self._above: dict[bytes, list[tuple[Watch, int]]] = {}
        """What `_reaching` has found: the nodes that a transaction changes have few parents."""
        self._remembered = 0
        self._serial = 0

    def add(self, watch: Watch) -> None:
        """Registers one."""
        self._serial += 1
        watch.serial = self._serial
        self._forget()
        self._by_path.setdefault(watch.path, {})[watch] = None

    def remove(self, watch: Watch) -> None:
        """Ends one."""
        self._forget()
        there = self._by_path[watch.path]
        del there[watch]
        if not there:
            del self._by_path[watch.path]

    def _forget(self) -> None:
        self._above.clear()
        self._remembered = 0

    def exactly(self, path: bytes) -> list[Watch]:
        """The watches on this very node."""
        return list(self._by_path.get(path, ()))

    def plain(self, path: bytes) -> list[Watch]:
        """The watches on this very node that have no depth."""
        return [watch for watch in self._by_path.get(path, ()) if watch.depth < 0]

    def covering(self, path: bytes, limited: bool = False) -> list[Watch]:
        """The watches on the node and above that reach down to it, in the order of their registration.

        `limited`: above it only those with a depth.
        """
        there, end = self._by_path.get(path), path.rfind(b"/")
        found = list(there) if there else []
        if end >= 0 and path != b"/":
            above = path[:end] or b"/"
            reaching = self._above.get(above)
            for watch, level in self._reaching(above) if reaching is None else reaching:
                if watch.depth >= level or (watch.depth < 0 and not limited):
                    found.append(watch)
        if len(found) > 1:
            found.sort(key=_serial)
        return found

    def _reaching(self, path: bytes) -> list[tuple[Watch, int]]:
        """The watches on a node and above it, and how far above its children each is."""
        found: list[tuple[Watch, int]] = []
        level, at = 1, path
        while True:
            found += [(watch, level) for watch in self._by_path.get(at, ())]
            end = at.rfind(b"/")
            if end < 0 or at == b"/":
                break
            at, level = at[:end] or b"/", level + 1
            known = self._above.get(at)
            if known is not None:
                found += [(watch, beyond + level - 1) for watch, beyond in known]
                break
        self._remembered += 1 + len(found)
        if self._remembered > _REMEMBERED:
            self._forget()
        self._above[path] = found
        return found


def _serial(watch: Watch) -> int:
    return watch.serial
