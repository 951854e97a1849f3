"""The page of ``xenvm --help`` without click, whose import takes longer than all the rest of it.

The text is click's own, for every width of the terminal; a test compares the two.
"""

from __future__ import annotations

import os
import sys

from xenvm.cli import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDEST, NARROWEST = 100, 50
_OPTIONS = (
    ("--debug", table.DEBUG),
    ("--host HOST", table.HOST),
    ("--version", "Show the version and exit."),
    ("-h, --help", "Show this message and exit."),
)


def page(columns: int) -> str | None:
    """The whole page for a terminal of so many columns; None where a word would have to be broken."""
    width = max(min(columns, WIDEST) - 2, NARROWEST)
    longest = max(len(word) for _, text in _OPTIONS for word in text.split())
    if longest > width - _margin(_OPTIONS):
        return None
    about = [f"  {line}" for line in _wrapped(table.ABOUT, width - 2)]
    names = [command.name for command in table.COMMANDS]
    room = width - 6 - max(map(len, names))
    commands = [(command.name, _cut(command.summary, room)) for command in table.COMMANDS]
    sections = ["Options:", *_columns(_OPTIONS, width), "", "Commands:", *_columns(commands, width)]
    return "\n".join(["Usage: xenvm [OPTIONS] COMMAND [ARGS]...", "", *about, "", *sections, ""])


def columns() -> int:
    """How wide the terminal is, as shutil.get_terminal_size finds it."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return 80


def _columns(rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    margin = _margin(rows)
    for name, text in rows:
        for line in _wrapped(text, width - margin):
            yield f"{'  ' + name:<{margin}}{line}"
            name = ""


def _margin(rows: Sequence[tuple[str, str]]) -> int:
    return max(len(name) for name, _ in rows) + 4


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _cut(text: str, room: int) -> str:
    """As many words as there is room for."""
    if len(text) <= room:
        return text
    words = text.split()
    while len(" ".join(words)) + 3 > room:
        words.pop()
    return " ".join(words) + "..."
