"""xenvm store serve as a process: Debian's own programs and pyxs work with it, and SIGKILL loses nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyxs

from tests.conformance.conftest import require_real
from tests.support import realstore
from xenbus.client import connect
from xenbus.errors import StoreClosed
from xenbus.request import Write

TOP = Path(__file__).resolve().parents[2]


START = """
import sys
from xenbus.server import journal
from xenvm.cli import main

journal.SMALL = 4096
main(sys.argv[1:])
"""
"""The command, with a journal that is written anew every now and then."""


class Daemon:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket, self.state = str(folder / "socket"), str(folder / "state")
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", START, "store", "serve", "--socket", self.socket, "--state", self.state]
        process = subprocess.Popen(argv, cwd=TOP, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        assert process.stderr.readline() == f"serving a store at {self.socket}\n"
        return process

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(10)
        assert self.process.stderr
        assert self.process.stderr.read() == ""
        self.process.stderr.close()
        return code

    def restart(self) -> None:
        self.process = self._start()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="xs") as folder:
        daemon = Daemon(Path(folder))
        yield daemon
        if daemon.process.poll() is None:
            daemon.end(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(daemon: Daemon, number: int) -> None:
    with connect(daemon.socket) as store:
        store.write("/a", b"x")
        assert daemon.end(number) == 0
        with pytest.raises(StoreClosed):
            store.read("/a")
    assert not os.path.exists(daemon.socket)
    daemon.restart()
    with connect(daemon.socket) as store:
        assert store.read("/a") == b"x"


def test_sigkill_loses_nothing(daemon: Daemon) -> None:
    """Pairs of nodes are written in transactions until the server dies at some moment; again and again."""
    dice, done = random.Random(7), 0
    for _life in range(6):
        killer = threading.Timer(dice.uniform(0.02, 0.2), daemon.process.kill)
        done = acknowledged(daemon, done, killer)
        killer.join()
        daemon.end(signal.SIGKILL)
        daemon.restart()
        with connect(daemon.socket) as store:
            one, two = int(store.read("/pair/one")), int(store.read("/pair/two"))
            assert one == two, "half a transaction"
            assert done <= one <= done + 1, "an acknowledged commit is lost"
            assert store.list("/log") == tuple(f"n{number}" for number in range(1, one + 1))
            done = one


def acknowledged(daemon: Daemon, done: int, killer: threading.Timer) -> int:
    """The number of the last commit that the server acknowledged; the killer starts with the first one."""
    before = done
    with connect(daemon.socket) as store:
        try:
            while True:
                number = done + 1
                text = b"%d" % number
                store.transact([Write("/pair/one", text), Write("/pair/two", text), Write(f"/log/n{number}", text)])
                done = number
                if done == before + 1:
                    killer.start()
        except StoreClosed:
            return done


def test_two_servers_do_not_share_a_state(daemon: Daemon) -> None:
    argv = [sys.executable, "-m", "xenvm", "store", "serve", "--socket", daemon.socket + "2", "--state", daemon.state]
    second = subprocess.run(argv, cwd=TOP, capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stderr == f"xenvm: the state {daemon.state} is in use by another server\n"


def test_pyxs(daemon: Daemon) -> None:
    with pyxs.Client(unix_socket_path=daemon.socket) as client:
        client.write(b"/a/b", b"x")
        assert client.read(b"/a/b") == b"x"
        client.transaction()
        client.set_perms(b"/a/b", [b"n0", b"r5"])
        assert client.commit()
        assert client.get_perms(b"/a/b") == [b"n0", b"r5"]
        assert client.list(b"/a") == [b"b"]
        with client.monitor() as monitor:
            monitor.watch(b"/a", b"token")
            assert next(monitor.wait()) == (b"/a", b"token")
        client.delete(b"/a")
        assert not client.exists(b"/a/b")


def program(daemon: Daemon, path: Path, *words: str) -> str:
    require_real()
    environment = {"LD_LIBRARY_PATH": realstore.library_path(), "XENSTORED_PATH": daemon.socket}
    done = subprocess.run([path, *words], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_debian_s_programs(daemon: Daemon) -> None:
    def tool(name: str, *words: str) -> str:
        return program(daemon, realstore.ROOT / "usr/bin" / f"xenstore-{name}", *words)

    tool("write", "/a/b", "one", "/a/c", "two")
    assert tool("read", "/a/b", "/a/c") == "one\ntwo\n"
    assert tool("list", "/a") == "b\nc\n"
    tool("chmod", "-r", "/a", "n0", "r5")
    listed = tool("ls", "-fp", "/a")
    assert [line.split()[0] for line in listed.splitlines()] == ["/a/b", "/a/c"]
    assert all(line.endswith("(n0,r5)") for line in listed.splitlines())
    tool("exists", "/a/b")
    assert tool("watch", "-n", "1", "/a") == "/a\n"
    tool("rm", "/a")
    assert tool("list", "/") == "tool\n"


def test_a_long_list_with_debian_s_program(daemon: Daemon) -> None:
    names = [f"node-{number:04}" for number in range(1000)]
    with connect(daemon.socket) as store:
        store.batch([Write(f"/top/{name}", b"") for name in names])
    listed = program(daemon, realstore.ROOT / "usr/bin/xenstore-list", "/top")
    assert listed.split() == names


def test_test_xenstore(daemon: Daemon) -> None:
    """The suite that Xen brings along: twelve tests."""
    told = program(daemon, realstore.PROGRAMS / "test-xenstore", "-i", "100")
    assert told.count(" avg: ") == 12, told


def test_test_xenstore_at_random(daemon: Daemon) -> None:
    program(daemon, realstore.PROGRAMS / "test-xenstore", "-r", "1")
