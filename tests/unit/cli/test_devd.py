"""devd as a command, and in xl's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import devd as command
from xenvm.cli import run
from xenvm.ops import background, devd, notify
from xenvm.types import Domid


def test_it_runs_until_it_is_told_to_end(world: FakeHost, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []

    def serve(_host: object, say: object, pulse: object) -> None:
        pulse()  # type: ignore[operator]
        raise KeyboardInterrupt

    monkeypatch.setattr(notify.Notifier, "_send", lambda _self, text: told.append(text))
    monkeypatch.setattr(devd, "run", serve)
    code, out, err = xenvm("devd")
    assert (code, out) == (0, "") and "new devices wait until devd runs again" in err
    assert told == [b"READY=1\nWATCHDOG=1", b"STOPPING=1"]
    assert xenvm("xl", "devd", "-F", "-p", "/no/such")[0] == 0


def test_not_in_domain_0(world: FakeHost, xenvm: Xenvm) -> None:
    world.store.put("/local/domain/0/domid", "0")
    for words in (["devd"], ["xl", "devd"]):
        code, _, err = xenvm(*words)
        assert code and "this is domain 0" in err


def test_not_on_a_simulated_host(xenvm: Xenvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENVM_HOST", f"sim:{tmp_path}")
    code, _, err = xenvm("devd")
    assert code == run.UNSUPPORTED and "devd is for a real driver domain" in err


def test_in_the_background(world: FakeHost, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[object] = []

    def fork(work: object, what: str, log: str) -> int:
        assert (what, log) == ("devd", command.LOG)
        work(print)  # type: ignore[operator]
        return 4711

    monkeypatch.setattr(background, "fork", fork)
    monkeypatch.setattr(devd, "own_domid", lambda _host: Domid(3))
    monkeypatch.setattr(devd, "run", lambda _host, say: served.append(say))
    assert xenvm("xl", "devd") == (0, "", "")
    assert xenvm("xl", "devd", f"--pidfile={tmp_path}/pid") == (0, "", "")
    assert (tmp_path / "pid").read_text() == "4711\n" and served == [print, print]
