"""The same random requests to the real daemon and to ours: the same replies, the same events, the same tree."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.conformance.streams import Run, difference
from tests.conformance.worlds import World

COUNT = int(os.environ.get("XENVM_STREAM", "500"))
"""Requests of one stream; ``make conformance`` does 10,000."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(4))
def test_streams(make_world: Callable[[str], World], seed: int) -> None:
    assert difference(Run(make_world("real")), Run(make_world("ours")), seed, COUNT) == ""
