"""Compares three clients of one store: libxenstore from C, xenbus, and pyxs; prints microseconds and ratios.

Then it lists a large tree beside ``xenstore-ls -f``.

Run it in the project's root: ``python -m bench.store_client``.

The store is Debian's C xenstored, run without Xen and without installing anything: the packages are unpacked in the
user's cache, and a shim stands in for the hypervisor (tests/support/realstore.py). It needs gcc, apt-get and dpkg
on Debian bookworm. Rounds alternate between the clients, because ratios matter more than this machine's mood.

A "create" is what a toolstack asks for one guest: 5 transactions of 18 writes and 18 permissions each, then one
removal; 191 requests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyxs

from bench.ratios import columns
from tests.support.realstore import ROOT, RealStore, fetch, library_path
from xenbus.client import Store, connect
from xenbus.perm import Perm
from xenbus.request import Remove, Request, SetPerms, Write
from xenbus.tree import walk

HERE = Path(__file__).resolve().parent
ROUNDS = 41
LISTINGS = 5
LISTED = 10_000
COUNTS = {"read": 500, "write": 500, "create": 4}
PERMS = (Perm(0), Perm(5, read=True))

Client = Callable[[str, str, int], float]


def build(folder: Path) -> Path:
    """The C client."""
    client = folder / "client"
    linked = [f"-L{ROOT}/usr/lib/x86_64-linux-gnu", "-Wl,--allow-shlib-undefined", "-lxenstore"]
    argv = ["gcc", "-O2", f"-I{ROOT}/usr/include", "-o", client, HERE / "store_client.c", *linked]
    subprocess.run(argv, check=True)
    return client


def paths(group: int) -> list[str]:
    return [f"/local/domain/5/device/group{group}/0/node{node}" for node in range(18)]


def timed(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) * 1e6 / count


def xenbus_client(path: str, what: str, count: int) -> float:
    with connect(path) as store:
        store.write("/bench/node", b"some value")
        works = {
            "read": lambda: store.read("/bench/node"),
            "write": lambda: store.write("/bench/node", b"some value"),
            "create": lambda: xenbus_create(store),
        }
        return timed(count, works[what])


def xenbus_create(store: Store) -> None:
    for group in range(5):
        body: list[Request] = []
        for path in paths(group):
            body += (Write(path, b"some value"), SetPerms(path, PERMS))
        store.transact(body, checked=False, then=[Remove("/local/domain/5")] if group == 4 else ())


def pyxs_client(path: str, what: str, count: int) -> float:
    with pyxs.Client(unix_socket_path=path) as client:
        works = {
            "read": lambda: client.read(b"/bench/node"),
            "write": lambda: client.write(b"/bench/node", b"some value"),
            "create": lambda: pyxs_create(client),
        }
        return timed(count, works[what])


def pyxs_create(client: pyxs.Client) -> None:
    for group in range(5):
        client.transaction()
        for path in paths(group):
            client.write(path.encode(), b"some value")
            client.set_perms(path.encode(), [b"n0", b"r5"])
        assert client.commit()
    client.delete(b"/local/domain/5")


def measure(clients: dict[str, Client], path: str) -> None:
    """Prints medians of the times, and of the ratios to the first client in the same round."""
    print(f"{'':8}" + "".join(f"{name:>22}" for name in clients))
    for what, count in COUNTS.items():
        rounds = [[client(path, what, count) for client in clients.values()] for _round in range(ROUNDS)]
        row = "".join(f"{time_:12.1f} us {ratio:5.2f}x" for time_, ratio in columns(rounds))
        print(f"{what:8}{row}")


def measure_listing(path: str) -> None:
    """Prints how long a long list takes: whole processes, and in xenbus alone."""
    with connect(path) as store:
        works = listings(store, path)
        rounds = [[timed(1, work) for work in works.values()] for _round in range(LISTINGS)]
        for name, (time_, ratio) in zip(works, columns(rounds), strict=True):
            print(f"{name:20}{time_ / 1000:10.1f} ms {ratio:5.2f}x")


def listings(store: Store, path: str) -> dict[str, Callable[[], object]]:
    """Makes LISTED nodes; what lists them, the tool that others are compared with first."""
    store.remove("/bench")
    store.batch([Write(f"/bench/{number // 100}/{number % 100}", b"some value") for number in range(LISTED)])
    environment = {**os.environ, "LD_LIBRARY_PATH": library_path(), "XENSTORED_PATH": path}
    ours = [sys.executable, "-m", "xenvm", "store", "ls", "-f", "--socket", path, "/bench"]
    return {
        "xenstore-ls -f": lambda: listed([str(ROOT / "usr/bin/xenstore-ls"), "-f", "/bench"], environment),
        "xenvm store ls -f": lambda: listed(ours, dict(os.environ)),
        "xenbus.tree.walk": lambda: walk(store, "/bench"),
    }


def listed(argv: list[str], environment: dict[str, str]) -> None:
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    fetch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binary = build(folder)
        environment = {"LD_LIBRARY_PATH": library_path()}

        def libxenstore(path: str, what: str, count: int) -> float:
            argv = [binary, path, what, str(count)]
            return float(subprocess.run(argv, env=environment, check=True, capture_output=True).stdout)

        with RealStore(folder) as store:
            store.create(5)  # the daemon refuses permissions for a domain that does not exist
            clients = {"libxenstore": libxenstore, "xenbus": xenbus_client, "pyxs": pyxs_client}
            measure(clients, store.socket)
            measure_listing(store.socket)


if __name__ == "__main__":
    sys.exit(main())
