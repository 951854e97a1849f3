"""How far a long step is: the callback's type, and a bar for a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

#: Called with a step's label and how much of it is done, 0.0 to 1.0; None where nobody can tell.
Progress = Callable[[str, float | None], None]


def silent(label: str, fraction: float | None = None) -> None:
    """Show nothing."""


class Bar:
    """A progress bar on a terminal; one line a step where the output is no terminal."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr
        self.live = self.out.isatty()
        self.label = ""
        self.begun = self.drawn = 0.0

    def __call__(self, label: str, fraction: float | None = None) -> None:
        now = time.monotonic()
        if label != self.label:
            self._end(now)
            self.label, self.begun, self.drawn = label, now, 0.0
        if self.live and (now - self.drawn > 0.1 or fraction == 1.0):
            self.drawn = now
            self.out.write(f"\r\033[K{self._line(now, fraction)}")
            self.out.flush()

    def close(self) -> None:
        """End the last step's line."""
        self._end(time.monotonic())
        self.label = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _line(self, now: float, fraction: float | None) -> str:
        if fraction is None:
            return f"{self.label} ... {now - self.begun:.0f} s"
        done = int(min(max(fraction, 0.0), 1.0) * 30)
        return f"[{'#' * done}{'.' * (30 - done)}] {fraction * 100:3.0f}%  {self.label}"

    def _end(self, now: float) -> None:
        if self.label:
            start = "\r\033[K" if self.live else ""
            self.out.write(f"{start}{self.label}: {now - self.begun:.1f} s\n")
            self.out.flush()
