"""On a real host: what xenvm leaves in xenstore for a guest is what xl leaves there."""

from __future__ import annotations

import pytest

from tests.golden import stores
from tests.golden.configs import STORES
from tests.golden.regenerate import observe
from tests.lab.dom0 import Dom0


@pytest.mark.parametrize("name", STORES)
def test_the_store_is_as_xl_leaves_it(clean: Dom0, name: str) -> None:
    theirs, ours = (observe(clean, tool, name) for tool in ("xl", "xenvm"))
    for state in theirs:
        left = stores.as_text(stores.without(ours[state], stores.DIFFERENCES))
        assert left == stores.as_text(stores.without(theirs[state], stores.DIFFERENCES)), state
