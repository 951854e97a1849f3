"""Compares three clients of one store: libxenstore from C, xenbus, and pyxs; prints microseconds and ratios.

Then it lists a large tree beside ``xenstore-ls -f``.

Run it in the project's root: ``python -m bench.store_client``.

The store is Debian's C xenstored, run without Xen and without installing anything: the packages are unpacked in the
user's cache, and a shim (xenstored_shim.c) stands in for the hypervisor. It needs gcc, apt-get and dpkg on Debian
bookworm. Rounds of the clients alternate, because ratios matter more than this machine's mood.

A "create" is what a toolstack asks for one guest: 5 transactions of 18 writes and 18 permissions each, then one
removal; 191 requests.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyxs

from xenbus.client import Store, connect
from xenbus.perm import Perm
from xenbus.request import Remove, Request, SetPerms, Write
from xenbus.tree import walk

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xenvm" / "xen-4.17"
PACKAGES = (
    *("xen-utils-4.17", "libxenmisc4.17", "libxenevtchn1", "libxengnttab1", "libxencall1", "libxenforeignmemory1"),
    *("libxentoollog1", "libxendevicemodel1", "libxenstore4", "libxentoolcore1", "libxen-dev", "xenstore-utils"),
)
ROUNDS = 41
LISTINGS = 5
COUNTS = {"read": 500, "write": 500, "create": 4}
PERMS = (Perm(0), Perm(5, read=True))

Client = Callable[[str, str, int], float]


def unpacked() -> Path:
    """The folder that the packages are unpacked in."""
    root, debs = CACHE / "root", CACHE / "debs"
    if not all((root / name).exists() for name in ("usr/lib/xen-4.17/bin/xenstored", "usr/bin/xenstore-ls")):
        debs.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-q", "download", *PACKAGES], cwd=debs, check=True)
        for deb in debs.glob("*.deb"):
            subprocess.run(["dpkg", "-x", deb, root], check=True)
    return root


def library_path(root: Path) -> str:
    return ":".join(str(path.parent) for path in root.rglob("libxen*.so*"))


def build(root: Path, folder: Path) -> tuple[Path, Path]:
    """The shim and the C client."""
    shim, client = folder / "shim.so", folder / "client"
    include, libraries = f"-I{root}/usr/include", f"-L{root}/usr/lib/x86_64-linux-gnu"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", include, "-o", shim, HERE / "xenstored_shim.c"], check=True)
    linked = [libraries, "-Wl,--allow-shlib-undefined", "-lxenstore"]
    subprocess.run(["gcc", "-O2", include, "-o", client, HERE / "store_client.c", *linked], check=True)
    return shim, client


@contextmanager
def xenstored(root: Path, shim: Path, folder: Path) -> Iterator[str]:
    """The path of a running daemon's socket."""
    (folder / "xsd_port").write_text("1")
    (folder / "xsd_kva").write_bytes(bytes(4096))
    environment = {
        "LD_PRELOAD": str(shim),
        "LD_LIBRARY_PATH": library_path(root),
        "XENSTORED_SHIM": str(folder),
        "XENSTORED_RUNDIR": str(folder),
        "XENSTORED_ROOTDIR": str(folder),
    }
    binary = root / "usr/lib/xen-4.17/bin/xenstored"
    daemon = subprocess.Popen([binary, "-N", "-F", folder / "pid"], env=environment)
    try:
        while not (folder / "socket").exists() and daemon.poll() is None:
            time.sleep(0.01)
        yield str(folder / "socket")
    finally:
        daemon.kill()
        daemon.wait()


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
        row = ""
        for column in range(len(clients)):
            time_ = statistics.median(times[column] for times in rounds)
            ratio = statistics.median(times[column] / times[0] for times in rounds)
            row += f"{time_:12.1f} us {ratio:5.2f}x"
        print(f"{what:8}{row}")


def measure_listing(root: Path, path: str) -> None:
    """Prints how long a list of 10,000 nodes takes: whole processes, and in xenbus alone."""
    with connect(path) as store:
        store.remove("/bench")
        store.batch([Write(f"/bench/{number // 100}/{number % 100}", b"some value") for number in range(10_000)])
        environment = {**os.environ, "LD_LIBRARY_PATH": library_path(root), "XENSTORED_PATH": path}
        works: dict[str, Callable[[], object]] = {
            "xenstore-ls -f": lambda: listed([str(root / "usr/bin/xenstore-ls"), "-f", "/bench"], environment),
            "xenvm store ls -f": lambda: listed(
                [sys.executable, "-m", "xenvm", "store", "ls", "-f", "--socket", path, "/bench"], dict(os.environ)
            ),
            "xenbus.tree.walk": lambda: walk(store, "/bench"),
        }
        rounds = [[timed(1, work) for work in works.values()] for _round in range(LISTINGS)]
        for column, name in enumerate(works):
            time_ = statistics.median(times[column] for times in rounds)
            ratio = statistics.median(times[column] / times[0] for times in rounds)
            print(f"{name:20}{time_ / 1000:10.1f} ms {ratio:5.2f}x")


def listed(argv: list[str], environment: dict[str, str]) -> None:
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    root = unpacked()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shim, binary = build(root, folder)
        environment = {"LD_LIBRARY_PATH": library_path(root)}

        def libxenstore(path: str, what: str, count: int) -> float:
            argv = [binary, path, what, str(count)]
            return float(subprocess.run(argv, env=environment, check=True, capture_output=True).stdout)

        with xenstored(root, shim, folder) as path:
            measure({"libxenstore": libxenstore, "xenbus": xenbus_client, "pyxs": pyxs_client}, path)
            measure_listing(root, path)


if __name__ == "__main__":
    sys.exit(main())
