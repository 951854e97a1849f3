"""Sets of frames as ranges: what a guest owns is a few of them, however much memory it has."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Extents:
    """Frame numbers as sorted ranges that neither touch nor overlap."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges: first frame, and the first one behind."""
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        """How many frames there are."""
        return sum(self._ends) - sum(self._starts)

    def covers(self, start: int, end: int) -> bool:
        """Whether all of a range is in it; an empty one is not."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and start < end <= self._ends[at]

    def add(self, start: int, end: int) -> int:
        """Adds a range; how many of its frames were new."""
        before = len(self)
        low, high = bisect_left(self._ends, start), bisect_right(self._starts, end)
        if low < high:
            start, end = min(start, self._starts[low]), max(end, self._ends[high - 1])
        self._starts[low:high], self._ends[low:high] = [start], [end]
        return len(self) - before

    def remove(self, start: int, end: int) -> None:
        """Takes a range out, where it is in."""
        low, high = bisect_right(self._ends, start), bisect_left(self._starts, end)
        if low >= high:
            return
        left, right = (self._starts[low], start), (end, self._ends[high - 1])
        kept = [piece for piece in (left, right) if piece[0] < piece[1]]
        self._starts[low:high] = [first for first, _ in kept]
        self._ends[low:high] = [behind for _, behind in kept]

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of a range that are not in it."""
        gaps = []
        for first, behind in self._touching(start, end):
            if start < first:
                gaps.append((start, first))
            start = behind
        return [*gaps, (start, end)] if start < end else gaps

    def _touching(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        low, high = bisect_right(self._ends, start), bisect_left(self._starts, end)
        return zip(self._starts[low:high], self._ends[low:high], strict=True)
