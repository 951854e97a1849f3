"""The lab's commands as plain functions: each prints what a user wants to see and returns an exit code."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from xenvm import lab
from xenvm.lab import terminal
from xenvm.lab.image import built


def build(suites: Sequence[str], mirror: str | None = None) -> int:
    """Build the suites' images of today's packages."""
    for suite in suites:
        with _endable(), lab.Bar() as bar:
            image = lab.build(suite, bar, mirror=mirror)
        print(f"{suite}: {image.path}")
    return 0


def up(name: str | None, suite: str, options: lab.Options, timeout: float) -> int:
    """Boot a lab."""
    with _endable(), lab.Bar() as bar:
        host = lab.up(name, suite, options, progress=bar, timeout=timeout)
    for module in host.missing:
        print(f"note: {module} is not installed here, so dom0 has none", file=sys.stderr)
    print(f"{host.name}: up, Xen {lab.SUITES[suite].xen} ({suite}), process {host.pid}")
    return 0


def down(names: Sequence[str], everything: bool = False) -> int:
    """Take labs down: the named ones, all, or the only one."""
    known = {host.name: host for host in lab.labs()}
    if everything or len(known) == 1:
        names = names or list(known)
    wanted = list(names) or [lab.find().name]
    for name in wanted:
        if name not in known:
            raise lab.LabError(f"there is no lab {name}")
        known[name].down()
        print(f"{name}: down")
    return 0


def status() -> int:
    """List labs and images."""
    for host in lab.labs():
        state = "dead" if host.pid is None else f"up, process {host.pid}"
        print(f"lab    {host.name:12} {host.suite:10} {state}, {host.options.memory} MiB, port {host.port}")
    for suite in lab.SUITES:
        for image in built(suite):
            print(f"image  {suite:12} Xen {lab.SUITES[suite].xen:6} {image.path}")
    return 0


def execute(name: str | None, command: Sequence[str], *, tty: bool, stdin: bool, timeout: float | None) -> int:
    """Run a command in dom0, its output passed on as it comes."""
    host = lab.find(name)
    argv = list(command) or ["/bin/bash", "-l"]
    if tty:
        return terminal.attach(host.address, argv)
    data = sys.stdin.buffer.read() if stdin else None
    result = host.run(argv, timeout=timeout, stdin=data, on_output=_pass_on)
    return result.rc if result.rc >= 0 else 128 - result.rc


def put(name: str | None, source: str, path: str) -> int:
    """Copy a file into dom0."""
    host = lab.find(name)
    host.put(source, path + Path(source).name if path.endswith("/") else path)
    return 0


def get(name: str | None, path: str, target: str) -> int:
    """Copy a file out of dom0; ``-`` is the standard output."""
    host = lab.find(name)
    if target == "-":
        sys.stdout.buffer.write(host.read(path))
    else:
        host.get(path, Path(target) / Path(path).name if Path(target).is_dir() else target)
    return 0


def console(name: str | None, follow: bool) -> int:
    """Print the serial log of Xen and dom0; `follow` goes on until the machine ends or the user does."""
    host = lab.find(name)
    with host.console_log.open("rb") as log:
        while True:
            data = log.read()
            _pass_on(1, data)
            if not follow or (not data and host.pid is None):
                return 0
            time.sleep(0.2)


@contextmanager
def _endable() -> Iterator[None]:
    """A build or a boot that is told to end takes its machine along, as it does when interrupted."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _pass_on(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]
