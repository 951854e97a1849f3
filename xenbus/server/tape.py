"""A store that records itself: every change with who made it, and every other request, see xenbus.recording."""

from __future__ import annotations

from xenbus import wire
from xenbus.perm import Perm
from xenbus.recording import ASK, END, HAVE, REMOVE, SERVER, WRITE, Event, Header, Writer
from xenbus.server.arguments import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from xenbus.server.connection import Connection
    from xenbus.server.domains import Cause
    from xenbus.server.engine import Engine
    from xenbus.server.tree import Change

_CHANGING = (wire.WRITE, wire.MKDIR, wire.RM, wire.SET_PERMS)
_PATH_MAX = 256


class Tape:
    """Records all that an engine does from now on. Whoever else listens to its commits must do so before."""

    def __init__(self, engine: Engine, file: TextIO, target: str) -> None:
        import time

        self._clock, self._start, self._by = engine.clock, engine.clock(), 0
        self._commit, self._perform = engine.on_commit, engine.perform
        self._file = file
        self._writer = Writer(file, Header(SERVER, round(time.time(), 6), "", target, None, ("/",)))
        for path, value, perms in engine.records():
            if path.startswith(b"/"):
                self._writer.put(Event(0.0, HAVE, path.decode("latin-1"), value, _perms(perms)))
        # In the place of the method: an engine that nobody records has nothing to ask for with each request.
        engine.perform = self._do  # type: ignore[method-assign]
        engine.on_commit = self._changed

    def close(self) -> None:
        """Writes the last line, and closes the file."""
        self._writer.put(Event(self._now(), END, error="the server was stopped"))
        self._file.close()

    def _now(self) -> float:
        return max(0.0, self._clock() - self._start)

    def _do(self, client: Connection, op: int, tx_id: int, payload: bytes, cause: Cause | None) -> bytes:
        self._by = client.domid
        try:
            reply = self._perform(client, op, tx_id, payload, cause)
        except Refused as error:
            self._asked(client, op, tx_id, payload, str(error))
            raise
        finally:
            self._by = 0
        if tx_id or op not in _CHANGING:
            self._asked(client, op, tx_id, payload, "")
        return reply

    def _asked(self, client: Connection, op: int, tx_id: int, payload: bytes, error: str) -> None:
        path = payload.partition(b"\0")[0][:_PATH_MAX].decode("latin-1")
        name = wire.op_name(op).lower()
        self._writer.put(Event(self._now(), ASK, path, by=client.domid, request=name, tx=tx_id, error=error))

    def _changed(self, changes: Sequence[Change]) -> None:
        if self._commit is not None:
            self._commit(changes)
        # All at once, and so in any order: states come last, as they tell that the rest is there.
        for path, node in sorted(changes, key=lambda change: change[0].endswith(b"/state") and change[1] is not None):
            text = path.decode("latin-1")
            if not text.startswith("/"):
                continue  # The permissions of @releaseDomain and the like.
            if node is None:
                self._writer.put(Event(self._now(), REMOVE, text, by=self._by))
            else:
                perms = _perms(node.perms.lasting())
                self._writer.put(Event(self._now(), WRITE, text, node.value, perms, self._by))


def _perms(lasting: bytes) -> tuple[Perm, ...]:
    return tuple(map(Perm.parse, wire.split_strings(lasting)))
