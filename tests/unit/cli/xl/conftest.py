"""A script's xl on a simulated host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.guestconfig import config_text
from tests.support.simworld import arm64_image
from tests.unit.cli.conftest import Result, Xenvm
from xenvm.cli import run
from xenvm.host.open import VARIABLE
from xenvm.host.plumbing import vifscript


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
def xl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xenvm: Xenvm) -> Xl:
    monkeypatch.setenv(VARIABLE, f"sim:{tmp_path / 'world'}")
    monkeypatch.setattr(run, "chosen_host", None)
    monkeypatch.setattr(vifscript, "needs_script", lambda bridge, ip: None)
    (tmp_path / "Image").write_bytes(arm64_image())
    (tmp_path / "disk.img").write_bytes(bytes(1 << 16))
    (tmp_path / "g.cfg").write_text(config_text(str(tmp_path / "Image"), None, str(tmp_path / "disk.img"), {}))
    return Xl(xenvm, tmp_path)


@pytest.fixture
def guest(xl: Xl) -> Xl:
    assert xl(f"create {xl.config}") == (0, "", f"Parsing config from {xl.config}\n")
    return xl
