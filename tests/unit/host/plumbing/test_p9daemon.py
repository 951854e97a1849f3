"""xen-9pfsd: where it is, how it is started, and when it has ended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xenvm.errors import HostError, UnsupportedError
from xenvm.host.plumbing import p9daemon, programs


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(programs, "PLACES", (str(tmp_path / "none"), str(tmp_path)))
    monkeypatch.setattr(p9daemon, "LOG", str(tmp_path / "log/9pfsd.log"))
    return tmp_path


def program(folder: Path, text: str) -> None:
    path = folder / p9daemon.NAME
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_debian_has_a_folder_for_each_release() -> None:
    assert programs.places((4, 20))[0] == "/usr/lib/xen-4.20/bin"
    assert programs.find("/bin/sh", (4, 20)) == "/bin/sh" and programs.find("/bin/no-such", (4, 20)) is None


def test_it_is_found(places: Path) -> None:
    program(places, "true")
    assert p9daemon.find((4, 20)) == str(places / "xen-9pfsd")


def test_it_is_missing(places: Path) -> None:
    with pytest.raises(
        UnsupportedError, match=r"has no xen-9pfsd, which came with Xen 4\.19 \(this is 4\.17\): not in /"
    ):
        p9daemon.find((4, 17))


def test_it_runs_in_a_session_of_its_own_without_arguments(places: Path) -> None:
    program(places, f'echo "$# $$ $(ps -o sid= -p $$)" >{places}/said; echo trouble >&2; read -r line')
    started = p9daemon.start(p9daemon.find((4, 20)))
    assert os.waitpid(int(started.pid), 0)[1] == 0x100, "there is nothing to be read"
    count, pid, session = (places / "said").read_text().split()
    assert (count, pid, session) == ("0", started.pid, started.pid)
    assert (places / "log/9pfsd.log").read_text() == "trouble\n"


def test_one_that_ends_is_known_to_have_ended(places: Path) -> None:
    program(places, "exit 1")
    started = p9daemon.start(p9daemon.find((4, 20)))
    os.waitid(os.P_PID, int(started.pid), os.WEXITED | os.WNOWAIT)
    assert started.ended()


def test_one_that_runs_has_not(places: Path) -> None:
    program(places, "exec sleep 60")
    started = p9daemon.start(p9daemon.find((4, 20)))
    assert not started.ended()
    os.kill(int(started.pid), 9)
    os.waitpid(int(started.pid), 0)


def test_what_cannot_be_started(places: Path) -> None:
    with pytest.raises(HostError, match="xen-9pfsd, which serves shared folders, cannot be started: No such file"):
        p9daemon.start(str(places / p9daemon.NAME))


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert p9daemon.check_folder(str(tmp_path)) == p9daemon.check_folder(f"{tmp_path}/new/deep") == ""
    for path in (f"{tmp_path}/file", f"{tmp_path}/file/below"):
        assert p9daemon.check_folder(path) == f"{path} cannot be shared: {tmp_path}/file is no folder"
    assert p9daemon.check_folder("no/such") == "no/such cannot be shared: no/such is no folder"
