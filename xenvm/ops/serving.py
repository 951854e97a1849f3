"""The process that serves what no kernel and no daemon of Xen's serves: channels and shared folders; one for a host.

It is started with the first guest that has such devices, or by an administrator, and then stays.
"""

from __future__ import annotations

import os
import sys

from xenvm.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.open import Host
    from xenvm.host.plumbing.locks import FileLock

LOCK = "/run/xenvm/serve.lock"
"""Held while the process runs."""
LOG = "/var/log/xen/xenvm-serve.log"
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from xenvm.ops.serving import background; background()"


def start_if_missing(host: Host) -> None:
    """Starts the process unless it runs; HostError. It has no need to be ready when this returns."""
    if not host.lasting:
        return
    lock = _lock()
    if lock is None:
        return
    lock.release()
    from xenvm.host.plumbing.spawn import spawn

    try:
        spawn(sys.executable, [sys.executable, "-IS", "-c", _PROGRAM, *sys.path], LOG)
    except OSError as error:
        raise HostError(f"the process that serves channels and folders cannot be started: {error.strerror}") from error


def background() -> None:
    """What the process does that was started here."""
    from xenvm.host.open import open_host
    from xenvm.ops.background import say

    with open_host("xen") as host:
        run(host, say=say)


def run(host: Host, ready: Callable[[], object] = lambda: None, say: Callable[[str], object] = str) -> None:
    """Serves this host's guests, says when it is `ready`, and what goes wrong; HostError if another process does."""
    from xenbus.client import connect
    from xenvm.host.channel import ChannelDriver
    from xenvm.host.p9.back import FolderDriver
    from xenvm.host.serve import serve

    if not host.lasting:
        raise HostError("the guests of a simulated host live only while a command runs: there is nothing to serve")
    lock = _lock()
    if lock is None:
        raise HostError("another process serves this host's channels and folders already")
    _raise_limit()
    with lock, connect() as store, connect() as other:
        drivers = ChannelDriver(store, host.back_side()), FolderDriver(other, host.back_side())
        for driver in drivers:
            driver.say = say
        ready()
        serve(*drivers)


def _raise_limit() -> None:
    """Guests hold many files: of this process' limits for them the upper one counts."""
    from resource import RLIMIT_NOFILE, getrlimit, setrlimit

    _soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (hard, hard))


def _lock() -> FileLock | None:
    from xenvm.host.plumbing.locks import FileLock

    os.makedirs(os.path.dirname(LOCK), mode=0o755, exist_ok=True)
    try:
        return FileLock(LOCK, wait=False)
    except BlockingIOError:
        return None
