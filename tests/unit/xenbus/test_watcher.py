from __future__ import annotations

from xenbus.client import Store
from xenbus.watcher import Watcher


def drain(watcher: Watcher) -> None:
    watcher.store.read_or_none("/")  # its answer comes behind all events of earlier changes
    watcher.step()


def test_each_event_goes_to_who_asked(store: Store) -> None:
    watcher, seen = Watcher(store), {"a": [], "b": []}  # type: ignore[var-annotated]
    for name, paths in seen.items():
        watcher.watch(f"data/{name}", paths.append)
    drain(watcher)
    assert seen == {"a": ["data/a"], "b": ["data/b"]}
    store.write("data/a/x", "1")
    drain(watcher)
    assert seen == {"a": ["data/a", "data/a/x"], "b": ["data/b"]}
    assert not watcher.step()


def test_a_watch_that_has_ended_calls_nobody(store: Store) -> None:
    watcher, seen = Watcher(store), []  # type: ignore[var-annotated]
    token = watcher.watch("data", seen.append)
    watcher.unwatch(token)
    store.write("data/x", "1")
    drain(watcher)
    assert seen == []


def test_a_watch_that_the_server_has_dropped_can_be_ended(store: Store) -> None:
    watcher = Watcher(store)
    token = watcher.watch("data", lambda _path: None)
    store.unwatch("data", token)
    watcher.unwatch(token)


def test_it_says_whether_events_wait(store: Store) -> None:
    watcher = Watcher(store)
    watcher.watch("data", lambda _path: None)
    store.read_or_none("/")
    assert watcher.has_events()
    watcher.step()
    assert not watcher.has_events()
