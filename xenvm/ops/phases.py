"""How long each phase of a command took, for ``--timing`` and the benchmark."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Phases:
    """A stopwatch whose laps have names; seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.laps: list[tuple[str, float]] = []

    def done(self, name: str) -> None:
        """Ends a phase; the next one begins."""
        now = time.monotonic()
        self.laps.append((name, now - self._last))
        self._last = now

    def lines(self) -> Iterator[str]:
        """One line for each phase, and one with the sum."""
        for name, seconds in self.laps:
            yield f"{name:<28} {seconds * 1000:9.1f} ms"
        yield f"{'total':<28} {sum(seconds for _, seconds in self.laps) * 1000:9.1f} ms"
