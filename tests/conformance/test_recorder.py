"""A recorder beside the real daemon, which tells of a transaction's nodes one after another while others go on."""

from __future__ import annotations

import io
import random
import tempfile
import threading
from pathlib import Path

from tests.support.realstore import RealStore
from xenbus.client import connect
from xenbus.recorder import Recorder
from xenbus.recording import WATCHES, Event, Header, Writer, load
from xenbus.request import Write

NAMES = ("state", *(f"n{number}" for number in range(12)))
TRANSACTIONS = 800


def test_no_state_is_ahead_of_its_transaction(shim: Path) -> None:
    # Not pytest's folder: addresses of sockets have to be short.
    with tempfile.TemporaryDirectory(prefix="xs") as folder, RealStore(Path(folder), shim) as real:
        lines = recorded(real.socket)
    known: dict[str, int] = {}
    for event in lines:
        name = event.path.removeprefix("/a/d/")
        if event.value and name in NAMES:
            known[name] = int(event.value)
        if event.op != "have":
            assert min(known.get(each, 0) for each in NAMES) >= known.get("state", 0), event
    assert set(known.values()) == {TRANSACTIONS}
    assert sum(event.path.endswith("/state") for event in lines) > 5


def recorded(socket: str) -> tuple[Event, ...]:
    """What a recorder tells of somebody who numbers all nodes of a device anew in each transaction, in any order."""
    chance = random.Random(1)

    def write() -> None:
        with connect(socket) as store:
            for number in range(1, TRANSACTIONS + 1):
                some = chance.sample(NAMES, len(NAMES))
                store.transact([Write(f"/a/d/{name}", str(number)) for name in some])
            store.write("/a/end", "")

    text = io.StringIO()
    writing = threading.Thread(target=write)
    with connect(socket) as store:
        recorder = Recorder(store, Writer(text, Header(WATCHES, 0.0)))
        writing.start()
        recorder.follow(["/a"])
        recorder.run(store.clock() + 60, lambda burst: "/a/end" in burst)
        writing.join()
    return load(io.StringIO(text.getvalue())).events
