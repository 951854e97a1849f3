"""record: what the store sees of a domain's life, into a file."""

from __future__ import annotations

import sys

from xenbus.recording import open_private
from xenvm.cli.run import OK, open_host
from xenvm.errors import HostError
from xenvm.ops.record import record as record_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenbus.client import Store
    from xenvm.host.open import Host


def record(targets: tuple[str, ...], output: str | None, seconds: int | None, socket: str | None) -> int:
    """Records until the domain is gone, the time is up, or ^C; all three are a good end."""
    if socket is not None:
        from xenbus.client import connect

        with connect(socket) as store:
            return _record(None, store, targets, output, seconds)
    with open_host() as host:
        return _record(host, host.store, targets, output, seconds)


def _record(host: Host | None, store: Store, targets: tuple[str, ...], output: str | None, seconds: int | None) -> int:
    import signal

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    file = sys.stdout if output is None else open_private(output)
    why = "it was interrupted"
    try:
        why = record_to(store, targets, file, seconds, _version(host), _tell)
    except KeyboardInterrupt:
        pass  # The usual end of a recording.
    except HostError:
        if host is None or host.lasting:
            raise
        why = "nothing more will happen on a simulated host that nobody uses"
    finally:
        signal.signal(signal.SIGTERM, before)
        if output is not None:
            file.close()
    _tell(f"the recording has ended: {why}")
    return OK


def _version(host: Host | None) -> str:
    """Xen's, where a hypervisor answers: a recording can be made without one."""
    if host is None:
        return ""
    try:
        version = host.hyper.version
    except HostError:
        return ""
    return f"{version.major}.{version.minor}{version.extra}"


def _tell(text: str) -> None:
    print(f"xenvm: {text}", file=sys.stderr, flush=True)
