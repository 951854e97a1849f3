from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost, fake_host
from tests.support.guestconfig import config_text
from tests.support.simworld import arm64_image
from xenvm import cli
from xenvm.cli import run
from xenvm.host.open import VARIABLE
from xenvm.host.plumbing import vifscript

Result = tuple[int, str, str]
Xenvm = Callable[..., Result]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FakeHost]:
    with fake_host(tmp_path) as world:
        yield world


@pytest.fixture
def xenvm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Xenvm:
    """A whole command line, in this process: exit code, standard output, standard error."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(run, "leave", leave)
    monkeypatch.setattr(run, "chosen_host", None)

    def call(*words: str) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simulated host of its own, and beside it an image, a disk and the configuration of a guest."""
    monkeypatch.setenv(VARIABLE, f"sim:{tmp_path / 'world'}")
    monkeypatch.setattr(run, "chosen_host", None)
    monkeypatch.setattr(vifscript, "needs_script", lambda bridge, ip: None)
    (tmp_path / "Image").write_bytes(arm64_image())
    (tmp_path / "disk.img").write_bytes(bytes(1 << 16))
    (tmp_path / "g.cfg").write_text(config_text(str(tmp_path / "Image"), None, str(tmp_path / "disk.img"), {}))
    return tmp_path
