"""The store's client: finds and opens a XenStore, and is all that is needed to use one.

pyxs opens and closes the connection; its own client is left aside, because that waits for ever once the connection is
lost, has no time-outs, refuses empty and binary values and operations above 19, and waits for each answer before the
next request. No type of pyxs leaves this module.
"""

from __future__ import annotations

import _socket
import os

from xenbus import frugal
from xenbus import request as ask
from xenbus.errors import NoStore, StoreError, StoreProtocolError, StoreTimeout, TooBig, Unsupported, store_error
from xenbus.follow import Follower
from xenbus.link import Link
from xenbus.operations import Operations
from xenbus.port import DevicePort, SocketPort
from xenbus.transaction import ATTEMPTS, Transaction, retry, transact
from xenbus.wire import error_name, split_strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from xenbus.link import Group
    from xenbus.operations import Reply
    from xenbus.port import Port
    from xenbus.transaction import Body

    T = TypeVar("T")


def connect(address: str | None = None, timeout: float = 30.0) -> Store:
    """Opens the store at a socket's or device's path; None: where libxenstore looks for one.

    `timeout` is how many seconds each answer may take. Raises NoStore.
    """
    failures = []
    for path in [address] if address else _addresses():
        try:
            return Store(Link(_open(path, timeout)), timeout)
        except OSError as error:
            failures.append(f"{path}: {error.strerror or error}")
    raise NoStore(f"no store answers ({'; '.join(failures)})")


def _addresses() -> list[str]:
    """Where a store may be, best first (xs_open(3))."""
    if given := os.environ.get("XENSTORED_PATH"):
        return [given]
    folder = os.environ.get("XENSTORED_RUNDIR")
    sockets = [f"{folder}/socket"] if folder else ["/run/xenstored/socket", "/var/run/xenstored/socket"]
    return [*sockets, "/dev/xen/xenbus", "/proc/xen/xenbus"]


def _open(path: str, timeout: float) -> Port:
    """A connection to a socket or a device; raises OSError."""
    is_socket = os.stat(path).st_mode & 0o170000 == 0o140000
    pyxs = _pyxs_connections()
    connection: Any = (pyxs.UnixSocketConnection if is_socket else pyxs.XenBusConnection)(path)
    try:
        connection.connect()
    except pyxs.ConnectionError as error:
        raise error.__context__ if isinstance(error.__context__, OSError) else OSError(str(error)) from None
    if is_socket:
        return SocketPort(path, connection.transport.sock, connection.close, timeout)
    return DevicePort(path, connection.fileno(), connection.close)


def _pyxs_connections() -> Any:
    """The module pyxs.connection, with little of what it imports: see xenbus.frugal.

    The rest of pyxs, and the modules that a connection does not need, would be as much again as two starts of a bare
    interpreter, for every command. Whoever imports pyxs afterwards gets the whole package.
    """
    stand_ins = {
        "pyxs": frugal.bare_package("pyxs"),
        "pyxs._internal": frugal.Deferred("pyxs._internal", Packet=None),  # what takes pyxs' packets is not used here
        "platform": frugal.Deferred("platform"),
        "socket": frugal.Deferred("socket", **vars(_socket)),
    }
    return frugal.load("pyxs.connection", stand_ins, private=True)


class Store(Operations):
    """A connection to a store; a context manager. Threads may share it."""

    def __init__(self, link: Link, timeout: float = 30.0) -> None:
        self.link, self.timeout = link, timeout
        self.waits = 0
        """How often answers were waited for: round trips."""

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection, and with it all watches and open transactions."""
        self.link.close()

    def fileno(self) -> int:
        """For selectors. Events may have come with an answer: take them with next_event(0) before you wait."""
        return self.link.fileno()

    def clock(self) -> float:
        """The time that deadlines are compared with, in seconds: time.monotonic(), or a simulated host's own."""
        return self.link.clock()

    # Requests.

    def call(self, request: ask.Request, tx: int = 0) -> Any:
        """One request's value."""
        deadline = self.link.clock() + self.timeout
        call = self.link.send(((tx, (request,)),), deadline)
        self.waits += 1
        self.link.finish(call, deadline, self.timeout)
        reply = self._value(request, call.replies[0])
        if isinstance(reply, TooBig) and isinstance(request, ask.List):
            reply = self._list_in_parts(reply, request.path, tx)
        if isinstance(reply, StoreError):
            raise reply
        return reply

    def batch(self, requests: Sequence[ask.Request], tx: int = 0) -> builtins.list[Reply]:
        """Sends all requests at once and gives all replies in order; a refused one is a StoreError, not raised."""
        replies = self.exchange([(tx, requests)]) if requests else []
        for index, reply in enumerate(replies):
            if isinstance(reply, TooBig) and isinstance(requests[index], ask.List):
                replies[index] = self._list_in_parts(reply, requests[index].path, tx)
        return replies

    def exchange(self, groups: Sequence[Group]) -> builtins.list[Reply]:
        """Like `batch`, for several transactions in one write: groups of (transaction id, requests).

        A list of children that one packet cannot hold stays a TooBig.
        """
        deadline = self.link.clock() + self.timeout
        call = self.link.send(groups, deadline)
        self.waits += 1
        self.link.finish(call, deadline, self.timeout)
        return [self._value(request, reply) for request, reply in zip(call.requests, call.replies, strict=True)]

    def post(self, requests: Sequence[ask.Request], tx: int = 0) -> None:
        """Sends requests and does not wait; their answers are thrown away."""
        self.link.send([(tx, requests)], self.link.clock() + self.timeout)

    def _value(self, request: ask.Request, reply: tuple[bool, bytes]) -> Reply:
        refused, payload = reply
        if refused:
            name = error_name(payload)
            return None if name in request.accepts else store_error(name, request.verb, request.path)
        try:
            return request.decode(payload)
        except ValueError as error:
            what = f"{request.verb} {request.path}".rstrip()
            raise StoreProtocolError(self.link.address, f"a senseless answer to {what}") from error

    def _list_in_parts(self, refusal: TooBig, path: str, tx: int) -> tuple[str, ...] | StoreError:
        """A list of children that one packet cannot hold; starts again when the node changes meanwhile."""
        names, before, deadline = b"", "", self.link.clock() + self.timeout
        while self.link.clock() < deadline:
            (reply,) = self.exchange([(tx, [ask.ListPart(path, len(names))])])
            if isinstance(reply, StoreError):
                return refusal if isinstance(reply, Unsupported) else reply
            generation, some, last = reply
            if names and generation != before:
                names = b""
                continue
            names, before = names + some, generation
            if last:
                return tuple(split_strings(names))
        raise StoreTimeout(f"the children of {path} could not be listed within {self.timeout:g} s: they keep changing")

    # Transactions.

    def transaction(self) -> Transaction:
        """Starts a transaction; used with ``with``, it commits at the end and may raise Conflict."""
        return Transaction(self)

    def retry(self, work: Callable[[Transaction], T], attempts: int = ATTEMPTS) -> T:
        """Does `work` in a transaction, anew on conflict, and gives its result; the last Conflict is raised."""
        return retry(self, work, attempts)

    def transact(
        self, body: Body, *, attempts: int = ATTEMPTS, then: Sequence[ask.Request] = (), checked: bool = True
    ) -> builtins.list[Any]:
        """Does requests (or those that a function of the transaction gives) in one transaction, anew on conflict.

        Gives the values of the body and of `then`, and raises the first error among them; Conflict after `attempts`.
        `then` goes out in the same write as the commit and is done after it, *even if the commit fails*, and again
        with each attempt. Checked, a body that is refused in part changes nothing (three waits). Unchecked, the rest of
        it is committed all the same (two waits), which suits a caller who destroys everything on an error.
        """
        return transact(self, body, attempts, then, checked)

    # Watches.

    def follow(self, paths: Iterable[str], first: Sequence[ask.Request] = (), unwatch: bool = True) -> Follower:
        """Does `first`, watches the paths and reads their values, in one write.

        Without `unwatch` the watches stay until the store is closed.
        """
        return Follower(self, paths, first, unwatch)

    def watch(self, path: str, token: str, depth: int | None = None) -> None:
        """Asks for events, see next_event; the first comes at once."""
        self.call(ask.Watch(path, token, depth))

    def unwatch(self, path: str, token: str) -> None:
        """Ends a watch; events that are under way still arrive."""
        self.call(ask.Unwatch(path, token))

    def next_event(self, deadline: float | None = None) -> tuple[str, str] | None:
        """The next (path, token), or None at the deadline, a time of `clock`; 0 never blocks."""
        events = self.link.events
        while self.link.wait(lambda: bool(events), deadline):
            try:
                return events.pop(0)
            except IndexError:
                continue  # Another thread took it.
        return None

    def has_events(self) -> bool:
        """Whether next_event(0) would give one."""
        events = self.link.events
        return self.link.wait(lambda: bool(events), 0)

    def has_arrived(self) -> bool:
        """Whether an event was read already, with the answer to a request: the descriptor does not tell of it."""
        return bool(self.link.events)

    def events(self, deadline: float | None = None) -> Iterator[tuple[str, str]]:
        """All events until the deadline."""
        while (event := self.next_event(deadline)) is not None:
            yield event

    # Domains and the server.

    def domain_path(self, domid: int) -> str:
        """The base of a domain's relative paths, whether it exists or not."""
        path: str = self.call(ask.DomainPath(domid))
        return path

    def introduce(self, domid: int, gfn: int, port: int) -> None:
        """Makes the server serve a domain: the frame of its ring and the domain's event channel."""
        self.call(ask.Introduce(domid, gfn, port))

    def release(self, domid: int) -> None:
        """Makes the server forget a domain; raises NotFound."""
        self.call(ask.Release(domid))

    def resume(self, domid: int) -> None:
        """Makes the server report the domain's next shutdown."""
        self.call(ask.Resume(domid))

    def is_introduced(self, domid: int) -> bool:
        """Whether the server serves a domain."""
        known: bool = self.call(ask.IsIntroduced(domid))
        return known

    def set_target(self, domid: int, target: int) -> None:
        """Gives `domid` the rights of `target` too."""
        self.call(ask.SetTarget(domid, target))

    def control(self, *arguments: str) -> str:
        """A command to the server itself; gives its text."""
        text: str = self.call(ask.Control(*arguments))
        return text
