"""The devices of a guest: by the toolstack's own records, with what the guest says of its ends beside them."""

from __future__ import annotations

from xenbus.parse import STATE_MAX, parse_decimal
from xenbus.request import Read
from xenbus.value import Value
from xenvm.errors import ConfigError, NoSuchDevice
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
    "console": {"state": STATE_MAX, "port": _PORT_MAX, "ring-ref": _PORT_MAX},
    "vkbd": {"state": STATE_MAX, "event-channel": _PORT_MAX, "page-gref": _PORT_MAX},
}
_ANY_KEYS = {"state": STATE_MAX}


class Attached(Value):
    """A device that a guest has."""

    record: Record
    front: dict[str, int | None]
    """What the guest says: its state, event channel and grant references; None where it says nothing sensible."""


def of_kind(host: Host, domid: Domid, kind: str) -> list[Attached]:
    """The guest's devices of a kind, ``vbd`` or ``vif`` or another, in the order of their creation."""
    return [device for device in of_guest(host, domid) if device.record.kind == kind]


def of_guest(host: Host, domid: Domid) -> list[Attached]:
    """All devices of a guest, its consoles too."""
    records = belongings(host, domid).devices
    limits = [_FRONT_KEYS.get(record.kind, _ANY_KEYS) for record in records]
    pairs = list(zip(records, limits, strict=True))
    replies = iter(host.store.batch([Read(f"{record.frontend}/{key}") for record, keys in pairs for key in keys]))
    return [
        Attached(record, {key: _number(known(next(replies)), limit) for key, limit in keys.items()})
        for record, keys in pairs
    ]


def find_device(host: Host, domid: Domid, kind: str, devid: str) -> Record:
    """The guest's device of this kind and number; DeviceError if there is none."""
    return _find(host, domid, kind, devid, lambda record: str(record.devid) == devid)


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
    raise NoSuchDevice(f"{kind} {who}", f"domain {domid} has no such device")
