"""Prints docs/settings.md from the table of settings: ``python3 docs/make_configuration.py >docs/settings.md``."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xenvm.guest.settings import Row, documentation, find

TYPES = {
    "S": "string",
    "I": "number",
    "B": "flag",
    "L": "list",
    "L/S": "list or string",
    "LL": "list of lists",
}
SECTIONS = (
    ("use", "Settings that a guest is made from", ""),
    ("harmless", "Settings that change nothing", "They are accepted without a word."),
    (
        "err",
        "Settings that are refused",
        "They are an error, unless the value is empty, zero or the default.",
    ),
    ("warn", "Settings that are ignored", "They give a warning, unless the value is empty, zero or the default."),
)


def lines() -> Iterator[str]:
    """The whole page."""
    yield "<!-- Made by docs/make_configuration.py from the table of settings; do not edit. -->"
    yield "# All settings of xl.cfg"
    yield ""
    yield from wrap("What xenvm does with each. How they are read is in [configuration.md](configuration.md).")
    rows = [row for key, *_ in documentation() if (row := find(key))]
    for kind, title, explanation in SECTIONS:
        yield from ("", f"## {title}", "")
        if explanation:
            yield from (explanation, "")
        section = [row for row in rows if row.kind == kind]
        yield from grouped(section) if kind == "warn" else entries(section)


def entries(rows: list[Row]) -> Iterator[str]:
    """One item a setting."""
    for row in rows:
        default = f", default {row.default}" if row.default and row.kind == "use" else ""
        refusal = f" Reason: {row.reason}." if row.kind == "err" and row.reason else ""
        yield from wrap(f"* `{row.key}` ({TYPES[row.type]}{default}): {row.help}{refusal}")


def grouped(rows: list[Row]) -> Iterator[str]:
    """One item a reason."""
    for reason in dict.fromkeys(row.reason for row in rows):
        keys = ", ".join(f"`{row.key}`" for row in rows if row.reason == reason)
        yield from wrap(f"* {reason}: {keys}")


def wrap(text: str) -> list[str]:
    """A paragraph or an item of a list, in lines of 120."""
    indent = "  " if text.startswith("* ") else ""
    return textwrap.wrap(text, 120, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


if __name__ == "__main__":
    print("\n".join(lines()))
