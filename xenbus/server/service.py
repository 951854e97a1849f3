"""Serves a store's clients on a Unix socket, as xenstored does: one thread, and nobody waits for a client.

A client that does not take its answers is not read from until it does. Everything is committed to the file before a
byte that tells of it leaves.
"""

from __future__ import annotations

import errno
import os
import select
import stat

from xenbus.server.files import ServerError, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from xenbus.server.connection import Connection
    from xenbus.server.engine import Engine

_READ_SIZE = _SEND_SIZE = 1 << 16
_BACKLOG = 128
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_FULL_PAUSE = 0.2
"""Seconds to leave new clients waiting, when there is no room for them."""


class _Client:
    __slots__ = ("connection", "mask", "rest", "sock")

    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self.sock, self.connection, self.mask = sock, connection, select.EPOLLIN
        self.rest: bytes | memoryview = b""
        """What the socket had no room for."""


class Server:
    """A socket at `path`, of mode 0600, until close(); all clients are domain 0. `commit` is called before any answer.

    Raises ServerError, if another server is there or something that is not a socket.
    """

    def __init__(self, engine: Engine, path: str, commit: Callable[[], object] | None = None) -> None:
        self.path, self._engine, self._commit = path, engine, commit or (lambda: None)
        self._clients: dict[int, _Client] = {}
        self._eager: dict[Connection, _Client] = {}
        """Clients for whom there is something new."""
        self._lock = lock(path, "the socket")
        try:
            self._listener = _listen(path)
        except BaseException:
            os.close(self._lock)
            raise
        self._inode = os.stat(path).st_ino
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(self._wake, select.EPOLLIN)
        self._full = False

    def serve(self) -> None:
        """Answers until stop()."""
        while self._turn(_FULL_PAUSE if self._full else -1):
            pass

    def stop(self) -> None:
        """Makes serve() return, from any thread or a signal's handler."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Ends all connections and removes the socket."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._listener.close()
        self._poll.close()
        os.close(self._wake)
        try:
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        os.close(self._lock)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # One turn: who has something to say is heard, then who is to be told something is told.

    def _turn(self, timeout: float) -> bool:
        ready = self._poll.poll(timeout)
        if self._full:
            self._full = False
            self._poll.modify(self._listener, select.EPOLLIN)
        for fd, events in ready:
            client = self._clients.get(fd)
            if client is not None:
                if events & select.EPOLLOUT:
                    self._eager[client.connection] = client
                if events & ~select.EPOLLOUT:
                    self._receive(client)
            elif fd == self._wake:
                return False
            else:
                self._accept()
        self._flush()
        return True

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError as error:
            self._full = error.errno in _FULL
            if self._full:
                self._poll.modify(self._listener, 0)
            return
        sock.setblocking(False)
        client = _Client(sock, self._engine.connect(0))
        self._clients[sock.fileno()] = client
        self._poll.register(sock, select.EPOLLIN)
        client.connection.on_pending = lambda connection: self._eager.__setitem__(connection, client)

    def _receive(self, client: _Client) -> None:
        try:
            data = client.sock.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            client.connection.feed(data)
            if client.connection.closed:
                self._drop(client)
        else:
            self._drop(client)

    def _flush(self) -> None:
        while self._eager:
            _connection, client = self._eager.popitem()
            self._send(client)

    def _send(self, client: _Client) -> None:
        connection = client.connection
        while client.rest or connection.pending:
            self._commit()  # each time: taking may let requests go on that had to wait
            rest = client.rest or connection.take(_SEND_SIZE)
            try:
                sent = client.sock.send(rest)
            except BlockingIOError:
                client.rest = rest
                break
            except OSError:
                self._drop(client)
                return
            client.rest = memoryview(rest)[sent:] if sent < len(rest) else b""
        if connection.closed and not client.rest:
            self._drop(client)
            return
        mask = select.EPOLLOUT if client.rest else select.EPOLLIN
        if mask != client.mask:
            client.mask = mask
            self._poll.modify(client.sock, mask)

    def _drop(self, client: _Client) -> None:
        self._eager.pop(client.connection, None)
        self._poll.unregister(client.sock)
        del self._clients[client.sock.fileno()]
        client.sock.close()
        client.connection.close()


def _listen(path: str) -> socket.socket:
    """The socket, in place of one that nobody serves; its lock must be held."""
    import socket

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        _remove_stale(path)
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ServerError(f"the socket {path} cannot be made: {error.strerror or error}") from error
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: str) -> None:
    import socket

    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ServerError(f"{path} is there and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a server that is busy is one, too
        if probe.connect_ex(path) == errno.ECONNREFUSED:
            os.unlink(path)
            return
    raise ServerError(f"another server answers at {path}")
