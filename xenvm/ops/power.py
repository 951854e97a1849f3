"""Pausing, and asking guests to go down: control/shutdown and the hypervisor's pause count.

Protocol: Xen's docs/misc/xenstore-paths.pandoc, ``~/control/shutdown``.
"""

from __future__ import annotations

import time

from xenbus.errors import StoreTimeout
from xenvm.errors import DomainError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.types import Domid

ACK_SECONDS = 60.0
"""How long a guest may take to acknowledge a request, as in libxl."""


def request(host: Host, info: DomainInfo, command: str, *, seconds: float = ACK_SECONDS) -> None:
    """Asks a guest to ``poweroff`` or ``reboot`` and waits until its kernel has taken the request."""
    if info.shutdown or info.dying:
        raise DomainError(f"domain {info.domid} has already gone down")
    path = f"/local/domain/{info.domid}/control/shutdown"
    host.store.write(path, command)
    with host.store.follow([path]) as follower:

        def taken(values: Mapping[str, bytes | None]) -> bool:
            return not values[path] or _is_down(host, info.domid)

        try:
            follower.wait(taken, time.monotonic() + seconds, f"domain {info.domid} to take the {command} request")
        except StoreTimeout as error:
            error.add_note("the guest's kernel does not listen on control/shutdown; `xenvm destroy` ends it")
            raise


def wait_down(host: Host, domids: Iterable[Domid], *, seconds: float | None = None) -> None:
    """Waits until each domain has shut down or is gone; for ever without `seconds`."""
    pending = list(domids)
    deadline = None if seconds is None else time.monotonic() + seconds
    with host.store.follow(["@releaseDomain"]) as follower:

        def all_down(_: Mapping[str, bytes | None]) -> bool:
            return all(_is_down(host, domid) for domid in pending)

        follower.wait(all_down, deadline, "the guests to go down")


def _is_down(host: Host, domid: Domid) -> bool:
    info = host.hyper.domain(domid)
    return info is None or info.shutdown or info.dying
