"""The store's shell at work: listings beside ``xenstore-ls -f``, and following a store that changes all the time.

Run it in the project's root: ``python -m bench.store_shell [EVENTS-A-SECOND [SECONDS]]``, which only follows;
bench.simulated has both as rows of its table. The store is Debian's C xenstored, as in bench.store_client. Each change
is of another node: the daemon merges equal events that nobody has taken yet.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.store_client import LISTED, listings, timed
from bench.targets import Target, ratio
from tests.support.realstore import RealStore, fetch
from xenbus.client import Store, connect
from xenbus.request import Write

TOP = "/bench/follow"
_BURSTS = 20
"""Writes come in so many bursts a second, as guests' do."""


def follow(socket: str, rate: int, seconds: int) -> tuple[int, int, float]:
    """(events sent, different nodes seen with their values, seconds from the last write to the last line)."""
    count = rate * seconds
    options = ["-v", "-n", str(count + 1), "--socket", socket, TOP]
    argv = [sys.executable, "-m", "xenvm", "store", "watch", *options]
    with connect(socket) as store:
        store.mkdir(TOP)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            watching.stdout.readline()  # the event that comes at once: it follows from here on
            # Lost events must end the run, not hang it.
            alarm = threading.Timer(seconds + 60, watching.terminate)
            alarm.start()
            times: list[float] = []
            writer = threading.Thread(target=write, args=(store, rate, seconds, times))
            writer.start()
            seen = {line.rstrip("\n") for line in watching.stdout}
            late = time.perf_counter()
            writer.join()
            alarm.cancel()
    wanted = {f'{TOP}/{number} = "value {number}"' for number in range(count)}
    return count, len(wanted & seen), late - times[-1]


def write(store: Store, rate: int, seconds: int, times: list[float]) -> None:
    """So many nodes a second, each written once."""
    start, size = time.perf_counter(), rate // _BURSTS
    for burst in range(seconds * _BURSTS):
        time.sleep(max(0.0, start + burst / _BURSTS - time.perf_counter()))
        some = range(burst * size, (burst + 1) * size)
        store.batch_checked([Write(f"{TOP}/{number}", f"value {number}") for number in some])
    times.append(time.perf_counter())


LISTINGS, LISTING = 9, 1.5
RATE, SECONDS = 1000, 10


def shell_beside_tools(folder: Path) -> Iterator[Target]:
    """A long listing beside xenstore-ls, each a whole process; and whether following loses anything."""
    with RealStore(folder) as real, connect(real.socket) as store:
        theirs, ours, _walk = listings(store, real.socket).values()
        rounds = [(timed(1, ours) / 1e6, timed(1, theirs) / 1e6) for _round in range(LISTINGS)]
        first, second = map(list, zip(*rounds, strict=True))
        yield ratio(f"xenvm store ls -f of {LISTED:,} nodes / xenstore-ls -f", first, second, LISTING)
        sent, seen, _late = follow(real.socket, RATE, SECONDS)
    what = f"lost of {sent:,} events, {RATE:,} a second, by xenvm store watch"
    yield Target(what, str(sent - seen), "0", seen == sent)


PARTS: tuple[Callable[[Path], Iterator[Target]], ...] = (shell_beside_tools,)


def main(rate: str = "1000", seconds: str = "10") -> int:
    """Prints one line; 1 if an event was lost."""
    fetch()
    with tempfile.TemporaryDirectory() as name, RealStore(Path(name)) as store:
        sent, seen, late = follow(store.socket, int(rate), int(seconds))
    print(f"{rate} events a second: {sent} sent, {sent - seen} lost, the last shown after {late * 1000:.0f} ms")
    return int(seen != sent)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
