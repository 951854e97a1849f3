"""A daemon begins as if Python had not been there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xenvm.host.plumbing.spawn import spawn

# SIGPIPE is 13, SIGXFSZ 25: bits 12 and 24 of the signals that are ignored.
_TELL = "grep SigIgn /proc/self/status; ps -o sid= -p $$; echo $$; readlink /proc/self/fd/0; echo trouble >&2"


def test_what_it_begins_with(tmp_path: Path) -> None:
    log = tmp_path / "log/daemon"
    log.parent.mkdir()
    log.write_text("before\n")
    pid = spawn("/bin/sh", ["sh", "-c", _TELL], str(log))
    assert os.waitpid(pid, 0)[1] == 0
    before, ignored, session, own, stdin, trouble = log.read_text().split("\n")[:6]
    assert (before, stdin, trouble) == ("before", "/dev/null", "trouble")
    assert int(session) == int(own) == pid
    assert not int(ignored.split()[1], 16) & (1 << 12 | 1 << 24)


def test_its_log_is_made_for_few(tmp_path: Path) -> None:
    log = tmp_path / "new/log"
    os.waitpid(spawn("/bin/true", ["true"], str(log)), 0)
    assert log.stat().st_mode & 0o777 & ~0o640 == 0
    with pytest.raises(FileNotFoundError):
        spawn(str(tmp_path / "missing"), ["missing"], str(log))
