"""The disks and vifs of a guest: by the toolstack's own records, with what the guest says of its ends beside them."""

from __future__ import annotations

from xenbus.parse import STATE_MAX, parse_decimal
from xenbus.request import Read
from xenbus.value import Value
from xenvm.errors import ConfigError, DeviceError
from xenvm.ops.records import belongings, known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenvm.host.open import Host
    from xenvm.ops.records import Record
    from xenvm.types import Domid

_PORT_MAX = (1 << 32) - 1
# What the guest's end tells of a device: key -> greatest value. Drivers with several queues have some only per queue.
_FRONT_KEYS = {
    "vbd": {"state": STATE_MAX, "event-channel": _PORT_MAX, "ring-ref": _PORT_MAX},
    "vif": {"state": STATE_MAX, "event-channel": _PORT_MAX, "tx-ring-ref": _PORT_MAX, "rx-ring-ref": _PORT_MAX},
}


class Attached(Value):
    """A device that a guest has."""

    record: Record
    front: dict[str, int | None]
    """What the guest says: its state, event channel and grant references; None where it says nothing sensible."""


def of_kind(host: Host, domid: Domid, kind: str) -> list[Attached]:
    """The guest's devices of the kind ``vbd`` or ``vif``, in the order of their creation."""
    records = [record for record in belongings(host, domid).devices if record.kind == kind]
    limits = _FRONT_KEYS[kind]
    replies = iter(host.store.batch([Read(f"{record.frontend}/{key}") for record in records for key in limits]))
    found = []
    for record in records:
        untrusted = {key: known(next(replies)) for key in limits}
        front = {key: _number(untrusted[key], limit) for key, limit in limits.items()}
        found.append(Attached(record, front))
    return found


def _number(untrusted: object, limit: int) -> int | None:
    return parse_decimal(untrusted, maximum=limit) if isinstance(untrusted, bytes) else None


def find_disk(host: Host, domid: Domid, vdev: str) -> Record:
    """The guest's disk that ``xvda`` or a number means; ConfigError if it means none, DeviceError if there is none."""
    from xenvm.guest.disk import vdev_to_devid

    try:
        devid = vdev_to_devid(vdev)
    except ConfigError as error:
        raise ConfigError(error.reason, source="command line") from None
    return _find(host, domid, "vbd", vdev, lambda record: record.devid == devid)


def find_nic(host: Host, domid: Domid, who: str) -> Record:
    """The guest's vif with this number or MAC address; DeviceError if there is none."""
    if who.isascii() and who.isdecimal():
        return _find(host, domid, "vif", who, lambda record: str(record.devid) == who)
    return _find(host, domid, "vif", who, lambda record: record.facts.get("mac", "").lower() == who.lower())


def _find(host: Host, domid: Domid, kind: str, who: str, fits: Callable[[Record], bool]) -> Record:
    for record in belongings(host, domid).devices:
        if record.kind == kind and fits(record):
            return record
    raise DeviceError(f"{kind} {who}", f"domain {domid} has no such device")
