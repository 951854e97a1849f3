"""What a service tells systemd."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from xenvm.ops.notify import Notifier


def test_to_whom_it_concerns(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"})
        notifier.pulse()
        notifier.pulse()
        notifier.stopping()
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]
        assert notifier.seconds == 30


def test_an_abstract_socket() -> None:
    name = f"xenvm-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name)
        systemd.settimeout(10)
        Notifier({"NOTIFY_SOCKET": "@" + name}).pulse()
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"


@pytest.mark.parametrize("address", ["", "vsock:2:9999", "/no/such/socket"])
def test_nobody_is_there(address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).pulse()


@pytest.mark.parametrize("environment", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}])
def test_no_watchdog(environment: dict[str, str]) -> None:
    assert Notifier(environment).seconds == 0
