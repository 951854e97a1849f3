"""SIGKILL at any moment, under several writers: nothing acknowledged is lost, nothing is half there, watches come back.

Each writer commits pairs of nodes in transactions and connects again when the server is gone; a watcher is told to look
again after each restart. XENVM_KILLS says how often the server is killed; ``make conformance`` does it 200 times.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.conformance.test_daemon import Daemon, daemon  # noqa: F401
from xenbus.client import Store, connect
from xenbus.errors import NoStore, StoreClosed, StoreError
from xenbus.rearm import LastingWatches
from xenbus.request import Write
from xenbus.transaction import Transaction

KILLS = int(os.environ.get("XENVM_KILLS", "5"))
WRITERS = 8
PATIENCE = 30.0


class Writer:
    """Counts in two nodes of its own, in a transaction that also reads what the others share."""

    def __init__(self, socket: str, number: int) -> None:
        self.socket, self.home = socket, f"/writers/{number}"
        self.acknowledged = self.tried = 0
        self.stop = False
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self.stop:
                try:
                    with connect(self.socket) as store:
                        self._write(store)
                except (NoStore, StoreClosed):
                    time.sleep(0.005)  # until the next server
        except BaseException as error:
            self.failure = error

    def _write(self, store: Store) -> None:
        while not self.stop:
            self.tried = self.acknowledged + 1
            store.retry(self._pair)
            self.acknowledged = self.tried

    def _pair(self, tx: Transaction) -> None:
        text = b"%d" % self.tried
        tx.batch([Write(f"{self.home}/one", text), Write(f"{self.home}/two", text)])


@pytest.fixture
def writers(daemon: Daemon) -> Iterator[list[Writer]]:  # noqa: F811
    made = [Writer(daemon.socket, number) for number in range(WRITERS)]
    yield made
    for writer in made:
        writer.stop = True
    for writer in made:
        writer.thread.join(PATIENCE)
        assert writer.failure is None


# pyxs leaves a socket that could not be connected to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.timeout(600)
def test_eight_writers_and_a_server_that_is_killed(daemon: Daemon, writers: list[Writer]) -> None:  # noqa: F811
    dice = random.Random(11)
    for number in range(KILLS):
        before = [writer.acknowledged for writer in writers]
        deadline = time.monotonic() + PATIENCE
        while sum(writer.acknowledged for writer in writers) < sum(before) + 20:
            assert time.monotonic() < deadline and not any(writer.failure for writer in writers)
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.05))
        daemon.end(signal.SIGKILL)
        _look(daemon.state, [(writer.home, writer.acknowledged) for writer in writers], number)
        daemon.restart()


def _look(state: str, known: list[tuple[str, int]], number: int) -> None:
    """Reads what was left as the next server will, before any writer comes."""
    from xenbus.server.engine import Engine
    from xenbus.server.journal import Journal

    engine = Engine()
    journal = Journal(state, engine)
    try:
        journal.load()
    finally:
        journal.close()
    values = {path.decode(): value for path, value, _perms in engine.records()}
    for home, acknowledged in known:
        one, two = (int(values.get(f"{home}/{name}", b"0")) for name in ("one", "two"))
        assert one == two, f"half a transaction of {home} after kill {number}"
        assert one >= acknowledged, f"an acknowledged commit of {home} is lost by kill {number}"


def test_watches_are_armed_again_and_fire_once(daemon: Daemon) -> None:  # noqa: F811
    with connect(daemon.socket) as store:
        store.write("/a", b"0")
    with LastingWatches(lambda: connect(daemon.socket), [("/a", "t")]) as watches:
        assert watches.next_event(time.monotonic() + PATIENCE) == ("/a", "t")
        for life in range(3):
            daemon.end(signal.SIGKILL)
            daemon.restart()
            assert watches.next_event(time.monotonic() + PATIENCE) == ("/a", "t"), "look again"
            assert watches.next_event(time.monotonic() + 0.05) is None, "once"
            assert watches.store.read("/a") == b"%d" % life
            watches.store.write("/a", b"%d" % (life + 1))
            assert watches.next_event(time.monotonic() + PATIENCE) == ("/a", "t")


def test_transactions_on_different_nodes_do_not_conflict(daemon: Daemon) -> None:  # noqa: F811
    stores = [connect(daemon.socket) for _ in range(10)]
    stores[0].write("/shared", b"")
    opened = [store.transaction() for store in stores]
    for number, tx in enumerate(opened):
        tx.write(f"/shared/{number}/state", b"1")
    for tx in opened:
        tx.commit()
    assert len(stores[0].list("/shared")) == 10
    one, two = stores[0].transaction(), stores[1].transaction()
    for tx in (one, two):
        tx.read("/shared/1/state")
        tx.write("/shared/1/state", b"2")
    one.commit()
    with pytest.raises(StoreError, match="EAGAIN"):
        two.commit()
    for store in stores:
        store.close()
