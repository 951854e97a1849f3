"""Nodes as lines: those of xenstore-ls, byte for byte, and a tree for people."""

from __future__ import annotations

from xenbus.escape import escape
from xenbus.meaning import meaning, state_of
from xenbus.path import basename, parent
from xenbus.perm import format_perms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from xenbus.tree import Change, Node, Snapshot
    from xenvm.cli.store.session import Paint

    Hint = Callable[[str, Node], str]

COLUMNS = 80
"""How wide the nested list is where there is no terminal."""
_CUT = 8
"""What a value's frame takes of a line, as xenstore-ls counts."""
_PERMS_AT = 60


def listing(
    snapshot: Snapshot, top: str, *, full: bool, perms: bool, columns: int | None, hint: Hint | None = None
) -> Iterator[str]:
    """Lines as xenstore-ls writes them for all below `top`, to a terminal of so many `columns`, or to none."""
    width = columns - 2 if columns else None if full else COLUMNS
    depth = top.rstrip("/").count("/") + 1
    for path, node in snapshot.items():
        if path != top:
            indent = 0 if full else path.count("/") - depth
            row = _row(path if full else basename(path), indent, node, perms, width, not full)
            yield row + (hint(path, node) if hint else "")


def node_line(path: str, node: Node, perms: bool = False) -> str:
    """One node with its whole path."""
    return _row(path, 0, node, perms, None, False)


def _row(label: str, indent: int, node: Node, perms: bool, width: int | None, dots: bool) -> str:
    if width is not None:
        label = label[: max(0, width - _CUT - indent)]
    text = " " * indent + label
    cut = node.value is not None and width is not None and len(text) + len(node.value) + _CUT > width
    if node.value is None:
        text += ":"
    elif cut and width is not None:
        text += f' = "{escape(node.value)[: max(0, width - _CUT - len(text))]}\\..."'
    else:
        text += f' = "{escape(node.value)}"'
    if not perms:
        return text
    if not cut:
        text += " "
        end = min(_PERMS_AT, width) if dots and width is not None else 0
        text += "".join(". "[position % 2 == 0] for position in range(len(text), end))
    return f"{text}  ({format_perms(node.perms or ())})"


def hinter(paint: Paint) -> Hint:
    """What a value means, as the end of its line."""

    def hint(path: str, node: Node) -> str:
        text = meaning(path, node.value)
        if text is None:
            return ""
        state = state_of(path, node.value)
        return "  " + (paint.text(text, "2") if state is None else paint.state(state, text))

    return hint


def tree(snapshot: Snapshot, top: str, perms: bool, paint: Paint, lines: str = "├─└│") -> Iterator[str]:
    """A tree for people: values by what they mean, states by name."""
    below: dict[str, list[str]] = {}
    for path in snapshot:
        if path != top:
            below.setdefault(parent(path), []).append(path)
    yield paint.text(top, "1")
    stack = [(path, "") for path in reversed(below.get(top, ()))]
    while stack:
        path, before = stack.pop()
        last = not stack or stack[-1][1] != before
        corner = (lines[2] if last else lines[0]) + lines[1] + " "
        yield before + corner + _tree_text(path, snapshot[path], perms, paint)
        inner = before + ("   " if last else f"{lines[3]}  ")
        stack += [(child, inner) for child in reversed(below.get(path, ()))]


def tree_object(snapshot: Snapshot, top: str) -> dict[str, Any]:
    """A tree for JSON: each node has its `children`, by name."""
    made: dict[str, dict[str, Any]] = {}
    for path, node in snapshot.items():
        made[path] = {**node_object(path, node), "children": {}}
        if path != top:
            made[parent(path)]["children"][basename(path)] = made[path]
    return made[top]


def _tree_text(path: str, node: Node, perms: bool, paint: Paint) -> str:
    text = basename(path)
    state = state_of(path, node.value)
    means = meaning(path, node.value)
    if node.value is None:
        text += paint.text("  (closed)", "2")
    elif state is not None:
        text += f"  {paint.state(state, means or '')}"
    elif node.value or means:
        text += f'  "{escape(node.value)}"' + (paint.text(f"  {means}", "2") if means else "")
    return text + (paint.text(f"  ({format_perms(node.perms)})", "2") if perms and node.perms else "")


def difference(change: Change) -> Iterator[str]:
    """Lines of a change: ``-`` before, ``+`` after, ``!`` where only permissions differ."""
    before, after = change.before, change.after
    if before is not None and after is not None and before.value == after.value:
        yield f"! {change.path}  ({format_perms(before.perms or ())}) -> ({format_perms(after.perms or ())})"
        return
    for sign, node in (("-", before), ("+", after)):
        if node is not None:
            yield f"{sign} {node_line(change.path, node, node.perms is not None)}"


def node_object(path: str, node: Node) -> dict[str, Any]:
    """A node for JSON; `meaning` where the value does not say all."""
    from xenbus.dump import node_object as dumped

    means = meaning(path, node.value)
    return {**dumped(path, node), **({"meaning": means} if means else {})}


def change_object(change: Change) -> dict[str, Any]:
    """A change for JSON: both nodes, null where there is none."""
    both = {"before": change.before, "after": change.after}
    return {"path": change.path, **{key: node and node_object(change.path, node) for key, node in both.items()}}
