"""The process that serves what no kernel and no daemon of Xen's serves: channels; one for a host.

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
        raise HostError(f"the process that serves channels cannot be started: {error.strerror}") from error


def background() -> None:
    """What the process does that was started here."""
    from xenvm.host.open import open_host

    with open_host("xen") as host:
        run(host)


def run(host: Host, ready: Callable[[], object] = lambda: None) -> None:
    """Serves this host's guests, and says when it is `ready`; HostError if another process does."""
    from xenbus.client import connect
    from xenvm.host.channel import ChannelDriver
    from xenvm.host.serve import serve

    if not host.lasting:
        raise HostError("the guests of a simulated host live only while a command runs: there is nothing to serve")
    lock = _lock()
    if lock is None:
        raise HostError("another process serves this host's channels already")
    with lock, connect() as store:
        driver = ChannelDriver(store, host.back_side())
        ready()
        serve(driver)


def _lock() -> FileLock | None:
    from xenvm.host.plumbing.locks import FileLock

    os.makedirs(os.path.dirname(LOCK), mode=0o755, exist_ok=True)
    try:
        return FileLock(LOCK, wait=False)
    except BlockingIOError:
        return None
