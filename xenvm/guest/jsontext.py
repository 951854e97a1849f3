"""JSON text without the json package, which brings the whole of regular expressions along."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, "Json"] | list["Json"] | str | float | None

_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\", **{code: f"\\u{code:04x}" for code in range(0x20)}}
_CONSTANTS = {None: "null", True: "true", False: "false"}


def text(value: Json, indent: str = "\n") -> str:
    """JSON, laid out as libxl does; `indent` begins a line."""
    inner = indent + "    "
    if isinstance(value, dict):
        return _joined("{", [f"{text(key)}: {text(item, inner)}" for key, item in value.items()], "}", indent, inner)
    if isinstance(value, list):
        return _joined("[", [text(item, inner) for item in value], "]", indent, inner)
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    return str(value)


def _joined(left: str, items: list[str], right: str, indent: str, inner: str) -> str:
    if not items:
        return left + right
    return left + inner + ("," + inner).join(items) + indent + right


def parse(source: str) -> Any:
    """What a JSON text says; ValueError where it is none, whatever is wrong with it."""
    from _json import make_scanner  # what json.loads is made of

    body, scanner = source.strip(" \t\r\n"), make_scanner(_Plain)  # type: ignore[arg-type]
    try:
        value, end = scanner(body, 0)
    except (ValueError, StopIteration, RecursionError, SystemError) as error:
        raise ValueError("no JSON") from error
    if end != len(body):
        raise ValueError("more than one JSON value")
    return value


class _Plain:
    """What the scanner asks of a decoder."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float
