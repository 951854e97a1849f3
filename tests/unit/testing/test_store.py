"""The fixture xenstore: a server on a socket."""

from __future__ import annotations

import os

import pytest
import pyxs

from xenbus.client import connect
from xenbus.errors import StoreClosed
from xenbus.rearm import LastingWatches
from xenvm.testing.store import StoreServer


def test_every_client_finds_it(xenstore: StoreServer) -> None:
    with connect() as store:
        store.write("/a/b", "x")
    assert xenstore.read("/a/b") == "x" and xenstore.read("/c") is None
    with pyxs.Client() as client:
        assert client.read(b"/a/b") == b"x"


def test_a_restart_keeps_the_nodes_and_ends_connections(xenstore: StoreServer) -> None:
    store = xenstore.connect()
    store.write("/a", "x")
    with LastingWatches(lambda: connect(xenstore.path), [("/a", "t")]) as watches:
        assert watches.next_event() == ("/a", "t")
        xenstore.restart()
        with pytest.raises(StoreClosed):
            store.read("/a")
        assert xenstore.read("/a") == "x"
        assert watches.next_event() == ("/a", "t"), "look again"


def test_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    server = StoreServer()
    folder = os.path.dirname(server.path)
    server.close()
    server.close()
    assert not os.path.exists(folder)
