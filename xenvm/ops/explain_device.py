"""The facts of one device for xenbus.diagnosis: from its nodes in the store, and from what of the host is behind it."""

from __future__ import annotations

from xenbus import bus
from xenbus.diagnosis import Diagnosis, Facts, diagnose
from xenbus.parse import parse_bool, parse_decimal, parse_device, parse_state, parse_word, shown
from xenbus.path import basename

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenvm.host.open import Host
    from xenvm.ops.explain import Guest
    from xenvm.ops.records import Record

    Found = Mapping[str, bytes | None]

_FRONT, _BACK = "{record.frontend}", "{record.backend}"
_FRONT_ERROR = "/local/domain/{record.domid}/error/device/{record.kind}/{record.devid}/error"
_BACK_ERROR = (
    "/local/domain/{record.backend_domid}/error/backend/{record.back_kind}/{record.domid}/{record.devid}/error"
)
_AWAKE = "/local/domain/{record.domid}/control/feature-poweroff"
_PORTS = ("event-channel", "queue-0/event-channel")
_RINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "vbd": {
        "ring-ref": ("ring-ref", "ring-ref0", "queue-0/ring-ref", "queue-0/ring-ref0"),
        "event-channel": _PORTS,
    },
    "vif": {
        "tx-ring-ref": ("tx-ring-ref", "queue-0/tx-ring-ref"),
        "rx-ring-ref": ("rx-ring-ref", "queue-0/rx-ring-ref"),
        "event-channel-tx": (*_PORTS, "event-channel-tx", "queue-0/event-channel-tx"),
        "event-channel-rx": (*_PORTS, "event-channel-rx", "queue-0/event-channel-rx"),
        "request-rx-copy": ("request-rx-copy",),
    },
}
"""Where front ends tell of their rings: any of these nodes will do."""
PATHS = (
    *(f"{_FRONT}/state", f"{_BACK}/state", f"{_FRONT}/backend", f"{_BACK}/online"),
    *(f"{_BACK}/{name}" for name in ("hotplug-status", "hotplug-error", "physical-device", "node")),
    *(_FRONT_ERROR, _BACK_ERROR, _AWAKE),
    *dict.fromkeys(f"{_FRONT}/{name}" for rings in _RINGS.values() for names in rings.values() for name in names),
)
"""What is read of a device, as templates; the two states come first."""
_AWAITED = {"vbd": "physical-device", "vif": "hotplug-status"}
_SILO = b"1 "
"""How errors of drivers begin that Xen has not permitted something (EPERM)."""
_DETACH = {"vbd": "block-detach", "vif": "network-detach"}


def diagnose_device(host: Host, guest: Guest, record: Record, found: Found) -> Diagnosis:
    """What is missing of one device; `found` has the values of PATHS."""
    untrusted_front, untrusted_back = found[f"{_FRONT}/state"], found[f"{_BACK}/state"]
    back = parse_state(untrusted_back)
    sensible = parse_decimal(untrusted_front, minimum=1, maximum=8) is not None
    detach = f"xenvm {_DETACH[record.kind]} {guest.name} {_named(record)}" if record.kind in _DETACH else ""
    astray = found[f"{_FRONT}/backend"] not in (None, record.backend.encode())
    facts = Facts(
        guest=guest.name,
        kind=record.kind,
        detach=detach or f"xenvm destroy {guest.name}",
        force=f"{detach} --force" if detach else f"xenvm destroy {guest.name}",
        front=parse_state(untrusted_front),
        back=back,
        life=guest.life,
        awake=parse_bool(found[_AWAKE]),
        front_there=untrusted_front is not None,
        back_there=untrusted_back is not None,
        senseless="" if sensible or untrusted_front is None else shown(untrusted_front),
        led_astray=astray,
        online=parse_bool(found[f"{_BACK}/online"], default=True),
        missing=_missing(record.kind, found),
        front_error=_front_error(record, found),
        back_error=_text(found[_BACK_ERROR]),
        driver=_driver(host, record),
        awaited=_awaited(record, found),
        hotplug=_hotplug(record, found),
    )
    # What belongs to the host is asked for only where it can matter.
    return diagnose(facts.replace(**_behind(host, record, found, back)) if back else facts)


def _named(record: Record) -> str:
    return record.facts.get("dev") or str(record.devid)


def _text(untrusted: bytes | None) -> str:
    return shown(untrusted, 200) if untrusted else ""


def _missing(kind: str, found: Found) -> tuple[str, ...]:
    """The names that a front end has not told; one event channel serves both rings unless there are two."""
    rings = _RINGS.get(kind, {})
    names = [name for name, places in rings.items() if not any(_told(found, place) for place in places)]
    if {"event-channel-tx", "event-channel-rx"} <= set(names):
        names = ["event-channel" if name == "event-channel-tx" else name for name in names]
        names.remove("event-channel-rx")
    return tuple(names)


def _told(found: Found, place: str) -> bool:
    value = found[f"{_FRONT}/{place}"]
    return parse_bool(value) if place == "request-rx-copy" else parse_word(value) is not None


def _awaited(record: Record, found: Found) -> str:
    """What the back end waits for of the host, if it is not there: the device's number, or that all is plugged in."""
    if record.back_kind == "vbd":
        there = parse_device(found[f"{_BACK}/physical-device"]) is not None
    elif record.back_kind == "vif":
        there = found[f"{_BACK}/hotplug-status"] == b"connected"
    else:
        return ""
    return "" if there else _AWAITED[record.back_kind]


def _driver(host: Host, record: Record) -> str:
    if not record.backend_domid:
        return host.plumbing.health.driver(record.back_kind)
    from xenvm.ops.backends import failing

    return failing(host, record.backend_domid)


def _hotplug(record: Record, found: Found) -> str:
    """What is told of the failure to plug it in, or who in another domain should do that."""
    error = _text(found[f"{_BACK}/hotplug-error"])
    if error or not record.backend_domid:
        return error
    server = record.backend_domid
    return f"devd in domain {server} has not written it: `xenvm devd` or `xl devd` has to run there"


def _front_error(record: Record, found: Found) -> str:
    """What the guest's driver wrote; of Xen's refusal to let two guests talk, what it comes from."""
    untrusted = found[_FRONT_ERROR] or b""
    error = _text(untrusted)
    if record.backend_domid and untrusted.startswith(_SILO):
        return f"{error}: Xen keeps guests apart unless it is started with xsm=dummy, or with a policy of Flask's"
    return error


def _behind(host: Host, record: Record, found: Found, back: int) -> dict[str, str]:
    """What is wrong with the file, the bridge or the interface behind a back end of this domain."""
    facts, health = record.facts, host.plumbing.health
    if record.backend_domid or back in (bus.CLOSING, bus.CLOSED):
        return {}
    if record.back_kind == "vbd" and basename(facts.get("script", "block")) == "block":
        node = (found[f"{_BACK}/node"] or b"").decode("utf-8", "surrogateescape")
        return {"source": health.disk(facts.get("params", ""), facts.get("mode", "w"), node)}
    if record.back_kind == "vif" and basename(facts.get("script", "vif-bridge")) == "vif-bridge":
        source = health.bridge(facts.get("bridge", ""))
        interface = facts.get("vifname") or f"vif{record.domid}.{record.devid}"
        plugged = found[f"{_BACK}/hotplug-status"] == b"connected"
        return {"source": source, "interface": _interface(host, record, interface, plugged)}
    return {}


def _interface(host: Host, record: Record, interface: str, plugged: bool) -> str:
    """The driver's own name is the interface's until it is on its bridge."""
    health, bridge = host.plumbing.health, record.facts.get("bridge", "")
    if plugged:
        return health.link(interface, bridge)
    own = f"vif{record.domid}.{record.devid}"
    trouble = health.link(own, bridge)
    return trouble if trouble.endswith("does not exist") else ""
