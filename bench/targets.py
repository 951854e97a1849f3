"""The table of what was to be reached: measured where it can be, in turns with whatever it is compared with."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from xenbus.value import Value


class Target(Value):
    """One row: `reached` is None where it could not be measured, and `measured` says why."""

    what: str
    measured: str
    wanted: str
    reached: bool | None


def ratio(what: str, ours: Sequence[float], theirs: Sequence[float], limit: float, unit: str = "ms") -> Target:
    """Ours divided by theirs, both of the same rounds and in seconds, is at most `limit`: the median of the ratios."""
    found = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    scale = {"s": 1, "ms": 1e3, "us": 1e6}[unit]
    both = " / ".join(f"{statistics.median(values) * scale:.3g} {unit}" for values in (ours, theirs))
    return Target(what, f"{found:.2f} ({both})", f"<= {limit:g}", found <= limit)


def at_most(what: str, values: Sequence[float], limit: float, unit: str = "ms") -> Target:
    """The median of seconds is at most `limit`, in the unit; the least is told, too."""
    scale = {"s": 1, "ms": 1e3, "us": 1e6}[unit]
    found = statistics.median(values) * scale
    least = min(values) * scale
    return Target(what, f"{found:.3g} {unit} (least {least:.3g})", f"<= {limit:g} {unit}", found <= limit)


def show(rows: Sequence[Target]) -> None:
    """Prints the table."""
    table = [("what", "measured", "to reach", "reached")]
    table += [(row.what, row.measured, row.wanted, _WORDS[row.reached]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


_WORDS = {True: "yes", False: "NO", None: "not measured"}
