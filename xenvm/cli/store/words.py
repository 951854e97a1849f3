"""The shell's words: a line becomes a command of the table, or one that only the shell has."""

from __future__ import annotations

import shlex

from xenbus.errors import Conflict, InvalidValue, NotFound
from xenvm.cli import fast, run, table
from xenvm.cli.rows import Argument, Command
from xenvm.cli.store.session import Verb
from xenvm.errors import DomainError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.store.session import Session

_HERE = "store.words:"


class Leave(Exception):
    """The shell is to end."""


def execute(session: Session, text: str) -> int | None:
    """Does one line; raises InvalidValue if it is no command, Leave if it is the last one."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidValue(f"{text[:80]!r} cannot be taken apart: {error}") from None
    row = table.find("exit" if words[:1] == ["quit"] else words[0], rows()) if words else None
    if row is None:
        raise InvalidValue(f"{words[0] if words else text!r} is no command: `help` lists them")
    values = _values(row, words[1:])
    if values is None:
        raise InvalidValue(f"usage: {usage(row)}")
    verb = run.load(row)
    return verb.work(session, **values) if isinstance(verb, Verb) else verb(session, **values)


def _values(row: Command, words: list[str]) -> dict[str, object] | None:
    if row.raw:
        return {row.arguments[0].dest: tuple(words)} if words else None
    plain = fast.parse([row.name, *words], (row,))
    return None if plain is None else plain[1]


def rows() -> tuple[Command, ...]:
    """The commands of the shell: those of the table that take its session, and its own."""
    store = table.find("store")
    assert store is not None
    shared = [row for row in store.commands if row.name not in ("shell", "serve")]
    plain = [row.replace(options=tuple(o for o in row.options if o.dest != "socket")) for row in shared]
    return (*plain, *_OWN)


def usage(row: Command) -> str:
    """How a command is written."""
    options = [f"[{'|'.join(o.flags)}{' ' + o.metavar if o.metavar else ''}]" for o in row.options]
    return " ".join([row.name, *options, *(argument.metavar for argument in row.arguments)])


def cd(session: Session, path: str | None) -> None:
    """Goes to a node; to the root, or a guest's home, without a path."""
    home = "/" if session.view is None else f"/local/domain/{session.view}"
    top = home if path is None else session.absolute(path)
    if session.eyes.read_or_none(top) is None:
        raise NotFound("ENOENT", "go to", top)
    session.cwd = top


def pwd(session: Session) -> None:
    """Prints where one stands."""
    print(session.cwd)


def begin(session: Session) -> None:
    """Starts a transaction that all further commands are in."""
    if session.tx is not None:
        raise DomainError("a transaction is open already: commit or abort it")
    session.tx = session.store.transaction()
    if session.journal is not None:
        session.journal.begin()


def commit(session: Session) -> None:
    """Makes the transaction's changes visible; if another client was faster it is gone, and nothing was changed."""
    if session.tx is None:
        raise DomainError("no transaction is open: `begin` starts one")
    tx, session.tx = session.tx, None
    committed = False
    try:
        tx.commit()
        committed = True
    except Conflict as error:
        error.add_note("nothing was changed, and the transaction is over: do it anew")
        raise
    finally:
        if session.journal is not None:
            session.journal.end(committed)


def abort(session: Session) -> None:
    """Drops the transaction's changes."""
    if session.tx is None:
        raise DomainError("no transaction is open: `begin` starts one")
    tx, session.tx = session.tx, None
    if session.journal is not None:
        session.journal.end(False)
    tx.abort()


def see_as(session: Session, domid: str | None) -> None:
    """Looks through the eyes of a domain; without one, through one's own again."""
    from xenbus.parse import parse_domid

    if domid is None:
        session.view = None
        return
    number = parse_domid(domid)
    if number is None:
        raise InvalidValue(f"{domid!r} is not a domid")
    home = f"/local/domain/{number}"
    if session.own_eyes.read_or_none(home) is None:
        run.say(f"domain {number} does not exist: this is what it would see")
    session.view, session.cwd = number, home


def undo(session: Session) -> None:
    """Takes the last change of this session back."""
    if session.view is not None:
        raise DomainError(f"through the eyes of domain {session.view} one only looks: `as` alone ends that")
    step = session.journal.undo(session.eyes) if session.journal is not None else None
    if step is None:
        raise DomainError("there is nothing to undo")
    print(f"undone: {step.what}")


def help_(session: Session, command: str | None) -> None:
    """Prints the commands, or how one is written."""
    if command is None:
        for row in rows():
            print(f"{row.name:<9} {row.summary}")
        return
    found = table.find(command, rows())
    if found is None:
        raise InvalidValue(f"{command!r} is no command: `help` lists them")
    print(f"{usage(found)}\n  {found.summary}")
    for option in found.options:
        print(f"  {', '.join(option.flags)} {option.metavar}".rstrip().ljust(22) + f"  {option.help}")


def leave(session: Session) -> None:
    """Ends the shell."""
    raise Leave


_MAYBE_PATH = Argument("path", "[PATH]", required=False)
_OWN = (
    Command("cd", "Go to a node.", _HERE + "cd", (), (_MAYBE_PATH,)),
    Command("pwd", "Print where you are.", _HERE + "pwd"),
    Command("begin", "Start a transaction; all further commands are in it.", _HERE + "begin"),
    Command("commit", "Make the transaction's changes visible.", _HERE + "commit"),
    Command("abort", "Drop the transaction's changes.", _HERE + "abort"),
    Command(
        "as",
        "See what a domain sees; alone: no more.",
        _HERE + "see_as",
        (),
        (Argument("domid", "[DOMID]", False),),
    ),
    Command("undo", "Take the last change of this session back.", _HERE + "undo"),
    Command("help", "Show the commands, or one.", _HERE + "help_", (), (Argument("command", "[COMMAND]", False),)),
    Command("exit", "Leave; an open transaction is dropped.", _HERE + "leave"),
)
