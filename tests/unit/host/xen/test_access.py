from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from xenvm.errors import HostError
from xenvm.host.xen.access import check_host


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    def be(name: str) -> None:
        monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "n", "6.1", "#1", name)))

    be("aarch64")
    return be


def host(root: Path, capabilities: str | None = "control_d\n", device: str = "dev/xen/privcmd") -> str:
    (root / device).parent.mkdir(parents=True)
    (root / device).touch()
    (root / "proc/xen").mkdir(parents=True, exist_ok=True)
    if capabilities is not None:
        (root / "proc/xen/capabilities").write_text(capabilities)
    return f"{root}/"


@pytest.mark.parametrize("device", ["dev/xen/privcmd", "proc/xen/privcmd"])
@pytest.mark.parametrize("name", ["aarch64", "armv7l"])
def test_a_dom0_passes(tmp_path: Path, machine, device: str, name: str) -> None:
    machine(name)
    check_host(host(tmp_path, device=device))


def test_without_xenfs_nothing_is_concluded(tmp_path: Path, machine) -> None:
    check_host(host(tmp_path, capabilities=None))


def test_no_xen(tmp_path: Path, machine) -> None:
    with pytest.raises(HostError, match="this is not a Xen host: /dev/xen/privcmd is missing"):
        check_host(f"{tmp_path}/")


def test_xen_without_the_module(tmp_path: Path, machine) -> None:
    (tmp_path / "sys/hypervisor").mkdir(parents=True)
    (tmp_path / "sys/hypervisor/type").write_text("xen\n")
    with pytest.raises(HostError, match="load the kernel module xen-privcmd"):
        check_host(f"{tmp_path}/")


def test_a_guest(tmp_path: Path, machine) -> None:
    with pytest.raises(HostError, match="not dom0"):
        check_host(host(tmp_path, capabilities=""))


def test_another_architecture(tmp_path: Path, machine) -> None:
    machine("x86_64")
    with pytest.raises(HostError, match="x86_64"):
        check_host(host(tmp_path))


def test_not_root(tmp_path: Path, machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(HostError, match="must be root"):
        check_host(host(tmp_path))


def test_32_bit_python_on_a_64_bit_kernel(tmp_path: Path, machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(HostError, match="64-bit Python"):
        check_host(host(tmp_path))
    machine("armv7l")
    check_host(f"{tmp_path}/")
