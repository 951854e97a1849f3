"""The survey of a machine that is a folder: each thing there, and each missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from xenvm.host.plumbing import survey
from xenvm.host.plumbing.survey import FAIL, OK, WARN


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A dom0 as it should be."""
    for path in ("dev/xen/privcmd", "dev/xen/gntdev", "dev/xen/evtchn", "proc/xen/capabilities", "dev/loop-control"):
        put(tmp_path, path)
    put(tmp_path, "dev/pts/ptmx")
    put(tmp_path, "proc/10/comm", "xenstored\n")
    put(tmp_path, "proc/11/comm", "xenconsoled\n")
    put(tmp_path, "proc/sys/kernel/pty/nr", "3\n")
    put(tmp_path, "proc/sys/kernel/pty/max", "4096\n")
    for path in (
        "sys/bus/xen-backend/drivers/vbd",
        "sys/bus/xen-backend/drivers/vif",
        "var/lib/xen",
        "sys/block/loop0/loop",
    ):
        (tmp_path / path).mkdir(parents=True)
    return tmp_path


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def bad(machine: Path) -> list[tuple[str, str, str]]:
    """(level, sentence, fix); the bridges are those of the machine that the tests run on."""
    found = [finding for finding in survey.survey(f"{machine}/") if finding.check != "bridge"]
    return [(finding.level, finding.sentence, finding.fix) for finding in found if finding.level != OK]


def test_all_is_there(machine: Path) -> None:
    assert bad(machine) == []


@pytest.mark.parametrize(
    ("gone", "level", "part", "fix"),
    [
        ("dev/xen/privcmd", FAIL, "no hypercall can be made", "modprobe xen-privcmd"),
        ("dev/xen/gntdev", WARN, "images are loaded slowly", "modprobe xen-gntdev"),
        ("dev/xen/evtchn", WARN, "cannot start", "modprobe xen-evtchn"),
        ("proc/xen/capabilities", WARN, "xl and the Xen daemons", "mount -t xenfs xenfs /proc/xen"),
        ("dev/loop-control", FAIL, "loop is not loaded", "modprobe loop"),
        ("sys/bus/xen-backend/drivers/vbd", FAIL, "no guest with disks works", "modprobe xen-blkback"),
        ("sys/bus/xen-backend/drivers/vif", FAIL, "network interfaces", "modprobe xen-netback"),
        ("proc/10/comm", FAIL, "xenstored is not running", "systemctl start xenstored"),
        ("proc/11/comm", FAIL, "xenconsoled is not running", "systemctl start xenconsoled"),
        ("dev/pts/ptmx", FAIL, "/dev/pts is not mounted", "mount -t devpts"),
    ],
)
def test_one_is_missing(machine: Path, gone: str, level: str, part: str, fix: str) -> None:
    path = machine / gone
    path.rmdir() if path.is_dir() else path.unlink()
    ((found, sentence, mended),) = bad(machine)
    assert found == level and part in sentence and mended.startswith(fix)


def test_another_store_daemon(machine: Path) -> None:
    put(machine, "proc/10/comm", "oxenstored\n")
    assert bad(machine) == []


def test_terminals_run_out(machine: Path) -> None:
    put(machine, "proc/sys/kernel/pty/nr", "4095\n")
    assert bad(machine)[0][1] == "4095 of 4096 pseudo-terminals are in use: each console takes one"


def test_a_loop_device_whose_file_is_gone(machine: Path) -> None:
    put(machine, "sys/block/loop0/loop/backing_file", "/srv/a.img (deleted)\n")
    put(machine, "sys/block/loop1/loop/backing_file", "/srv/b.img\n")
    assert bad(machine) == [
        (WARN, "/dev/loop0 holds a file that was removed: /srv/a.img", "losetup -d /dev/loop0, if no guest uses it")
    ]


def test_little_room(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_LITTLE", 1 << 62)
    assert [level for level, _sentence, _fix in bad(machine)] == [WARN, WARN]
    monkeypatch.setattr(survey, "_TOO_LITTLE", 1 << 61)
    assert [level for level, _sentence, _fix in bad(machine)] == [FAIL, FAIL]


def test_an_empty_machine(tmp_path: Path) -> None:
    assert {level for level, _sentence, _fix in bad(tmp_path)} == {WARN, FAIL}


def test_releases_of_tools(tmp_path: Path) -> None:
    assert survey.tool_releases(f"{tmp_path}/") == []
    for name in ("xen-4.17", "xen-4.20", "xen-common", "python3"):
        (tmp_path / "usr/lib" / name).mkdir(parents=True)
    assert survey.tool_releases(f"{tmp_path}/") == ["4.17", "4.20"]
