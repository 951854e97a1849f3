"""The commands of ``xenvm store`` that only look: ls, tree, list, read, exists, find, explain, stat, control."""

from __future__ import annotations

import sys

from xenbus.errors import NotFound
from xenbus.tree import Node, walk
from xenvm.cli.store.session import Verb, coloured, print_json, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenvm.cli.store.formats import Hint
    from xenvm.cli.store.session import Session


def _ls(
    session: Session, paths: tuple[str, ...], full: bool, perms: bool, depth: int | None, as_json: bool
) -> int | None:
    """Lists all below the paths, as xenstore-ls does."""
    from xenvm.cli.store import formats

    hint = _hint(session)
    nodes: list[dict[str, object]] = []
    for path in _tops(session, paths):
        found = walk(session.eyes, path, perms=perms, depth=depth)
        if as_json:
            nodes += (formats.node_object(*item) for item in found.items() if item[0] != path)
        else:
            _print(formats.listing(found, path, full=full, perms=perms, columns=width(), hint=hint))
    if as_json:
        print_json({"nodes": nodes})
    return 0


def _tree(session: Session, path: str | None, perms: bool, depth: int | None, as_json: bool) -> int | None:
    """Draws a tree, with what the values mean."""
    from xenvm.cli.store import formats
    from xenvm.cli.store.session import Paint

    (top,) = _tops(session, () if path is None else (path,))
    found = walk(session.eyes, top, perms=perms, depth=depth)
    if as_json:
        print_json({"tree": formats.tree_object(found, top)})
        return 0
    fine = "utf" in (sys.stdout.encoding or "").lower()
    paint = Paint(session.paint.on or coloured())
    _print(formats.tree(found, top, perms, paint, "├─└│" if fine else "|-`|"))
    return 0


def _list(session: Session, paths: tuple[str, ...], prefix: bool, as_json: bool) -> int | None:
    """Prints the names of the paths' children, as xenstore-list does."""
    tops = _tops(session, paths)
    found = [session.eyes.list(path) for path in tops]
    if as_json:
        print_json({"children": dict(zip(tops, found, strict=True))})
        return 0
    pairs = [(path, name) for path, names in zip(tops, found, strict=True) for name in names]
    _print(f"{path.rstrip('/')}/{name}" if prefix else name for path, name in pairs)
    return 0


def _read(session: Session, paths: tuple[str, ...], prefix: bool, raw: bool, as_json: bool) -> int | None:
    """Prints values up to the first that cannot be read, as xenstore-read does; JSON has all or none."""
    from xenbus.escape import escape
    from xenbus.operations import checked
    from xenbus.request import Read

    tops = [session.absolute(path) for path in paths]
    replies = session.eyes.batch([Read(path) for path in tops])
    if as_json:
        from xenvm.cli.store.formats import node_object

        nodes = zip(tops, map(Node, checked(replies)), strict=True)
        print_json({"nodes": [node_object(path, node) for path, node in nodes]})
        return 0
    hint = _hint(session)
    for path, reply in zip(tops, replies, strict=True):
        (value,) = checked([reply])
        head = f"{path}: " if prefix else ""
        if raw:
            sys.stdout.flush()
            sys.stdout.buffer.write(head.encode() + value)
            sys.stdout.buffer.flush()
        else:
            print(head + escape(value) + (hint(path, Node(value)) if hint else ""))
    return 0


def _hint(session: Session) -> Hint | None:
    """What shows the meaning of values, where that is wanted."""
    if not session.hints:
        return None
    from xenvm.cli.store.formats import hinter

    return hinter(session.paint)


def _exists(session: Session, paths: tuple[str, ...]) -> int | None:
    """Says by the exit code whether all paths exist."""
    from xenbus.errors import StoreError
    from xenbus.request import Read

    replies = session.eyes.batch([Read(session.absolute(path)) for path in paths])
    for reply in replies:
        if isinstance(reply, StoreError) and not isinstance(reply, NotFound):
            raise reply
    found = not any(isinstance(reply, NotFound) for reply in replies)
    if session.hints:
        print("yes" if found else "no")
        return 0
    return 0 if found else 1


def _find(
    session: Session, pattern: str, path: str | None, value: str | None, owner: int | None, as_json: bool
) -> int | None:
    """Prints the nodes that fit, as ``ls -f`` does; ends with 1 if there are none."""
    from xenbus.escape import unescape
    from xenbus.tree import matching
    from xenvm.cli.store import formats

    (top,) = _tops(session, () if path is None else (path,))
    found = walk(session.eyes, top, perms=owner is not None)
    raw = None if value is None else unescape(value)
    paths = list(matching(found, name=pattern, value=raw, owner=owner))
    if as_json:
        print_json({"nodes": [formats.node_object(path, found[path]) for path in paths]})
    else:
        _print(formats.node_line(path, found[path], owner is not None) for path in paths)
    return 0 if paths else 1


def _explain(session: Session, path: str | None, domid: int | None, as_json: bool) -> int | None:
    """Prints who may read and write a node, and why."""
    from xenbus import access
    from xenbus.perm import format_perms

    (top,) = _tops(session, () if path is None else (path,))
    perms = session.own_eyes.get_perms(top)
    lines = access.explain(top, perms)
    domid = session.view if domid is None else domid
    if domid is not None:
        rights = access.rights(perms, domid)
        may = [word for word, on in (("read", rights.read), ("write", rights.write)) if on]
        lines = [f"Domain {domid} may {' and '.join(may) or 'neither read nor write'} it: {rights.why}."]
    if as_json:
        print_json({"path": top, "perms": format_perms(perms), "explanation": lines})
        return 0
    _print([f"{top}  ({format_perms(perms)})", *(f"  {line}" for line in lines)])
    return 0


def _stat(session: Session, as_json: bool) -> int | None:
    """Prints what each domain uses of its quotas."""
    from xenbus.usage import limits, own_limits, usage

    found, allowed = usage(session.store), limits(session.store)
    own = own_limits(session.store, [row.domid for row in found])
    if as_json:
        print_json({"domains": [row.as_dict() for row in found], "limits": allowed, "own_limits": own})
        return 0
    columns = ("nodes", "watches", "transactions", "outstanding", "memory")
    _print([f"{'domid':>5}  {'name':<24}" + "".join(f"{column:>14}" for column in columns)])
    for row in found:
        counts = "".join(_count(getattr(row, column)) for column in columns)
        print(f"{row.domid:>5}  {_shown(row.name):<24}{counts}")
    for who, some in [("(of a guest)", allowed), *((f"(of domain {domid})", own[domid]) for domid in own)]:
        if some:
            print(f"{'limit':>5}  {who:<24}" + "".join(_count(some.get(column)) for column in columns))
    return 0


_TELLING = ("help", "check", "quota", "quota-soft", "memreport", "print")


def _count(number: int | None) -> str:
    return f"{'-' if number is None else number:>14}"


def _shown(name: str | None) -> str:
    from xenbus.escape import escape

    return "-" if name is None else escape(name.encode())[:24]


def _control(session: Session, words: tuple[str, ...]) -> int | None:
    """Sends a command to the server and prints its answer; asks before one that does more than tell."""
    if not (words[0] in _TELLING and "set" not in words):
        session.ask(f"`{' '.join(words)}` changes how the server works")
    text = session.store.control(*words)
    print(text, end="" if text.endswith("\n") else "\n")
    return 0


def _tops(session: Session, paths: Iterable[str]) -> list[str]:
    """The paths; where one stands, or the root, if none is given."""
    return [session.absolute(path) for path in paths] or [session.cwd or "/"]


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


ls, tree, list_, read = Verb(_ls), Verb(_tree), Verb(_list), Verb(_read)
exists, find, explain, stat, control = Verb(_exists), Verb(_find), Verb(_explain), Verb(_stat), Verb(_control)
