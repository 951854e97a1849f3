from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from xenvm.errors import DeviceError
from xenvm.host.plumbing import scripts
from xenvm.host.plumbing.scripts import HotplugDevice
from xenvm.types import Domid


def script(tmp_path: Path, body: str) -> HotplugDevice:
    path = tmp_path / "block"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return HotplugDevice("vbd 51712", str(path), "vbd", Domid(3), 51712)


def no_error() -> str | None:
    return None


def test_disk_protocol() -> None:
    disk = HotplugDevice("vbd 51712", "/etc/xen/scripts/block", "vbd", Domid(3), 51712)
    assert disk.arguments(adding=True) == ["/etc/xen/scripts/block", "add"]
    assert disk.arguments(adding=False) == ["/etc/xen/scripts/block", "remove"]
    assert disk.environment() == {
        "script": "/etc/xen/scripts/block",
        "XENBUS_TYPE": "vbd",
        "XENBUS_PATH": "backend/vbd/3/51712",
        "XENBUS_BASE_PATH": "backend",
    }


def test_vif_protocol() -> None:
    vif = HotplugDevice("vif 0", "vif-route", "vif", Domid(3), 0, gatewaydev="eth1")
    assert vif.arguments(adding=True) == ["/etc/xen/scripts/vif-route", "online", "type_if=vif"]
    assert vif.arguments(adding=False) == ["/etc/xen/scripts/vif-route", "offline", "type_if=vif"]
    assert vif.environment() == {
        "script": "/etc/xen/scripts/vif-route",
        "XENBUS_TYPE": "vif",
        "XENBUS_PATH": "backend/vif/3/0",
        "XENBUS_BASE_PATH": "backend",
        "netdev": "eth1",
        "vif": "vif3.0",
    }


def test_runs_in_the_callers_environment_without_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FROM_CALLER", "yes")
    device = script(tmp_path, 'echo "$1 $FROM_CALLER $XENBUS_PATH"; readlink /proc/self/fd/0')
    scripts.attach(device, no_error)
    assert capfd.readouterr() == ("", "add yes backend/vbd/3/51712\n/dev/null\n")
    scripts.detach(device, no_error)
    assert capfd.readouterr().err.startswith("remove yes")


def test_has_a_process_group_and_an_ordinary_sigpipe(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scripts.attach(script(tmp_path, "ps -o pgid= $$; echo $$; grep SigIgn /proc/self/status"), no_error)
    group, pid, ignored = capfd.readouterr().err.splitlines()
    assert int(group) == int(pid) != os.getpgrp()
    assert not int(ignored.split()[1], 16) >> (signal.SIGPIPE - 1) & 1


def test_failure_tells_status_and_hotplug_error(tmp_path: Path) -> None:
    device = script(tmp_path, "exit 3")
    with pytest.raises(DeviceError) as caught:
        scripts.attach(device, lambda: "File /a.img is mounted\nin a guest domain.")
    said = f"vbd 51712: '{device.script} add' failed with exit status 3: File /a.img is mounted in a guest domain."
    assert str(caught.value) == said


def test_failure_without_hotplug_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"died of signal 15$"):
        scripts.attach(script(tmp_path, "kill -TERM $$"), no_error)


def test_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    # The grandchild holds the pipe open; it ends only when that process is dead.
    device = script(
        tmp_path, f"exec 5>{fifo}\n/bin/sh -c 'echo $$ >&5; while read -r x < /dev/zero; do :; done' & wait"
    )
    with pytest.raises(DeviceError, match=r"' was killed, it did not end in 0\.3 s"):
        scripts.attach(device, no_error, timeout=0.3)
    os.set_blocking(reader, True)
    while os.read(reader, 100):
        pass
    os.close(reader)


def test_an_interrupted_wait_leaves_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_pid: int, _deadline: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(scripts, "_wait_until", interrupt)
    with pytest.raises(KeyboardInterrupt):
        scripts.attach(script(tmp_path, "read x < /dev/zero"), no_error)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(("mode", "reason"), [(0o644, "Permission denied"), (None, "No such file or directory")])
def test_script_that_cannot_run(tmp_path: Path, mode: int | None, reason: str) -> None:
    device = script(tmp_path, "")
    path = Path(device.script)
    path.unlink() if mode is None else path.chmod(mode)
    with pytest.raises(DeviceError, match=f"vbd 51712: the hotplug script {path} cannot be run: {reason}"):
        scripts.attach(device, no_error)
