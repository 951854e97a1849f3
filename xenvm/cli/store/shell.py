"""The shell of ``xenvm store``: its loop, for a terminal and for a pipe."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from xenbus.errors import StoreClosed, XenbusError
from xenbus.undo import Journal
from xenvm.cli import run
from xenvm.cli.store import words
from xenvm.cli.store.session import Paint, Session, coloured, opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def shell(socket: str | None = None) -> int:
    """Reads commands until the end; from a pipe it stops at the first error, with its exit code."""
    interactive = sys.stdin.isatty()
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # values need not be UTF-8
    with Session(opener(socket)) as session:
        session.cwd, session.journal = "/", Journal()
        if not interactive:
            return _loop(session, iter(sys.stdin), False)
        from xenvm.cli.store.lines import Lines

        session.paint = Paint(coloured())
        session.hints = sys.stdout.isatty()
        with Lines(session) as lines:
            session.asks = lines.ask
            return _loop(session, iter(lines), True)


def _loop(session: Session, lines: Iterator[str], interactive: bool) -> int:
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            code = run.attempt(lambda text=text: _do(session, text))  # type: ignore[misc]
        except words.Leave:
            break
        if code and not interactive:
            return code
    if session.tx is not None:
        print("xenvm: the open transaction was not committed: its changes are dropped", file=sys.stderr)
        return 0 if interactive else run.FAILED
    return run.OK


def _do(session: Session, text: str) -> int | None:
    try:
        return words.execute(session, text)
    except StoreClosed as error:
        had = session.drop()
        error.add_note("the next command makes a new connection" + ("; the transaction is lost" if had else ""))
        raise


def complete(session: Session, text: str) -> list[str]:
    """Live paths that begin with `text`; none where the store does not answer."""
    try:
        return _complete(session, text)
    finally:
        session.rest()


def _complete(session: Session, text: str) -> list[str]:
    head, _, begin = text.rpartition("/")
    folder = session.absolute(head + "/" if text.startswith("/") and not head else head or ".")
    try:
        names = [name for name in session.eyes.list(folder) if name.startswith(begin)]
        found = [f"{head}/{name}" if "/" in text else name for name in names]
        if len(found) == 1:
            found = [found[0] + ("/" if session.eyes.list(session.absolute(found[0])) else " ")]
    except StoreClosed:
        session.drop()
        return []
    except (XenbusError, OSError):
        return []
    return found
