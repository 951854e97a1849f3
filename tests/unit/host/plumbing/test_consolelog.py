"""Console logs: where a guest's own part begins, and what is taken from a terminal."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenvm.errors import DeviceError
from xenvm.host.plumbing import console
from xenvm.host.plumbing.consolelog import Log, begin, capture, find, open_log
from xenvm.types import Domid


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(console, "LOCKS", str(tmp_path))
    (tmp_path / "console").mkdir()
    return tmp_path / "console"


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A console daemon's end of a terminal, and the path of the other."""
    daemon, client = os.openpty()
    tty.setraw(client)
    yield daemon, os.ttyname(client)
    os.close(daemon)
    os.close(client)


def test_lives_of_a_name(folder: Path) -> None:
    log = folder / "guest-g.log"
    assert find("g", str(folder)) is None
    begin("g", str(folder))
    log.write_text("first\n")
    assert find("g", str(folder)) == Log(str(log), 0, 0)
    begin("g", str(folder))
    assert find("g", str(folder)) == Log(str(log), 6, 0)
    log.write_text("first\nsecond\n")
    begin("g", str(folder))
    assert find("g", str(folder)) == Log(str(log), 13, 6)


def test_a_log_that_was_emptied(folder: Path) -> None:
    log = folder / "guest-g.log"
    log.write_text("long ago\n")
    begin("g", str(folder))
    log.write_text("new\n")
    assert find("g", str(folder)) == Log(str(log), 0, 0)


def test_marks_that_make_no_sense(folder: Path) -> None:
    (folder / "guest-g.log").write_text("text")
    (folder / "xenvm-g.marks").write_text("x y\n-1 2 3\n\xb2 9\n")
    assert find("g", str(folder)) == Log(str(folder / "guest-g.log"), 0, 0)


@pytest.mark.parametrize("name", ["", "../g", "a/b", "x" * 201])
def test_names_that_are_none(folder: Path, name: str) -> None:
    begin(name, str(folder))
    assert find(name, str(folder)) is None and not os.listdir(folder)


def test_without_a_folder_nothing_is_marked(tmp_path: Path) -> None:
    begin("g", str(tmp_path / "none"))
    assert find("g", str(tmp_path / "none")) is None


def test_what_nobody_has_read(folder: Path, terminal: tuple[int, str]) -> None:
    os.write(terminal[0], b"Kernel panic\n" * 50)
    capture(Domid(7), "g", terminal[1], 1.0, str(folder))
    assert (folder / "xenvm-g.log").read_bytes() == b"Kernel panic\n" * 50
    assert os.stat(folder / "xenvm-g.log").st_mode & 0o777 == 0o600
    log = find("g", str(folder))
    assert log is not None and log.path.endswith("xenvm-g.log")


def test_the_daemon_has_logged_it(folder: Path, terminal: tuple[int, str]) -> None:
    (folder / "guest-g.log").write_text("panic\n")
    os.write(terminal[0], b"panic\n")
    capture(Domid(7), "g", terminal[1], 1.0, str(folder))
    assert not (folder / "xenvm-g.log").exists()


def test_a_client_reads_it(folder: Path, terminal: tuple[int, str]) -> None:
    from xenvm.host.plumbing.locks import FileLock

    os.write(terminal[0], b"text\n")
    with FileLock(os.path.join(console.LOCKS, "xenconsole.7")):
        capture(Domid(7), "g", terminal[1], 1.0, str(folder))
    assert not (folder / "xenvm-g.log").exists()


@pytest.mark.parametrize("path", ["", "/etc/passwd", "/dev/null", "/dev/pts/no"])
def test_what_is_no_terminal(folder: Path, path: str) -> None:
    capture(Domid(7), "g", path, 1.0, str(folder))
    assert not os.listdir(folder)


def test_no_link_is_followed(folder: Path, tmp_path: Path, terminal: tuple[int, str]) -> None:
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path / "secret", folder / "guest-g.log")
    os.symlink(tmp_path / "victim", folder / "xenvm-h.log")
    with pytest.raises(DeviceError, match="the log cannot be read"):
        open_log(str(folder / "guest-g.log"))
    os.write(terminal[0], b"text\n")
    with pytest.raises(OSError):
        capture(Domid(7), "h", terminal[1], 1e12, str(folder))
    assert not (tmp_path / "victim").exists()


def test_a_log_that_is_no_file(folder: Path) -> None:
    os.mkfifo(folder / "guest-g.log")
    with pytest.raises(DeviceError, match="not a plain file"):
        open_log(str(folder / "guest-g.log"))
