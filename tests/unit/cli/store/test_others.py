"""A watch on a simulated host lets other commands have it, and tells what they have changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xenbus.perm import parse_perms
from xenbus.tree import Node
from xenvm.cli.store.others import Look, changed
from xenvm.host.sim.host import SimHost, open_world

TOP = Path(__file__).resolve().parents[4]


@contextmanager
def watching(world: Path, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A watch in a process of its own, which has printed its first line."""
    argv = [sys.executable, "-m", "xenvm", "store", "watch", *words]
    others = {**os.environ, "XENVM_HOST": f"sim:{world}", **environment}
    with subprocess.Popen(argv, cwd=TOP, env=others, stdout=-1, stderr=-1, text=True) as watch:
        try:
            assert watch.stdout is not None and watch.stdout.readline()
            yield watch
        finally:
            watch.kill()


def once_more(world: Path) -> SimHost:
    """The host, as soon as it is let go."""
    return open_world(str(world))


def test_changes_of_others(tmp_path: Path) -> None:
    with once_more(tmp_path) as host:
        host.store.write("/mine/a/deep", "1")
        host.store.write("/mine/b", "1")
    with watching(tmp_path, "-v", "-n", "6", "/mine") as watch:
        assert watch.stdout is not None
        with once_more(tmp_path) as host:
            host.store.write("/mine/c", "2")
            host.store.write("/other", "2")
            host.store.remove("/mine/a")
        # Read before the next change: what comes between two looks of the watch is told as one.
        assert [watch.stdout.readline() for _line in range(2)] == ["/mine/a  (none)\n", '/mine/c = "2"\n']
        with once_more(tmp_path) as host:
            host.store.write("/yours", "3")
        with once_more(tmp_path) as host:
            host.store.write("/mine/b", "3")
            host.store.set_perms("/mine/c", parse_perms("b0"))
        assert [watch.stdout.readline() for _line in range(2)] == ['/mine/b = "3"\n', '/mine/c = "2"\n']
        with once_more(tmp_path) as host:
            host.store.remove("/mine")
        assert watch.stdout.readlines() == ["/mine  (none)\n"]
        assert watch.wait(20) == 0
    assert not list(tmp_path.glob("bell-*"))


def test_an_interrupt_does_not_ask_for_the_host_again(tmp_path: Path) -> None:
    with watching(tmp_path, "/") as watch, once_more(tmp_path):
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 130, "it did not wait for us"
        assert watch.stderr is not None and watch.stderr.read() == ""


def test_one_that_was_killed_leaves_nothing_for_long(tmp_path: Path) -> None:
    with watching(tmp_path, "/") as watch, once_more(tmp_path) as host:
        assert len(list(tmp_path.glob("bell-*"))) == 1
        watch.kill()
        watch.wait()
        host.store.write("/mine", "1")
    assert not list(tmp_path.glob("bell-*"))


def test_a_recorded_host_is_not_let_go(tmp_path: Path) -> None:
    with watching(tmp_path / "world", "/", XENVM_RECORD=str(tmp_path / "tape")) as watch:
        assert watch.stderr is not None
        assert "nothing more will ever happen on this simulated host, and no other" in watch.stderr.read()
        assert watch.wait(20) == 1


SMALL = {"/a": Node(b""), "/a/b": Node(b"1"), "/a/b/c": Node(b"")}


@pytest.mark.parametrize(
    "before, after, expected",
    [
        (Look(SMALL, frozenset()), Look(SMALL, frozenset()), []),
        (Look(SMALL, frozenset()), Look({"/a": Node(b"")}, frozenset()), ["/a/b"]),
        (Look({}, frozenset()), Look(SMALL, frozenset()), ["/a", "/a/b", "/a/b/c"]),
        (Look({}, frozenset()), Look({}, frozenset({(1, False)})), ["@introduceDomain"]),
        (Look({}, frozenset({(1, False)})), Look({}, frozenset({(1, True)})), ["@releaseDomain"]),
        (Look({}, frozenset({(1, False)})), Look({}, frozenset({(2, False)})), ["@introduceDomain", "@releaseDomain"]),
    ],
)
def test_what_a_server_would_have_told(before: Look, after: Look, expected: list[str]) -> None:
    assert changed(before, after, ["/a", "@introduceDomain", "@releaseDomain"]) == expected
    assert changed(before, after, ["/a"]) == [path for path in expected if path.startswith("/")]
