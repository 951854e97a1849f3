"""For every call of create, attach, detach, destroy and gc: whatever fails there, or if the process dies there, nothing
is left, or gc removes it, or what is there is whole; the world is as before in the end. gc, cut short anywhere, can be
done again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.swept import ALL, FULL, swept


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_left(name: str, tmp_path: Path) -> None:
    sweep = swept(name, tmp_path, FULL)
    print("\n".join(sweep.lines()))
    assert sweep.outcomes and not sweep.leaks, "\n".join(sweep.leaks)
