"""The commands of ``xenvm store`` for snapshots: export, import, diff."""

from __future__ import annotations

import os
import sys

from xenbus.dump import from_text, restore, to_object
from xenbus.errors import InvalidValue
from xenbus.tree import differences, walk
from xenvm.cli.store.session import Verb, print_json, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.store.session import Session


def _export(session: Session, path: str | None, output: str | None) -> None:
    """Writes a snapshot with permissions as JSON; a file is for its owner alone."""
    import json

    top = session.cwd or "/" if path is None else session.absolute(path)
    text = json.dumps(to_object(walk(session.eyes, top, perms=True)), indent=1) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _import(session: Session, file: str, path: str | None, no_perms: bool) -> None:
    """Writes a snapshot's nodes, in place or below another node; other nodes stay."""
    snapshot = from_text(read_file(file), file)
    top = next(iter(snapshot), "/")
    new = "" if path is None else session.absolute(path)
    requests = list(restore(snapshot, old=top, new=new, perms=not no_perms))
    if requests:
        session.change(f"import {file}", requests)


_NOW = (None, "-", "now")


def _diff(session: Session, before: str, after: str | None, as_json: bool) -> int:
    """Prints what changed between two files (snapshots, recordings), or since one; ends with 1 if anything did."""
    from xenvm.cli.store import formats
    from xenvm.cli.store.recorded import looks, read_recorded

    both = (before, after)
    if all(name in _NOW for name in both):
        raise InvalidValue("diff takes the file of a snapshot or a recording, and another one, or `now`")
    files = [None if name is None or name in _NOW else read_recorded(name) for name in both]
    old, new = looks(files[0], files[1], session.eyes if None in files else None)
    changes = differences(old, new)
    if as_json:
        print_json({"changes": [formats.change_object(change) for change in changes]})
    else:
        sys.stdout.writelines(f"{line}\n" for change in changes for line in formats.difference(change))
    return 1 if changes else 0


export, import_, diff = Verb(_export), Verb(_import), Verb(_diff)
