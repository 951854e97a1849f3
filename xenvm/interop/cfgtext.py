"""Writes the language of xl.cfg(5), such that :mod:`xenvm.guest.cfg` reads the same values back."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.cfg import ListValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenvm.guest.cfg import Atom

    Setting = tuple[str, str | int | list[str]]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b", "\f": "\\f",
            "\v": "\\v"}  # fmt: skip


def quoted(text: str) -> str:
    """A string; ConfigError if it has a control character that the language cannot express."""
    bad = next((char for char in text if (ord(char) < 32 or ord(char) == 127) and char not in _ESCAPES), None)
    if bad is not None:
        raise ConfigError(f"xl.cfg has no way to write the character {ord(bad):#04x}, in {text!r}")
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def literal(value: Atom | ListValue) -> str:
    """A value as it was read, on one line."""
    if isinstance(value, ListValue):
        return f"[{', '.join(map(literal, value.items))}]"
    return value.text if value.text.isascii() and value.text.isdigit() else quoted(value.text)


def written(settings: Iterable[Setting]) -> str:
    """A whole file; a list has a line for each of its elements."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in settings)


def _value(value: str | int | list[str]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    return "".join(["[\n", *(f"    {quoted(item)},\n" for item in value), "]"])
