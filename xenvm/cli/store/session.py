"""What the commands of ``xenvm store`` work on: a connection, and in the shell also a place in the tree and a view."""

from __future__ import annotations

import os
import sys

from xenbus.errors import XenbusError
from xenbus.path import join
from xenvm.errors import DomainError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from xenbus.client import Store
    from xenbus.operations import Operations
    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenbus.undo import Journal
    from xenvm.host.open import Host

    class Source(Protocol):
        """Where a connection comes from: this host, a socket, or a snapshot's file."""

        @property
        def store(self) -> Store: ...
        def reconnect(self) -> None: ...
        def close(self) -> None: ...


class Session:
    """A connection that is made when it is needed, and where in the tree one stands.

    `cwd` None leaves relative paths to the server, as the xenstore-* tools do.
    """

    def __init__(self, open_source: Callable[[], Source]) -> None:
        self._open = open_source
        self._source: Source | None = None
        self.cwd: str | None = None
        self.tx: Transaction | None = None
        self.view: int | None = None
        """The domain whose eyes are looked through."""
        self.journal: Journal | None = None
        self.asks: Callable[[str], bool] | None = None
        """Asks whether to go on, where a human answers."""
        self.hints = False
        """Whether values are followed by what they mean."""
        self.paint = Paint(False)

    @property
    def store(self) -> Store:
        """The connection."""
        if self._source is None:
            self._source = self._open()
        return self._source.store

    @property
    def eyes(self) -> Operations:
        """What reads go to: the store, the open transaction, or either as a guest sees it."""
        if self.view is None:
            return self.own_eyes
        from xenbus.access import GuestView

        return GuestView(self.own_eyes, self.view)

    @property
    def own_eyes(self) -> Operations:
        """What reads go to that no view is to narrow."""
        return self.store if self.tx is None else self.tx

    def absolute(self, path: str) -> str:
        """The path from where one stands; ``.`` and ``..`` are understood in the shell alone."""
        if self.cwd is None or path.startswith("@"):
            return path
        names: list[str] = []
        for name in (path if path.startswith("/") else join(self.cwd, path)).split("/"):
            if name == "..":
                names[-1:] = []
            elif name not in ("", "."):
                names.append(name)
        return "/" + "/".join(names)

    def change(self, what: str, requests: Sequence[Request], sure: bool = False) -> None:
        """Does requests that change the store, all or none; asks before a dangerous one where somebody answers, unless
        who asked for it is `sure`."""
        if self.view is not None:
            raise DomainError(f"through the eyes of domain {self.view} one only looks: `as` alone ends that")
        self.must_be_live()
        if self.asks is not None and not sure:
            from xenvm.cli.store.danger import dangers

            self.ask("; ".join(dangers(requests)))
        if self.journal is not None:
            self._change_and_note(self.journal, what, requests)
        elif len(requests) == 1:
            self.store.call(requests[0])
        else:
            self.store.transact(requests)

    def must_be_live(self) -> None:
        """Refuses what makes no sense on a snapshot."""
        source = self._source = self._source or self._open()
        if reason := getattr(source, "frozen", ""):
            raise DomainError(str(reason))

    def _change_and_note(self, journal: Journal, what: str, requests: Sequence[Request]) -> None:
        if self.tx is not None or len(requests) == 1:
            journal.do(self.eyes, what, requests)
            return
        journal.begin()
        committed = False
        try:
            with self.store.transaction() as tx:
                journal.do(tx, what, requests)
            committed = True
        finally:
            journal.end(committed)

    def ask(self, reason: str) -> None:
        """Goes on only if there is no reason to ask, nobody to ask, or the answer is yes; else raises DomainError."""
        if not reason or self.asks is None:
            return
        self.rest()
        if not self.asks(reason):
            raise DomainError("nothing was changed")

    def drop(self) -> bool:
        """Gives a lost connection up; the next use makes a new one. Says whether a transaction went with it."""
        had, self.tx = self.tx is not None, None
        if self.journal is not None:
            self.journal.end(False)
        if self._source is not None:
            self._source.reconnect()
        return had

    def rest(self) -> None:
        """Lets others have a host that is for one command at a time, until the next use: for as long as one waits for
        a person. An open transaction keeps it."""
        if self.shared is not None:
            self.close()

    @property
    def shared(self) -> Host | None:
        """The host, if it is open and one that is for one command at a time, and if it may be let go."""
        source: Any = self._source
        return source if self.tx is None and getattr(source, "exclusive", False) else None

    def until_changed(self) -> None:
        """Lets others have such a host until one of them has changed it."""
        host, self._source = self.shared, None
        if host is not None:
            host.until_changed()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._source is not None

    def close(self) -> None:
        """Ends the connection."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Verb:
    """A command: called, it opens a session of its own; the shell calls `work` with its session."""

    def __init__(self, work: Callable[..., int | None]) -> None:
        self.work = work

    def __call__(self, socket: str | None = None, **values: Any) -> int:
        """Runs once, on what `socket` names or on this host's store; the exit code."""
        with Session(opener(socket)) as session:
            return self.work(session, **values) or 0


class SocketSource:
    """A store at a socket; connected when it is first used."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The connection."""
        if self._store is None:
            from xenbus.client import connect

            self._store = connect(self._path)
        return self._store

    def reconnect(self) -> None:
        """Gives the connection up; the next use makes a new one."""
        if self._store is not None:
            self._store.close()
            self._store = None

    close = reconnect


def opener(socket: str | None) -> Callable[[], Source]:
    """What opens the store at a socket or a device, in a file (``FILE@SECONDS`` of a recording), or this host's."""
    if socket is not None and (os.path.isfile(socket) or os.path.isfile(socket.rpartition("@")[0])):
        from xenvm.cli.store.recorded import RecordedSource

        return lambda: RecordedSource(socket)
    if socket is not None:
        return lambda: SocketSource(socket)
    return host_opener()


def host_opener() -> Callable[[], Host]:
    """Opens this host, and says only once what there is to say of it."""
    from xenvm.cli import run

    opened = False

    def again() -> Host:
        nonlocal opened
        host, opened = run.open_host(quietly=opened), True
        return host

    return again


class Paint:
    """Colours, or none."""

    _STATES = ("31", "33", "33", "33", "32", "35", "31", "36", "36")

    def __init__(self, on: bool) -> None:
        self.on = on

    def state(self, number: int, text: str) -> str:
        """Text in the colour of a XenbusState."""
        return self.text(text, self._STATES[number])

    def text(self, text: str, code: str) -> str:
        """Text in the colour of a terminal's code."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text


def coloured() -> bool:
    """Whether the output takes colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """Columns of the terminal that is written to; None where there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def print_json(found: dict[str, Any]) -> None:
    """Prints an object, with the version of its form."""
    import json

    print(json.dumps({"version": 1, **found}, indent=2))


def read_file(path: str) -> str:
    """A file's text, ``-``: of the standard input."""
    if path == "-":
        return sys.stdin.read()
    with open(path, encoding="utf-8") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise XenbusError(f"{path} is no text: {error.reason}") from None
