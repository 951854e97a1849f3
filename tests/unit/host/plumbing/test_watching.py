"""Who watches which guest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xenvm.errors import HostError
from xenvm.host.plumbing.watching import Duty, forget, note, notes, on_duty


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "run")


def test_one_at_a_time(folder: str) -> None:
    assert not on_duty(7, folder)
    with Duty(7, folder):
        with pytest.raises(BlockingIOError, match="domain 7 is watched by another"):
            Duty(7, folder)
        assert on_duty(7, folder) and not on_duty(8, folder) and not on_duty(6, folder)
        Duty(8, folder).release()
    assert not on_duty(7, folder)
    Duty(7, folder).release()


def test_asking_takes_nothing(folder: str) -> None:
    Duty(1, folder).release()
    assert not on_duty(2, folder)
    with Duty(2, folder):
        pass


def test_it_ends_with_its_process(folder: str) -> None:
    ready, done = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        held = Duty(4, folder)
        os.write(ready[1], b"x")
        os.read(done[0], 1)
        os._exit(held._fd < 0)
    os.read(ready[0], 1)
    assert on_duty(4, folder)
    os.write(done[1], b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not on_duty(4, folder)
    for fd in (*ready, *done):
        os.close(fd)


def test_nobody_else_can_look_at_it(folder: str) -> None:
    with Duty(1, folder):
        note("u", "text", folder)
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert all(os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0 for name in os.listdir(folder))


def test_no_link_is_followed(folder: str, tmp_path: Path) -> None:
    os.makedirs(folder)
    os.symlink(tmp_path / "victim", os.path.join(folder, "watch.lock"))
    with pytest.raises(HostError, match=r"watch\.lock: the lock file cannot be opened"):
        Duty(1, folder)
    os.symlink(tmp_path / "victim", os.path.join(folder, "restart.u.new"))
    with pytest.raises(HostError, match=r"restart\.u cannot be written"):
        note("u", "text", folder)
    assert not (tmp_path / "victim").exists()


def test_notes(folder: str) -> None:
    assert notes(folder) == {}
    note("one", "1\udcff", folder)
    note("two", "2", folder)
    note("two", "3", folder)
    assert notes(folder) == {"one": "1\udcff", "two": "3"}
    forget("two", folder)
    forget("two", folder)
    assert notes(folder) == {"one": "1\udcff"}
