"""QEMU as a daemon: start it, know it again, end it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from xenvm.lab.errors import LabError

_PORT_TRIES = 5


def start(command: Callable[[int], list[str]]) -> int:
    """Start QEMU with ``command(port)`` on a free port; returns the port once the daemon runs."""
    for _ in range(_PORT_TRIES):
        port = _free_port()
        done = subprocess.run(command(port), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            return port
        # Somebody else took the port in between.
        if "forwarding rule" not in done.stderr:
            break
    raise LabError(f"QEMU did not start: {done.stderr.strip()[-1500:]}")


def pid_of(folder: Path) -> int | None:
    """The process of the lab in `folder`, if it lives: the number in its pid file may be another's by now."""
    try:
        pid = int((folder / "pid").read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(folder / "pid") in arguments else None


def stop(folder: Path, patience: float = 15.0) -> None:
    """End the lab's QEMU and wait until it is gone; nothing happens if it is."""
    pid = pid_of(folder)
    if pid is None:
        return
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid_of(folder) is None:
                return
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
    raise LabError(f"process {pid} of the lab in {folder} cannot be ended")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
