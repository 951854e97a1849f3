"""Who holds what in this host: processes by their files and mappings (proc(5)), and the kernel's back ends.

A process that ends while it is looked at is passed over.
"""

from __future__ import annotations

import os

from xenvm.host.plumbing.locks import began

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xenvm.types import Domid

_PROC = "/proc"
_BACK_ENDS = "/sys/bus/xen-backend/devices"
_MAPPED = ("/dev/xen/gntdev", "/dev/xen/privcmd")
"""What a process maps that sees pages of guests."""


def lives(who: str, proc: str = _PROC) -> bool:
    """Whether the process that made a claim (locks.claim) is still there: another may have its number by now."""
    pid, _, start = who.partition(" ")
    return pid.isascii() and pid.isdecimal() and len(pid) < 11 and bool(start) and began(pid, proc) == start


def using(paths: Iterable[str], proc: str = _PROC) -> dict[str, list[str]]:
    """The processes that have each of these files open: ``process 12 (name)``."""
    wanted = {os.path.realpath(path): path for path in paths}
    found: dict[str, list[str]] = {path: [] for path in wanted.values()}
    for pid in _pids(proc) if wanted else ():
        for target in set(_targets(f"{proc}/{pid}/fd")) & wanted.keys():
            found[wanted[target]].append(_called(pid, proc))
    return found


def mapping_guests(proc: str = _PROC) -> list[str]:
    """The processes that map pages of guests, of whichever."""
    found = []
    for pid in _pids(proc):
        try:
            with open(f"{proc}/{pid}/maps", encoding="ascii", errors="replace") as file:
                if any(line.rstrip().endswith(_MAPPED) for line in file):
                    found.append(_called(pid, proc))
        except OSError:
            continue
    return found


def kernel_devices(domid: Domid, folder: str = _BACK_ENDS) -> list[str]:
    """The back ends that the kernel has for a domain: ``vbd-5-51712``."""
    try:
        return sorted(name for name in os.listdir(folder) if name.split("-")[1:2] == [str(domid)])
    except OSError:
        return []


def _pids(proc: str) -> Iterator[int]:
    own = os.getpid()
    return (int(name) for name in os.listdir(proc) if name.isdecimal() and int(name) != own)


def _targets(folder: str) -> Iterator[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:
            continue


def _called(pid: int, proc: str) -> str:
    try:
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {pid} ({file.read().strip()})"
    except OSError:
        return f"process {pid}"
