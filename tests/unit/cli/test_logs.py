"""xenvm logs: of guests that run and of those that are gone, whatever they have said."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakehost import FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import logs, run
from xenvm.host.plumbing import consolelog


@pytest.fixture
def log(world: FakeHost) -> Path:
    (world.folder / "console").mkdir()
    return world.folder / "console/guest-g.log"


def test_the_last_one_and_the_one_before(world: FakeHost, xenvm: Xenvm, log: Path) -> None:
    """Kept after death."""
    assert xenvm("logs", "g")[0] == run.DEVICE
    consolelog.begin("g")
    log.write_bytes(b"first\r\n")
    consolelog.begin("g")
    log.write_bytes(b"first\r\nsecond\r\n")
    assert xenvm("logs", "g") == (0, "second\n", "")
    assert xenvm("logs", "--previous", "g") == (0, "first\n", "")
    assert xenvm("logs", "-a", "g") == (0, "first\nsecond\n", "")


def test_by_the_name_it_was_created_with(world: FakeHost, xenvm: Xenvm, log: Path) -> None:
    world.create()
    log.write_bytes(b"hello\n")
    assert xenvm("rename", "g", "h")[0] == 0
    assert xenvm("logs", "h") == xenvm("logs", "1") == (0, "hello\n", "")


HOSTILE = b"\x1b]0;title\x07\x1b[2J\x9b31m \xc2\x9b \x00\x7f\b \xe2\x80\xae \xe2\x81\xa6 \xff caf\xc3\xa9\ttab\r\n"
HARMLESS = "\\x1b]0;title\\x07\\x1b[2J\\x9b31m \\x9b \\x00\\x7f\\x08 \\u202e \\u2066 \\xff café\ttab\n"


def test_a_terminal_is_spared(world: FakeHost, xenvm: Xenvm, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(HOSTILE)
    assert xenvm("logs", "g")[1] == HARMLESS
    monkeypatch.setattr(logs, "_CHUNK", 1)
    assert xenvm("logs", "g")[1] == HARMLESS, "wherever it is cut"


def test_bytes_as_they_are(world: FakeHost, log: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log.write_bytes(HOSTILE)
    assert logs.logs("g", False, False, False, True) == 0
    assert capfdbinary.readouterr().out == HOSTILE


def test_what_excludes_each_other(world: FakeHost, xenvm: Xenvm, log: Path) -> None:
    assert xenvm("logs", "-f", "-p", "g")[0] == run.USAGE


def test_following(world: FakeHost, xenvm: Xenvm, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with what comes, with a log that was emptied, and with a fresh one in its place."""
    log.write_bytes(b"one\n")

    def replace() -> None:
        os.rename(log, log.with_suffix(".old"))
        log.write_bytes(b"four, longer than all\n")

    def interrupt() -> None:
        raise KeyboardInterrupt

    steps: list[Callable[[], object]] = [
        lambda: log.write_bytes(b"one\ntwo\n"),
        lambda: log.write_bytes(b"3\n"),
        lambda: None,
        replace,
        lambda: log.unlink(),
        interrupt,
    ]
    monkeypatch.setattr(time, "sleep", lambda seconds: steps.pop(0)())
    code, out, _ = xenvm("logs", "-f", "g")
    assert (code, out) == (run.INTERRUPTED, "one\ntwo\n3\nfour, longer than all\n")
