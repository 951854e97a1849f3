"""The commands of ``xenvm store`` that change it: write, mkdir, rm, chmod."""

from __future__ import annotations

import sys

from xenbus.errors import InvalidValue, NotFound, StoreError
from xenbus.path import parent
from xenbus.request import Mkdir, Remove, SetPerms, Write
from xenvm.cli.store.session import Verb
from xenvm.errors import DomainError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.store.session import Session


def _write(session: Session, words: tuple[str, ...], raw: bool) -> None:
    """Sets values, as xenstore-write does: pairs of path and value, with C escapes unless `raw`."""
    from xenbus.escape import unescape

    if len(words) < 2 or len(words) % 2:
        raise InvalidValue("write takes pairs of a path and a value")
    pairs = [(session.absolute(path), value) for path, value in zip(words[::2], words[1::2], strict=True)]
    requests = [Write(path, value if raw else unescape(value)) for path, value in pairs]
    session.change(f"write {' '.join(path for path, _ in pairs)}", requests)


def _mkdir(session: Session, paths: tuple[str, ...]) -> None:
    """Makes empty nodes."""
    tops = [session.absolute(path) for path in paths]
    session.change(f"mkdir {' '.join(tops)}", [Mkdir(path) for path in tops])


def _rm(session: Session, paths: tuple[str, ...], tidy: bool, yes: bool) -> None:
    """Removes nodes with all below, and with `tidy` the empty nodes above that are left."""
    tops = [session.absolute(path) for path in paths]
    if tidy:
        tops = [_emptied(session, path) for path in tops]
    if session.asks is None and not yes:
        _confirm(session, tops)
    session.change(f"rm {' '.join(tops)}", [Remove(path) for path in tops], sure=yes)


def _confirm(session: Session, paths: list[str]) -> None:
    """Asks a terminal before what takes a guest or the host down; refuses it where nobody could answer."""
    from xenvm.cli.store.danger import grave

    session.must_be_live()
    reasons = [reason for path in paths if (reason := grave(path, lambda domid: _lives(session, domid)))]
    if not reasons:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise DomainError(f"{reasons[0]}: nothing was removed; `rm --yes` removes it without a question")
    session.rest()
    print(f"{'; '.join(reasons)}.\nGo on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise DomainError("nothing was changed")


def _lives(session: Session, domid: int) -> bool:
    try:
        return domid == 0 or session.store.is_introduced(domid)
    except StoreError:
        return True  # Who is no domain 0 may not ask.


def _emptied(session: Session, path: str) -> str:
    """The highest node that has nothing but `path` below it."""
    while True:
        above = parent(path)
        if above in ("", "/") or session.eyes.read(above) or len(session.eyes.list(above)) > 1:
            return path
        path = above


def _chmod(session: Session, path: str, perms: tuple[str, ...], recursive: bool, upto: bool) -> None:
    """Sets permissions, as xenstore-chmod does: ``n0 r5`` or ``n0,r5``."""
    from xenbus.perm import parse_perms

    if not perms:
        raise InvalidValue("chmod takes a path and its permissions, the owner's first, such as n0 r5")
    entries = parse_perms(",".join(perms))
    top = session.absolute(path)
    tops = [top]
    if recursive:
        from xenbus.tree import walk

        tops = list(walk(session.eyes, top))
    if upto:
        tops += _above(top)
    if not top.startswith("@") and session.eyes.read_or_none(top) is None:
        raise NotFound("ENOENT", "set permissions of", top)
    try:
        session.change(f"chmod {top}", [SetPerms(path, entries) for path in tops])
    except NotFound:
        if any(session.eyes.read_or_none(path) is None for path in tops):
            raise
        raise DomainError(f"there is no domain {entries[0].domid} that could own {top}") from None


def _above(path: str) -> list[str]:
    above = []
    while (path := parent(path)) not in ("", "/"):
        above.append(path)
    return above


write, mkdir, rm, chmod = Verb(_write), Verb(_mkdir), Verb(_rm), Verb(_chmod)
