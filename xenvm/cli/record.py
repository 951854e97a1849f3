"""record: what the store sees of a domain's life, into a file."""

from __future__ import annotations

import sys

from xenbus.recording import open_private
from xenvm.cli.run import OK, open_host
from xenvm.errors import HostAtRest, HostError
from xenvm.ops.record import record as record_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.client import Store
    from xenvm.host.open import Host


def record(targets: tuple[str, ...], output: str | None, seconds: int | None, socket: str | None) -> int:
    """Records until the domain is gone, the time is up, or ^C; all three are a good end.

    A simulated host is let go while nothing happens on it.
    """
    if socket is not None:
        from xenbus.client import connect

        with connect(socket) as store:
            return _record(store, targets, output, seconds, "", None)
    host = open_host()

    def again() -> Store:
        nonlocal host
        host.until_changed()
        host = open_host(quietly=True)
        return host.store

    try:
        return _record(host.store, targets, output, seconds, _version(host), again if host.exclusive else None)
    finally:
        host.close()


def _record(
    store: Store,
    targets: tuple[str, ...],
    output: str | None,
    seconds: int | None,
    version: str,
    again: Callable[[], Store] | None,
) -> int:
    import signal

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    file = sys.stdout if output is None else open_private(output)
    why = "it was interrupted"
    try:
        why = record_to(store, targets, file, seconds, version, _tell, again)
    except KeyboardInterrupt:
        pass  # The usual end of a recording.
    except HostAtRest:
        why = "nothing more will happen on a simulated host that nobody else can use"
    finally:
        signal.signal(signal.SIGTERM, before)
        if output is not None:
            file.close()
    _tell(f"the recording has ended: {why}")
    return OK


def _version(host: Host) -> str:
    """Xen's, where a hypervisor answers: a recording can be made without one."""
    try:
        version = host.hyper.version
    except HostError:
        return ""
    return f"{version.major}.{version.minor}{version.extra}"


def _tell(text: str) -> None:
    print(f"xenvm: {text}", file=sys.stderr, flush=True)
