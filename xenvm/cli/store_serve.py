"""store serve: a XenStore on a socket, in the foreground."""

from __future__ import annotations

import signal
import sys

from xenvm.cli.run import OK, USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.server.engine import Engine
    from xenbus.server.journal import Journal
    from xenbus.server.tape import Tape


def serve(socket: str | None, state: str | None, record: str | None) -> int:
    """Serves until SIGTERM or SIGINT."""
    from xenbus.server.engine import Engine
    from xenbus.server.service import Server

    if not socket:
        print("xenvm: store serve needs --socket PATH, where clients find the store", file=sys.stderr)
        return USAGE
    engine = Engine()
    journal = _journal(engine, state) if state else None
    tape = _tape(engine, record) if record else None
    try:
        with Server(engine, socket, journal.flush if journal else None) as server:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda _number, _frame: server.stop())
            print(f"serving a store at {socket}", file=sys.stderr, flush=True)
            server.serve()
    finally:
        if journal:
            journal.close()
        if tape:
            tape.close()
    return OK


def _tape(engine: Engine, path: str) -> Tape:
    """The file that all requests are recorded in, for its owner alone."""
    from xenbus.recording import open_private
    from xenbus.server.tape import Tape

    return Tape(engine, open_private(path), "a served store")


def _journal(engine: Engine, path: str) -> Journal:
    """The file that keeps the store, loaded."""
    from xenbus.server.journal import Journal

    journal = Journal(path, engine)
    try:
        journal.load()
    except BaseException:
        journal.close()
        raise
    engine.on_commit = journal.add
    return journal
