from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost, fake_host
from xenvm import cli
from xenvm.cli import run

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
