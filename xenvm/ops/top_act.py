"""What the keys of `top` do to a guest: the one that was shown, as domids are given out again."""

from __future__ import annotations

from xenvm.errors import DomainError, NoSuchDomain
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.ops.records import Record
    from xenvm.ops.top import Key


def present(host: Host, key: Key) -> DomainInfo:
    """The guest that was shown; NoSuchDomain if it is gone, DomainError of domain 0."""
    domid, uuid = key
    if domid == 0:
        raise DomainError("domain 0 is this host: the key is for guests")
    info = host.hyper.domain(Domid(domid))
    if info is None or info.uuid != uuid:
        raise NoSuchDomain(domid)
    return info


def pause(host: Host, key: Key) -> None:
    """Pauses it, once: pauses add up in Xen."""
    info = present(host, key)
    if info.paused:
        raise DomainError(f"domain {info.domid} is paused already")
    host.hyper.pause(info.domid)


def unpause(host: Host, key: Key) -> None:
    """Lets it run."""
    host.hyper.unpause(present(host, key).domid)


def shut_down(host: Host, key: Key, seconds: float) -> None:
    """Asks it to power off, and waits so long for its kernel to take the request."""
    from xenvm.ops.power import request

    request(host, [present(host, key)], "poweroff", seconds=seconds)


def destroy(host: Host, key: Key) -> list[str]:
    """Ends it; sentences about what would not go."""
    from xenvm.ops.destroy import end_for_good

    info = present(host, key)
    return end_for_good(host, info.domid, info.uuid)


def detach(host: Host, key: Key, record: Record, seconds: float) -> None:
    """Takes a device from it; DeviceError if the guest does not let go in time."""
    from xenvm.ops.detach import detach as take

    take(host, present(host, key), record, seconds=seconds)
