"""A snapshot as JSON and back; binary values survive, and what is read is checked like any foreign input.

``{"xenstore": 1, "nodes": [{"path": "/a", "value": "text", "perms": "n0,r5"}, {"path": "/b", "base64": "AAE="}]}``
"""

from __future__ import annotations

from xenbus.errors import InvalidValue
from xenbus.path import is_path, is_under
from xenbus.perm import format_perms, parse_perms
from xenbus.request import SetPerms, Write
from xenbus.tree import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from xenbus.request import Request
    from xenbus.tree import Snapshot

VERSION = 1


def to_object(snapshot: Snapshot) -> dict[str, Any]:
    """What json.dumps takes."""
    return {"xenstore": VERSION, "nodes": [node_object(path, node) for path, node in snapshot.items()]}


def node_object(path: str, node: Node) -> dict[str, Any]:
    """One node; a value that is no UTF-8 is given as base64, one that could not be read as null."""
    entry: dict[str, Any] = {"path": path, **value_object(node.value)}
    if node.perms is not None:
        entry["perms"] = format_perms(node.perms)
    return entry


def value_object(value: bytes | None) -> dict[str, Any]:
    """``{"value": text or null}`` or ``{"base64": text}``."""
    if value is None:
        return {"value": None}
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        from binascii import b2a_base64

        return {"base64": b2a_base64(value, newline=False).decode()}


def from_text(text: str, source: str = "snapshot") -> Snapshot:
    """Reads JSON text; raises InvalidValue with the node's number."""
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"{source} is not JSON: {error}") from None
    if not isinstance(found, dict) or found.get("xenstore") != VERSION or not isinstance(found.get("nodes"), list):
        raise InvalidValue(f'{source} is no snapshot of a store: it has no "xenstore": {VERSION} and "nodes"')
    snapshot: Snapshot = {}
    for number, entry in enumerate(found["nodes"], 1):
        try:
            path, node = _node(entry)
        except ValueError as error:
            raise InvalidValue(f"{source}, node {number}: {error}") from None
        snapshot[path] = node
    return snapshot


def _node(entry: object) -> tuple[str, Node]:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str) or not is_path(entry["path"]):
        raise ValueError("it has no path that the protocol allows")
    perms = entry.get("perms")
    if perms is not None and not isinstance(perms, str):
        raise ValueError("its permissions are no text")
    return entry["path"], Node(_value(entry), None if perms is None else parse_perms(perms))


def _value(entry: dict[str, Any]) -> bytes | None:
    text = entry.get("base64", entry.get("value"))
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError("its value is no text")
    if "base64" not in entry:
        return text.encode()
    from binascii import a2b_base64

    return a2b_base64(text, strict_mode=True)


def restore(snapshot: Snapshot, *, old: str = "", new: str = "", perms: bool = True) -> Iterator[Request]:
    """Requests that write a snapshot; what is below `old` goes below `new`. Nodes that it lacks are left alone."""
    for path, node in snapshot.items():
        target = moved(path, old, new) if new else path
        if node.value is None or (target == "/" and not node.value):
            continue
        yield Write(target, node.value)
        if perms and node.perms:
            yield SetPerms(target, node.perms)


def moved(path: str, old: str, new: str) -> str:
    """The path with its beginning `old` replaced; raises InvalidValue if it begins otherwise."""
    if not is_under(path, old):
        raise InvalidValue(f"{path} is not below {old}")
    rest = path.removeprefix(old).strip("/")
    return f"{new.rstrip('/')}/{rest}" if rest else new
