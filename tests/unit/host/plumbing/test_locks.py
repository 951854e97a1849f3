from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from xenvm.errors import HostError
from xenvm.host.plumbing.locks import FileLock, HostLock, host_lock


def test_makes_the_folder_and_a_file_for_root_only(tmp_path: Path) -> None:
    path = tmp_path / "run" / "block"
    with FileLock(str(path)):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_makes_the_folder_behind_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("run/lock")
    with FileLock(str(tmp_path / "lock" / "a")):
        assert (tmp_path / "run/lock/a").exists()


def test_excludes_another_holder_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    with FileLock(path), pytest.raises(BlockingIOError):
        FileLock(path, wait=False)
    FileLock(path, wait=False).release()


def test_excludes_another_program(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    taking = [sys.executable, "-c", "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"]
    with FileLock(path):
        assert subprocess.run([*taking, path], capture_output=True).returncode != 0


def test_a_lock_on_an_unlinked_file_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    really = fcntl.flock
    removed: list[bool] = []

    def holder_goes_first(fd: int, how: int) -> None:
        really(fd, how)
        if not removed:
            removed.append(True)
            path.unlink()

    monkeypatch.setattr(fcntl, "flock", holder_goes_first)
    with FileLock(str(path)):
        assert removed
        with pytest.raises(BlockingIOError):
            FileLock(str(path), wait=False)


def test_waits_for_the_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    order: list[str] = []

    def second() -> None:
        with FileLock(path):
            order.append("second")

    with FileLock(path):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_release_is_idempotent_and_leaves_the_next_holder_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    first = FileLock(str(path))
    first.release()
    with FileLock(str(path)):
        first.release()
        assert path.exists()


def test_release_tolerates_a_missing_file(tmp_path: Path) -> None:
    lock = FileLock(str(tmp_path / "a"))
    (tmp_path / "a").unlink()
    lock.release()


def test_names_a_path_that_cannot_be_a_lock(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / "file" / "lock")
    with pytest.raises(HostError, match="file/lock: the lock file cannot be opened"):
        FileLock(path)


def test_host_lock_excludes_a_record_lock_as_xl_takes_it(tmp_path: Path) -> None:
    path = str(tmp_path / "xl")
    code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'ab'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    taking = [sys.executable, "-c", code, path]
    with host_lock(path):
        assert subprocess.run(taking, capture_output=True).returncode != 0
    assert subprocess.run(taking).returncode == 0
    assert os.path.exists(path)


def test_host_lock_excludes_threads_and_outlives_other_closes(tmp_path: Path) -> None:
    path = str(tmp_path / "xl")
    with HostLock(path):
        os.close(os.open(path, os.O_WRONLY))
        fd = os.open(path, os.O_WRONLY)
        with pytest.raises(BlockingIOError):
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
