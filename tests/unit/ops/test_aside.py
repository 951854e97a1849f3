"""Work in a thread of its own."""

from __future__ import annotations

import signal
import threading

import pytest

from xenvm.ops.aside import Aside


def test_it_runs_at_once_beside_the_caller() -> None:
    started, go_on = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        assert go_on.wait(10)

    aside = Aside(work)
    assert started.wait(10)
    go_on.set()
    aside.finish()
    aside.join()


def test_what_ends_it_is_raised_where_it_is_finished() -> None:
    aside = Aside(lambda: 1 // 0)
    aside.join()
    with pytest.raises(ZeroDivisionError):
        aside.finish()


def test_signals_are_not_its_business() -> None:
    seen: list[set[int]] = []
    Aside(lambda: seen.append({*signal.pthread_sigmask(signal.SIG_BLOCK, [])})).finish()
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= seen[0]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
