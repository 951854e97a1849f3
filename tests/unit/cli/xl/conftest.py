"""A script's xl on a simulated host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Result, Xenvm


class Xl:
    """Calls the shim."""

    def __init__(self, xenvm: Xenvm, folder: Path) -> None:
        self.xenvm, self.folder = xenvm, folder
        self.config = str(folder / "g.cfg")

    def __call__(self, line: str) -> Result:
        return self.xenvm("xl", *line.split())

    def out(self, line: str) -> str:
        code, out, err = self(line)
        assert (code, err) == (0, "")
        return out


@pytest.fixture
def xl(folder: Path, xenvm: Xenvm) -> Xl:
    return Xl(xenvm, folder)


@pytest.fixture
def guest(xl: Xl) -> Xl:
    assert xl(f"create {xl.config}") == (0, "", f"Parsing config from {xl.config}\n")
    return xl
