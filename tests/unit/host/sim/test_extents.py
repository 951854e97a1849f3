"""Ranges of frames behave as the sets that they stand for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.host.sim.extents import Extents

RANGES = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def flat(extents: Extents) -> set[int]:
    return {frame for start, end in extents for frame in range(start, end)}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), RANGES), max_size=12), RANGES)
def test_as_a_set(steps: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]) -> None:
    extents, model = Extents(), set[int]()
    for adding, (start, end) in steps:
        if start == end:
            continue
        if adding:
            assert extents.add(start, end) == len(set(range(start, end)) - model)
            model |= set(range(start, end))
        else:
            extents.remove(start, end)
            model -= set(range(start, end))
        assert flat(extents) == model and len(extents) == len(model)
        parts = list(extents)
        assert all(one[1] < other[0] for one, other in pairwise(parts)), "they do not touch"
    wanted = set(range(*asked))
    assert extents.covers(*asked) == (bool(wanted) and wanted <= model)
    assert {frame for gap in extents.missing(*asked) for frame in range(*gap)} == wanted - model
