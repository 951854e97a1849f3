"""Compares servers of the store: the real C xenstored, ours, and ours with its journal; prints microseconds and ratios.

Run it in the project's root: ``python -m bench.store_server``. It needs what bench.store_client needs, whose "create"
it uses. "read" and "write" wait for each answer (libxenstore); "pipelined" are sent at once (xenbus), a request each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ratios import columns
from bench.store_client import build, xenbus_client
from tests.support.realstore import RealStore, fetch, library_path
from xenbus.client import connect
from xenbus.request import Read, Request, Write

ROUNDS = 21
PIPELINED = 2000

Measure = Callable[[str], float]


@contextmanager
def ours(path: Path, *options: str) -> Iterator[str]:
    """Our server in a process of its own; its socket's path."""
    with serving(path, *options):
        yield str(path)


@contextmanager
def serving(path: Path, *options: str) -> Iterator[int]:
    """The same; its process' id."""
    argv = [sys.executable, "-m", "xenvm", "store", "serve", "--socket", str(path), *options]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            server.stderr.readline()
            yield server.pid
        finally:
            server.terminate()


def pipelined(request: Request) -> Measure:
    def measure(path: str) -> float:
        with connect(path) as store:
            store.write("/bench/node", b"some value")
            start = time.perf_counter()
            store.batch([request] * PIPELINED)
            return (time.perf_counter() - start) * 1e6 / PIPELINED

    return measure


def compare(measures: dict[str, Measure], servers: dict[str, str]) -> None:
    """Prints medians of the times, and of the ratios to the first server in the same round."""
    print(f"{'':16}" + "".join(f"{name:>22}" for name in servers))
    for what, measure in measures.items():
        rounds = [[measure(path) for path in servers.values()] for _round in range(ROUNDS)]
        row = "".join(f"{time_:12.1f} us {ratio:5.2f}x" for time_, ratio in columns(rounds))
        print(f"{what:16}{row}")


def main() -> None:
    fetch()
    with tempfile.TemporaryDirectory(prefix="xs") as name:
        folder = Path(name)
        binary = build(folder)

        def libxenstore(what: str, count: int) -> Measure:
            def measure(path: str) -> float:
                argv = [binary, path, what, str(count)]
                environment = {"LD_LIBRARY_PATH": library_path()}
                return float(subprocess.run(argv, env=environment, check=True, capture_output=True).stdout)

            return measure

        measures = {
            "read": libxenstore("read", 500),
            "write": libxenstore("write", 500),
            "create": libxenstore("create", 4),
            "create by xenbus": lambda path: xenbus_client(path, "create", 4),
            "pipelined read": pipelined(Read("/bench/node")),
            "pipelined write": pipelined(Write("/bench/node", b"some value")),
        }
        state = "--state", str(folder / "state")
        with RealStore(folder) as real, ours(folder / "ours") as plain, ours(folder / "kept", *state) as kept:
            real.create(5)
            compare(measures, {"xenstored": real.socket, "ours": plain, "ours, with --state": kept})


if __name__ == "__main__":
    sys.exit(main())
