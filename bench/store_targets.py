"""The store's server beside the real daemons: a creation, a read, many requests, many guests at once, a full store."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.oxenstored import oxenstored
from bench.store_client import build
from bench.store_parallel import starts_and_stops
from bench.store_server import ours, pipelined, serving
from bench.targets import Target, ratio
from bench.toolstack import Creation
from tests.support.realstore import RealStore, library_path
from xenbus.client import Store, connect
from xenbus.link import Link
from xenbus.perm import Perm
from xenbus.request import Read, Request, SetPerms, Watch, Write
from xenbus.server.engine import Engine
from xenbus.server.port import EnginePort

ROUNDS, CREATIONS = 31, 4
PARALLEL, PARALLEL_ROUNDS = 300, 5
GUESTS, NODES, WATCHES = 1000, 60, 5
CROWD_ROUNDS = 60
CREATE, READ, RATE, START, CROWD = 0.25, 1.15, 0.5, 0.5, 1.5


def beside_xenstored(folder: Path) -> Iterator[Target]:
    """The C daemon and ours, by the same clients over sockets; a creation also on the engine in this process."""
    binary, creation = build(folder), Creation()
    with RealStore(folder) as real, ours(folder / "ours") as path, connect(path) as there:
        real.create(5)
        here = Store(Link(EnginePort(Engine().connect(0))))
        measures: list[Callable[[], float]] = [
            lambda: _replayed(creation, here),
            lambda: _replayed(creation, there),
            lambda: _libxenstore(binary, real.socket, "create", CREATIONS),
        ]
        for address in (path, real.socket):
            measures.append(lambda address=address: _libxenstore(binary, address, "read", 500))  # type: ignore[misc]
            for request in (Read("/bench/node"), Write("/bench/node", b"some value")):
                sent = pipelined(request)
                measures.append(lambda sent=sent, address=address: sent(address) / 1e6)  # type: ignore[misc]
        rounds = [[measure() for measure in measures] for _ in range(ROUNDS)]
    in_process, socket, libxenstore, read, reads, writes, *theirs = map(list, zip(*rounds, strict=True))
    what = f"store's part of a create ({creation.count} requests) / libxenstore's on xenstored (191)"
    yield ratio(f"{what}, in process", in_process, libxenstore, CREATE)
    yield ratio(f"{what}, over a socket", socket, libxenstore, CREATE)
    yield ratio("a read that is waited for / xenstored's", read, theirs[0], READ, "us")
    yield ratio("one of 2,000 reads sent at once / xenstored's", reads, theirs[1], RATE, "us")
    yield ratio("one of 2,000 writes sent at once / xenstored's", writes, theirs[2], RATE, "us")


def _replayed(creation: Creation, store: Store) -> float:
    """Seconds of a creation, the mean of as many as the other client makes in a round."""
    seconds = 0.0
    for _ in range(CREATIONS):
        start = time.perf_counter()
        creation.replay(store)
        seconds += time.perf_counter() - start
        creation.undo(store)
    return seconds / CREATIONS


def _libxenstore(binary: Path, address: str, what: str, count: int) -> float:
    argv, environment = [binary, address, what, str(count)], {"LD_LIBRARY_PATH": library_path()}
    return float(subprocess.run(argv, env=environment, check=True, capture_output=True).stdout) / 1e6


def beside_oxenstored(folder: Path) -> Iterator[Target]:
    """Many guests that start and stop at once, on oxenstored and on ours, which both are warm."""
    with oxenstored(folder / "oxenstored") as theirs, ours(folder / "ours") as path:
        rounds = [
            (starts_and_stops(path, PARALLEL), starts_and_stops(theirs, PARALLEL)) for _ in range(PARALLEL_ROUNDS + 1)
        ][1:]
    seconds = [[one[0] for one in column] for column in zip(*rounds, strict=True)]
    retries = sum(one[1] for one, _ in rounds)
    yield ratio(f"{PARALLEL} starts and stops at once / oxenstored's", *seconds, START, "s")
    yield Target("their retries", str(retries), "0", not retries)


def among_many(folder: Path) -> Iterator[Target]:
    """The server's own time for a creation, with many guests and watches and without any."""
    creation = Creation()
    with (
        serving(folder / "empty") as first,
        serving(folder / "full") as second,
        connect(str(folder / "empty")) as empty,
        connect(str(folder / "full")) as full,
        connect(str(folder / "full")) as watcher,
    ):
        _fill(full, watcher)
        rounds = [(_cpu(creation, full, second), _cpu(creation, empty, first)) for _ in range(CROWD_ROUNDS)]
    ours_full, ours_empty = map(list, zip(*rounds, strict=True))
    yield ratio(
        f"server CPU of a create among {GUESTS:,} guests, {GUESTS * WATCHES:,} watches / alone",
        ours_full,
        ours_empty,
        CROWD,
    )


def _fill(store: Store, watcher: Store) -> None:
    for number in range(1, GUESTS + 1):
        domid = 1000 + number
        home, back = f"/local/domain/{domid}", f"/local/domain/0/backend/vbd/{domid}/51712"
        requests: list[Request] = [Write(home), SetPerms(home, (Perm(0), Perm(domid, read=True)))]
        requests += [Write(f"{home}/group{node % 6}/node{node}", b"some value") for node in range(NODES)]
        requests += [Write(f"{back}/node{node}", b"some value") for node in range(NODES // 3)]
        store.batch_checked(requests)
        paths = (home, f"{home}/group0", f"{home}/group1/node1", back, f"{back}/state")
        watcher.batch_checked([Watch(path, f"token{number}") for path in paths[:WATCHES]])


def _cpu(creation: Creation, store: Store, pid: int) -> float:
    before = _used(pid)
    creation.replay(store)
    store.read("/")  # everything before is done
    used = _used(pid) - before
    creation.undo(store)
    return used


def _used(pid: int) -> float:
    """Seconds that a process of one thread has run (the kernel's sched-stats)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


PARTS: tuple[Callable[[Path], Iterator[Target]], ...] = (beside_xenstored, beside_oxenstored, among_many)
