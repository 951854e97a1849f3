"""xen-9pfsd, Xen's own back end of shared folders: found and started as libxl does it (Xen 4.19 and later)."""

from __future__ import annotations

import os

from xenvm.errors import HostError, UnsupportedError
from xenvm.host.plumbing import programs
from xenvm.host.plumbing.spawn import spawn

NAME = "xen-9pfsd"
LOG = "/var/log/xen/xen-9pfsd.log"
"""What its libraries say; the daemon itself tells the system's log."""


def find(release: tuple[int, int]) -> str:
    """Where it is on this host, whose Xen has this release. UnsupportedError: it is not there."""
    found = programs.find(NAME, release)
    if found is None:
        where, have = ", ".join(programs.places(release)), ".".join(map(str, release))
        raise UnsupportedError(f"this host has no {NAME}, which came with Xen 4.19 (this is {have}): not in {where}")
    return found


def check_folder(path: str) -> str:
    """Why the daemon could not share a folder of this host; empty: it can, and makes what is not there yet."""
    above = path
    while above and not os.path.lexists(above):
        above = os.path.dirname(above)
    return "" if os.path.isdir(above) else f"{path} cannot be shared: {above or path} is no folder"


def check_shared(path: str) -> str:
    """Why a server of ours could not share a folder, which it does not make; empty: it can."""
    return "" if os.path.isdir(path) else f"{path} cannot be shared: there is no such folder"


class Started:
    """The daemon's process."""

    def __init__(self, pid: int) -> None:
        self.pid = str(pid)

    def ended(self) -> bool:
        """Whether it has ended already."""
        return os.waitpid(int(self.pid), os.WNOHANG)[0] != 0


def start(program: str) -> Started:
    """Starts it, in a session of its own and without arguments; HostError."""
    try:
        pid = spawn(program, [NAME], LOG)
    except OSError as error:
        raise HostError(f"{program}, which serves shared folders, cannot be started: {error.strerror}") from error
    return Started(pid)
