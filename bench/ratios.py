"""Medians of alternated rounds, and of their ratios: only those of one round mean something."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence


def columns(rounds: Sequence[Sequence[float]]) -> Iterator[tuple[float, float]]:
    """For each column its median, and the median of its ratios to the first column in the same round."""
    for column in range(len(rounds[0])):
        yield (
            statistics.median(values[column] for values in rounds),
            statistics.median(values[column] / values[0] for values in rounds),
        )
