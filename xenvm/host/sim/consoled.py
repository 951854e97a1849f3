"""The console daemon of the simulated domain 0: serves the primary consoles as xenconsoled does.

Each console is logged from its first byte, and what nobody has read yet is kept for who attaches later.
"""

from __future__ import annotations

import os

from xenbus.bytering import CONSOLE_CONNECTION, CONSOLE_IN, CONSOLE_OUT, ByteReader, ByteWriter
from xenbus.errors import RingError, StoreError
from xenbus.parse import parse_decimal, parse_domid, parse_word
from xenbus.request import Read
from xenbus.watcher import Watcher
from xenvm.errors import HypercallError
from xenvm.host.sim.faults import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.client import Store
    from xenvm.host.back import BackSide

CONSOLE_GRANT = 0
"""The reference by which every guest's console page can be mapped."""
LIMIT_MAX = 1 << 20
"""Most bytes that are kept for a client, whatever the console's own limit says."""
INPUT_MAX = 1 << 16

_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+")


class GuestConsole:
    """One guest's console; a client reads and writes it directly."""

    def __init__(
        self, side: BackSide, domid: int, port: int, log_fd: int, limit: int, wake: Callable[[GuestConsole], None]
    ) -> None:
        """`wake` has the console stepped although the guest has sent no event."""
        self.domid, self.guest_port = domid, port
        self.log_fd = log_fd
        self.unread = bytearray()
        """Output that no client has taken yet, the oldest dropped where it is too much."""
        self._side, self._limit = side, limit
        self._typed = bytearray()
        self._page = side.map_grant(domid, CONSOLE_GRANT)
        try:
            self.port = side.bind(domid, port)
            """The local event channel."""
        except HypercallError:
            side.unmap_grant(domid, CONSOLE_GRANT)
            raise
        self._out, self._in = ByteReader(self._page, CONSOLE_OUT), ByteWriter(self._page, CONSOLE_IN)
        self._page[CONSOLE_CONNECTION] = 0
        self._wake = wake
        wake(self)

    def read(self) -> bytes:
        """What the guest has printed since the last call."""
        data = bytes(self.unread)
        self.unread.clear()
        return data

    def type(self, data: bytes) -> None:
        """Sends keys to the guest; what it does not take for long is dropped."""
        self._typed += data[: INPUT_MAX - len(self._typed)]
        self._wake(self)

    def step(self) -> bool:
        """Moves bytes both ways; whether there were any. A guest whose indexes make no sense is not listened to."""
        try:
            data = self._out.read()
            sent = self._in.write(bytes(self._typed))
        except RingError:
            return False
        del self._typed[:sent]
        if data:
            self._keep(data)
        if data or sent:
            self._side.notify(self.port)
        return bool(data or sent)

    def _keep(self, data: bytes) -> None:
        try:
            os.write(self.log_fd, data)
        except OSError:
            pass  # A full disk loses the log, not the console.
        self.unread += data
        del self.unread[: max(0, len(self.unread) - self._limit)]

    def close(self) -> None:
        """Takes what is left in the ring, and gives up everything."""
        self.step()
        self._side.unbind(self.port)
        self._out.close()
        self._in.close()
        self._side.unmap_grant(self.domid, CONSOLE_GRANT)
        os.close(self.log_fd)


class Consoled:
    """The daemon, a peer of the simulated world; `folder` says where the logs ``guest-<name>.log`` go."""

    def __init__(self, store: Store, side: BackSide, folder: Callable[[], str]) -> None:
        self.consoles: dict[int, GuestConsole] = {}
        """Consoles in service, by domid."""
        self._store, self._side, self._folder = store, side, folder
        self._watcher = Watcher(store)
        self._tokens: dict[int, str] = {}
        self._by_port: dict[int, GuestConsole] = {}
        self._awake: dict[int, GuestConsole] = {}
        self._dirty: set[int] = set()
        self._changed = dict.fromkeys(["@introduceDomain"])
        self._kept: dict[int, bytes] = {}
        self.trouble: Callable[[], str] = str
        """What is wrong with the daemon, see xenvm.host.sim.faults."""
        for special in ("@introduceDomain", "@releaseDomain"):
            # With a depth the events name the domain: one more guest costs the same however many there are.
            self._watcher.watch(special, self._domains_changed, depth=1)

    def step(self) -> bool:
        """See Peer."""
        if self.trouble() == MISSING:
            return False
        moved = self._watcher.step()
        changed, self._changed = self._changed, {}
        for path in changed:
            special, _, number = path.partition("/")
            if special == "@releaseDomain":
                self._look_for_ended(number)
            else:
                self._look_for_new(number)
        while self._dirty:
            self._look_at(self._dirty.pop())
        for port in self._side.pending():
            if console := self._by_port.get(port):
                self._wake(console)
        while self._awake:
            # Where keys are left, the guest sends an event when it has taken some.
            moved |= self._awake.pop(next(iter(self._awake))).step()
        return moved

    def due(self) -> float | None:
        """See Peer."""
        return None

    def close(self) -> None:
        """Gives up all consoles; another daemon can go on."""
        for domid in list(self.consoles):
            self._drop(domid)

    def state(self) -> dict[str, str]:
        """What restore() takes: what nobody has read."""
        return {str(domid): bytes(each.unread).decode("latin-1") for domid, each in self.consoles.items()}

    def restore(self, state: dict[str, str]) -> None:
        """Goes on where another daemon stood; before the first step."""
        self._kept = {int(domid): text.encode("latin-1") for domid, text in state.items()}

    def _domains_changed(self, path: str) -> None:
        self._changed[path] = None

    def _look_for_ended(self, number: str) -> None:
        """Drops the domain of this number if it has ended; without one, whoever has."""
        for domid in [int(number)] if number else list(self._tokens):
            if domid in self._tokens and not self._store.is_introduced(domid):
                self._watcher.unwatch(self._tokens.pop(domid))
                self._drop(domid)

    def _look_for_new(self, number: str) -> None:
        """Takes on the domain of this number; without one, all that there are."""
        for domid in map(parse_domid, [number] if number else self._store.list_or_empty("/local/domain")):
            # Domain 0 has no console here, and its connection was never introduced.
            if domid and domid not in self._tokens and self._store.is_introduced(domid):
                self._tokens[domid] = self._watcher.watch(f"/local/domain/{domid}/console", self._console_changed)

    def _console_changed(self, path: str) -> None:
        names = path.split("/")
        domid = parse_domid(names[3])
        if domid is not None and names[-1] != "tty":  # the daemon writes that itself
            self._dirty.add(domid)

    def _look_at(self, domid: int) -> None:
        """Serves a console from the moment that its nodes are complete; another port is another console."""
        home = f"/local/domain/{domid}"
        names = (*(f"{home}/console/{name}" for name in ("port", "ring-ref", "type", "limit", "tty")), f"{home}/name")
        replies = self._store.batch([Read(name) for name in names])
        port, ring, kind, limit, tty, name = (None if isinstance(reply, StoreError) else reply for reply in replies)
        guest_port = parse_word(port)
        if guest_port is None or parse_word(ring) is None or kind not in (None, b"xenconsoled"):
            return
        console = self.consoles.get(domid)
        if console is not None and console.guest_port != guest_port:
            self._drop(domid)
            console = None
        if console is None and self._open(domid, guest_port, name, limit) and not tty:
            self._store.write(f"{home}/console/tty", self.tty(domid))

    @staticmethod
    def tty(domid: int) -> str:
        """What stands in for the path of a terminal."""
        return f"sim/console/{domid}"

    def _open(self, domid: int, port: int, name: bytes | None, limit: bytes | None) -> bool:
        kept = self._kept.pop(domid, b"")
        most = min(parse_decimal(limit) or LIMIT_MAX, LIMIT_MAX)
        path = self.log_path(name, domid)
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            console = GuestConsole(self._side, domid, port, log, most, self._wake)
        except HypercallError:
            os.close(log)
            return False  # The guest is on its way out; there will be another event.
        console.unread += kept
        self.consoles[domid] = self._by_port[console.port] = console
        return True

    def _wake(self, console: GuestConsole) -> None:
        self._awake[console.domid] = console

    def log_path(self, untrusted_name: bytes | None, domid: int) -> str:
        """Where a guest's console is logged; names that are no file names get the domid instead."""
        name = (untrusted_name or b"").decode("latin-1")
        good = 0 < len(name) <= 200 and _NAME_LETTERS.issuperset(name)
        return os.path.join(self._folder(), f"guest-{name if good else f'domid-{domid}'}.log")

    def _drop(self, domid: int) -> None:
        if console := self.consoles.pop(domid, None):
            self._awake.pop(domid, None)
            del self._by_port[console.port]
            console.close()
