"""The supervisor as a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import run
from xenvm.host.plumbing import watching
from xenvm.ops import notify, supervise


def test_it_runs_until_it_is_told_to_end(world: FakeHost, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []

    def send(_notifier: object, text: bytes) -> None:
        told.append(text)
        if len(told) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(notify.Notifier, "_send", send)
    code, out, err = xenvm("supervise")
    assert (code, out) == (0, "") and "the guests run on" in err
    assert told == [b"READY=1\nWATCHDOG=1", b"STOPPING=1"]
    assert not watching.on_duty(watching.SUPERVISOR)


def test_systemd_sets_the_pace(world: FakeHost, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    paces: list[float] = []
    monkeypatch.setattr(supervise.Supervisor, "run", lambda self, every, pulse: paces.append(every))
    for micros in ("0", "60000000", "4000000"):
        monkeypatch.setenv("WATCHDOG_USEC", micros)
        assert xenvm("supervise")[0] == 0
    assert paces == [10.0, 10.0, 2.0]


def test_one_is_enough(world: FakeHost, xenvm: Xenvm) -> None:
    with watching.Duty(watching.SUPERVISOR):
        assert xenvm("supervise") == (run.FAILED, "", "xenvm: another supervisor runs on this host\n")


def test_not_on_a_simulated_host(xenvm: Xenvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENVM_HOST", f"sim:{tmp_path}")
    code, _, err = xenvm("supervise")
    assert code == run.UNSUPPORTED and "there is nothing to watch" in err
