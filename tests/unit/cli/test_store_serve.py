"""store serve, as far as it does not need a process; see tests/conformance/test_daemon.py for the rest."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Xenvm
from xenbus.server.service import Server


@pytest.fixture(autouse=True)
def ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of serving, the process gets a signal; what it would have done is undone."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    serve = Server.serve

    def serve_shortly(server: Server) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        serve(server)
        for number, handler in kept.items():
            signal.signal(number, handler)

    monkeypatch.setattr(Server, "serve", serve_shortly)


def test_it_serves_until_a_signal(xenvm: Xenvm, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    assert xenvm("store", "serve", "--socket", path) == (0, "", f"serving a store at {path}\n")
    assert not os.path.exists(path)


def test_it_keeps_the_store(xenvm: Xenvm, tmp_path: Path) -> None:
    path, state = str(tmp_path / "socket"), tmp_path / "state"
    assert xenvm("store", "serve", "--socket", path, "--state", str(state))[0] == 0
    assert state.read_bytes().startswith(b"xenstore journal")
    assert xenvm("store", "serve", "--socket", path, "--state", str(state))[0] == 0, "its locks are free again"


def test_a_socket_is_needed(xenvm: Xenvm) -> None:
    code, _out, told = xenvm("store", "serve")
    assert code == 2
    assert "--socket" in told


@pytest.mark.parametrize("words", [("--socket", "FILE"), ("--socket", "socket", "--state", "FILE")])
def test_it_touches_no_other_file(xenvm: Xenvm, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("precious")
    places = {"FILE": str(tmp_path / "file"), "socket": str(tmp_path / "socket")}
    code, _out, told = xenvm("store", "serve", *[places.get(word, word) for word in words])
    assert code == 1
    assert str(tmp_path / "file") in told
    assert (tmp_path / "file").read_text() == "precious"
