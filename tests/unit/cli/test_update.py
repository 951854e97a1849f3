"""config-update's own words; what it does is tested with the shim."""

from __future__ import annotations

import pytest

from tests.support.fakehost import FakeHost
from tests.unit.cli.conftest import Xenvm


@pytest.mark.parametrize("words", [["g"], ["g", "memory=64"]])
def test_without_a_configuration(xenvm: Xenvm, words: list[str]) -> None:
    assert xenvm("config-update", *words) == (2, "", "xenvm: config-update needs a configuration file\n")


def test_nobody_there(world: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("config-update", "nobody", "-f", "/no/such")[0] == 3
