"""The host's side of dom0's command server; `assets/server` describes the protocol."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from xenvm.lab.errors import Disconnected, LabError

_HEADER = struct.Struct("!cI")
_CHUNK = 1 << 17
# The server keeps a command's time; this is for a machine that hangs.
_GRACE = 120.0

#: Called with output as it comes: 1 or 2 (standard output or error), and the bytes.
OnOutput = Callable[[int, bytes], None]


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: `rc` is negative for a signal; `cpu` are the seconds it and its children used."""

    stdout: str
    stderr: str
    rc: int
    timed_out: bool = False
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a lab's command server answers, and to whom."""

    port: int
    token: str


class Connection:
    """One request to the server and the frames that answer it."""

    def __init__(self, address: Address, request: Mapping[str, Any], timeout: float | None) -> None:
        try:
            self.sock = socket.create_connection(("127.0.0.1", address.port), timeout=timeout)
        except OSError as error:
            raise Disconnected(f"dom0's command server cannot be reached: {error}") from error
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(b"R", json.dumps({"token": address.token, **request}).encode())

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()

    def send(self, kind: bytes, data: bytes = b"") -> None:
        """One frame to the server."""
        try:
            self.sock.sendall(_HEADER.pack(kind, len(data)) + data)
        except OSError as error:
            raise Disconnected(f"dom0 closed the connection: {error}") from error

    def receive(self) -> tuple[bytes, bytes]:
        """The next frame."""
        kind, length = _HEADER.unpack(self._exactly(_HEADER.size))
        return kind, self._exactly(length)

    def output(self) -> Iterator[tuple[bytes, bytes]]:
        """All frames before the result; then :attr:`result` is set."""
        while (frame := self.receive())[0] != b"X":
            yield frame
        self.result = finish(frame[1])

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                part = self.sock.recv(min(count - len(data), _CHUNK))
            except OSError as error:
                raise Disconnected(f"dom0 does not answer: {error}") from error
            if not part:
                raise Disconnected("dom0 closed the connection")
            data += part
        return bytes(data)


def finish(data: bytes) -> dict[str, Any]:
    """The content of a result frame; the server's complaint becomes an error."""
    result: dict[str, Any] = json.loads(data)
    if "error" in result:
        raise LabError(f"dom0: {result['error']}")
    return result


def run(
    address: Address, argv: Sequence[str], *, timeout: float | None = None, stdin: bytes | None = None,
    cwd: str | None = None, env: Mapping[str, str] | None = None, on_output: OnOutput | None = None,
    patience: float | None = None, stamp: str = "",
) -> Result:  # fmt: skip
    """Run a command in dom0 and collect what it says; `patience` bounds the wait for a dead server."""
    request: dict[str, Any] = {"op": "run", "argv": list(argv), "timeout": timeout, "env": dict(env or {})}
    request["stamp"] = stamp
    if cwd is not None:
        request["cwd"] = cwd
    if stdin is not None:
        request["stdin"] = True
    collected = {b"O": bytearray(), b"S": bytearray()}
    wait = patience or (None if timeout is None else timeout + _GRACE)
    with Connection(address, request, wait) as connection:
        if stdin is not None:
            threading.Thread(target=_feed, args=(connection, stdin), daemon=True).start()
        for kind, data in connection.output():
            collected[kind] += data
            if on_output is not None:
                on_output(1 if kind == b"O" else 2, data)
    result = connection.result
    stdout, stderr = (collected[kind].decode(errors="replace") for kind in (b"O", b"S"))
    return Result(stdout, stderr, result["rc"], result.get("timed_out", False), result["cpu"])


def _feed(connection: Connection, stdin: bytes) -> None:
    """Send input while the output is read; a command that ends early drops the rest."""
    try:
        for start in range(0, len(stdin), _CHUNK):
            connection.send(b"I", stdin[start : start + _CHUNK])
        connection.send(b"E")
    except Disconnected:
        pass


def put(address: Address, source: BinaryIO, path: str, mode: int) -> None:
    """Write a file of dom0."""
    with Connection(address, {"op": "put", "path": path, "mode": mode}, _GRACE) as connection:
        while data := source.read(_CHUNK):
            connection.send(b"I", data)
        connection.send(b"E")
        for _ in connection.output():
            pass


def get(address: Address, path: str, target: BinaryIO) -> None:
    """Read a file of dom0."""
    with Connection(address, {"op": "get", "path": path}, _GRACE) as connection:
        for _, data in connection.output():
            target.write(data)
