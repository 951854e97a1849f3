"""A small store for tests: a real AF_UNIX socket, a thread, a tree in memory, and handles to script and to break it.

It follows the C daemon where a client can see the difference: ordered children, parents made on the way, snapshots and
EAGAIN, an event before the reply of the change that caused it, relative paths below /local/domain/0. All clients are
domain 0, so permissions are kept and inherited but never checked.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase

from tests.support.faketree import HOME, Node, Refused, View, absolute, children, part
from xenbus import wire
from xenbus.path import is_under
from xenbus.perm import Perm

Action = str | bytes | Callable[[wire.Packet], bytes]
Hook = Callable[[str, bytes | None], None]


class Connection:
    """One client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.decoder, self.out, self.open = sock, wire.Decoder(), b"", True
        self.watches: list[tuple[str, str, str]] = []  # path as given, absolute path, token
        self.transactions: dict[int, View] = {}


class FakeStore:
    """Listens on `path` until closed. `tree` maps absolute paths to (value, permissions) in order of creation."""

    def __init__(self, folder: os.PathLike[str] | str) -> None:
        self.path = os.path.join(folder, "xenstore")
        self.tree: dict[str, Node] = {"/": (b"", (Perm(0),))}
        self.introduced: dict[int, tuple[int, int]] = {}  # domid -> gfn, port
        self.count = 0  # requests so far, from all connections
        self.ops: Counter[str] = Counter()  # requests by the operation's name
        self.log: list[tuple[str, str]] = []  # (operation, first argument) of every request
        self._injected: dict[int, Action] = {}
        self._hooks: list[tuple[str, Hook]] = []
        self._changed: dict[str, int] = {}
        self._generation = 0
        self._connections: dict[socket.socket, Connection] = {}
        self._lock = threading.RLock()
        self._wake, self._waker = socket.socketpair()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    # What tests do with it, from any thread and from hooks.

    def put(self, path: str, value: bytes | str = b"") -> None:
        """Writes a node as another client would: parents are made, events are sent, hooks are called."""
        self._change(lambda view: view.write(path, value.encode() if isinstance(value, str) else value))

    def drop(self, path: str) -> None:
        """Removes a node with all below, as another client would."""
        self._change(lambda view: view.remove(path))

    def get(self, path: str) -> bytes | None:
        """A node's value, None if there is none."""
        with self._lock:
            return self.tree[path][0] if path in self.tree else None

    def children(self, path: str) -> list[str]:
        """Names below a node, oldest first."""
        with self._lock:
            return children(self.tree, path)

    def dump(self, top: str = "/") -> str:
        """Lines of ``path = b'value'   (n0,r5)`` from `top` on, sorted, for goldens."""
        with self._lock:
            nodes = sorted((path, node) for path, node in self.tree.items() if is_under(path, top))
        return "".join(f"{path} = {value!r}   ({','.join(map(str, perms))})\n" for path, (value, perms) in nodes)

    def on_write(self, pattern: str, callback: Hook) -> None:
        """Calls back with (path, value or None if removed) after each change of a node that matches (fnmatch)."""
        self._hooks.append((pattern, callback))

    def inject(self, k: int, action: Action) -> None:
        """What happens at request number `k` (from 1, see `count`) instead of its work: an errno's name, ``close``,
        ``mute`` (never answer), the bytes to send, or a function of the packet that gives them."""
        self._injected[k] = action

    def fire(self, special: str) -> None:
        """Sends the event of ``@releaseDomain`` or ``@introduceDomain``."""
        with self._lock:
            self._notify(special)
        self._waker.send(b"!")

    def disconnect(self) -> None:
        """Drops all clients."""
        with self._lock:
            for connection in self._connections.values():
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the thread and removes the socket."""
        self._waker.close()
        self._thread.join()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def __enter__(self) -> FakeStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # The thread.

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener, self._wake:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _events in selector.select()]
                if self._wake in ready and not self._wake.recv(4096):
                    break
                with self._lock:
                    if self._listener in ready:
                        self._accept(selector)
                    for connection in list(self._connections.values()):
                        if connection.sock in ready:
                            self._receive(connection)
                    for connection in list(self._connections.values()):
                        self._flush(connection, selector)
        for sock in self._connections:
            sock.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        sock, _address = self._listener.accept()
        sock.setblocking(False)
        self._connections[sock] = Connection(sock)
        selector.register(sock, selectors.EVENT_READ)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(1 << 20)
            connection.open = bool(data)
            for packet in connection.decoder.feed(data):
                if connection.open:
                    self._handle(connection, packet)
        except BlockingIOError:
            pass
        except (OSError, wire.PacketError):
            connection.open = False

    def _flush(self, connection: Connection, selector: selectors.BaseSelector) -> None:
        try:
            connection.out = connection.out[connection.sock.send(connection.out) :] if connection.out else b""
        except BlockingIOError:
            pass
        except OSError:
            connection.open = False
        if connection.open:
            more = selectors.EVENT_WRITE if connection.out else 0
            selector.modify(connection.sock, selectors.EVENT_READ | more)
        else:
            selector.unregister(connection.sock)
            del self._connections[connection.sock]
            connection.sock.close()

    def _handle(self, connection: Connection, packet: wire.Packet) -> None:
        op, req_id, tx_id, payload = packet
        words = wire.split_strings(payload)
        self.count += 1
        self.ops[wire.op_name(op)] += 1
        self.log.append((wire.op_name(op), words[0] if words else ""))
        action = self._injected.get(self.count)
        if action == "close":
            connection.open = False
        elif callable(action) or isinstance(action, bytes):
            connection.out += action(packet) if callable(action) else action
        elif action != "mute":
            try:
                if action:
                    raise Refused(action)
                answer = self._answer(connection, op, tx_id, payload, words)
            except Refused as error:
                op, answer = wire.ERROR, str(error).encode() + b"\0"
            connection.out += wire.pack(op, req_id, tx_id, answer)
            if op == wire.WATCH:
                connection.out += wire.pack(wire.WATCH_EVENT, 0, 0, wire.join_strings(words[:2]))

    # The operations.

    def _answer(self, connection: Connection, op: int, tx_id: int, payload: bytes, words: list[str]) -> bytes:
        if op in (wire.WATCH, wire.UNWATCH):
            return self._watch(connection, op, words)
        if tx_id and tx_id not in connection.transactions:
            raise Refused("ENOENT")
        if op in _ON_NODES:
            path = absolute(words[0], special=op in (wire.GET_PERMS, wire.SET_PERMS))
            return self._on_node(connection.transactions.get(tx_id), op, path, payload, words)
        match op:
            case wire.TRANSACTION_START:
                number = max(connection.transactions, default=0) + 1
                connection.transactions[number] = View(dict(self.tree), self._generation)
                return b"%d\0" % number
            case wire.TRANSACTION_END:
                self._end(connection.transactions.pop(tx_id, None), words == ["T"])
            case wire.INTRODUCE:
                self.introduced[int(words[0])] = int(words[1]), int(words[2])
                self._notify("@introduceDomain")
            case wire.RELEASE:
                if self.introduced.pop(int(words[0]), None) is None:
                    raise Refused("ENOENT")
                self._notify("@releaseDomain")
            case wire.IS_DOMAIN_INTRODUCED:
                return b"T\0" if int(words[0]) in self.introduced else b"F\0"
            case wire.GET_DOMAIN_PATH:
                return f"/local/domain/{words[0]}\0".encode()
            case wire.RESUME | wire.SET_TARGET | wire.CONTROL:
                pass
            case _:
                raise Refused("ENOSYS")
        return wire.OK

    def _watch(self, connection: Connection, op: int, words: list[str]) -> bytes:
        watch = words[0], absolute(words[0], special=True), words[1]
        if (watch in connection.watches) == (op == wire.WATCH):
            raise Refused("EEXIST" if op == wire.WATCH else "ENOENT")
        (connection.watches.append if op == wire.WATCH else connection.watches.remove)(watch)
        return wire.OK

    def _on_node(self, tx: View | None, op: int, path: str, payload: bytes, words: list[str]) -> bytes:
        view = tx or View(self.tree)
        match op:
            case wire.READ:
                return view.node(path)[0]
            case wire.DIRECTORY:
                if len(view.names(path)) > wire.PAYLOAD_MAX:
                    raise Refused("E2BIG")
                return view.names(path)
            case wire.DIRECTORY_PART:
                return part(view.names(path), b"%d\0" % self._changed.get(path, 0), int(words[1]))
            case wire.GET_PERMS:
                return wire.join_strings(map(str, view.node(path)[1]))
            case wire.WRITE:
                view.write(path, payload.partition(b"\0")[2])
            case wire.MKDIR if path not in view.tree:
                view.write(path, b"")
            case wire.RM:
                view.remove(path)
            case wire.SET_PERMS:
                view.set_perms(path, tuple(map(Perm.parse, words[1:])))
        if not tx:
            self._publish(view)
        return wire.OK

    def _end(self, tx: View | None, commit: bool) -> None:
        if tx is None:
            raise Refused("ENOENT")
        if not commit:
            return
        if any(self._changed.get(path, 0) > tx.start for path in tx.touched):
            raise Refused("EAGAIN")
        final = View(self.tree)
        for method, arguments in tx.steps:
            method(final, *arguments)
        self._publish(final)

    # Changes.

    def _change(self, work: Callable[[View], None]) -> None:
        with self._lock:
            view = View(self.tree)
            work(view)
            self._publish(view)
        self._waker.send(b"!")

    def _publish(self, view: View) -> None:
        for path in view.touched if view.news else ():
            self._generation += 1
            self._changed[path] = self._generation
        for path, exact in view.news:
            self._notify(path, exact)
        for path, _exact in view.news:
            for pattern, callback in self._hooks:
                if fnmatchcase(path, pattern):
                    callback(path, self.tree[path][0] if path in self.tree else None)

    def _notify(self, path: str, exact: bool = False) -> None:
        for connection in self._connections.values():
            for given, full, token in connection.watches:
                if path == full or (not exact and is_under(path, full)):
                    seen = path if given == full else path.removeprefix(HOME)
                    connection.out += wire.pack(wire.WATCH_EVENT, 0, 0, wire.join_strings((seen, token)))


_ON_NODES = (
    wire.READ,
    wire.DIRECTORY,
    wire.DIRECTORY_PART,
    wire.GET_PERMS,
    wire.WRITE,
    wire.MKDIR,
    wire.RM,
    wire.SET_PERMS,
)
