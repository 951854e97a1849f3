"""Watches that are registered again when the server comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from tests.support.fakestore import FakeStore
from xenbus import rearm
from xenbus.client import Store, connect
from xenbus.errors import NoStore, StoreError
from xenbus.rearm import LastingWatches


def opener(folder: Path) -> Callable[[], Store]:
    return lambda: connect(str(folder / "xenstore"))


def test_events_as_ever(tmp_path: Path) -> None:
    with FakeStore(tmp_path) as server, LastingWatches(opener(tmp_path), [("/a", "x"), ("/b", "y")]) as watches:
        assert [watches.next_event(), watches.next_event()] == [("/a", "x"), ("/b", "y")]
        server.put("/b/c", b"")
        assert watches.next_event() == ("/b/c", "y")
        assert watches.next_event(0) is None


def test_a_new_server_gets_the_watches(tmp_path: Path) -> None:
    with FakeStore(tmp_path):
        watches = LastingWatches(opener(tmp_path), [("/a", "x")])
        assert watches.next_event() == ("/a", "x")
    with FakeStore(tmp_path) as server, watches:
        assert watches.next_event() == ("/a", "x"), "read again"
        server.put("/a", b"new")
        assert watches.next_event() == ("/a", "x")
        assert watches.store.read("/a") == b"new"


def test_a_lost_connection_is_made_again(tmp_path: Path) -> None:
    with FakeStore(tmp_path) as server, LastingWatches(opener(tmp_path), [("/a", "x")]) as watches:
        watches.next_event()
        server.disconnect()
        assert watches.next_event() == ("/a", "x")


def test_the_deadline_holds_while_there_is_no_server(tmp_path: Path) -> None:
    with FakeStore(tmp_path):
        watches = LastingWatches(opener(tmp_path), [("/a", "x")])
        watches.next_event()
    assert watches.next_event(0) is None
    assert watches.next_event(monotonic() + 0.05) is None
    with FakeStore(tmp_path):
        assert watches.next_event() == ("/a", "x")
        watches.close()


def test_it_waits_for_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeStore(tmp_path):
        watches = LastingWatches(opener(tmp_path), [("/a", "x")])
        watches.next_event()
    started: list[FakeStore] = []
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            started.append(FakeStore(tmp_path))

    monkeypatch.setattr(rearm, "sleep", pause)
    assert watches.next_event() == ("/a", "x")
    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0]
    watches.close()
    started[0].close()


def test_the_first_connection_must_work(tmp_path: Path) -> None:
    with pytest.raises(NoStore):
        LastingWatches(opener(tmp_path), [("/a", "x")])


def test_a_refused_watch_is_told(tmp_path: Path) -> None:
    with FakeStore(tmp_path), pytest.raises(StoreError, match="EEXIST"):
        LastingWatches(opener(tmp_path), [("/a", "x"), ("/a", "x")])
