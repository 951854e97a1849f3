"""Why a guest's devices do not get on: reads both ends and what of the host belongs to them; xenbus.diagnosis judges.

Devices are found by the toolstack's records; what the guest says of its ends is bounded and quoted first of all.
"""

from __future__ import annotations

from xenbus import bus
from xenbus.diagnosis import (
    CRASHED,
    DOWN,
    DYING,
    PAUSED,
    RUNNING,
    ConsoleFacts,
    Diagnosis,
    diagnose_console,
    diagnose_guest,
)
from xenbus.parse import parse_decimal, parse_state, parse_text, shown
from xenbus.request import Read
from xenbus.value import Value
from xenvm.errors import DeviceError, HostError
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.ops.explain_device import PATHS, diagnose_device
from xenvm.ops.names import names
from xenvm.ops.records import CONSOLES, belongings, known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.ops.records import Record

_EVERY_SECONDS = 1.0
_GONE = "gone"
_SHUTDOWN = "control/shutdown"
_REQUESTS = (b"poweroff", b"halt", b"reboot", b"suspend", b"crash")
"""What can be asked for there; a guest may have written anything else."""
_CRASHES = (3, 4)
"""Shutdown codes of guests that have not gone down by themselves: crash and watchdog."""
_CALLED = {"vbd": "disk", "vif": "vif", "console": "console", "vuart": "vuart"}


class End(Value):
    """One end of a device."""

    path: str
    state: int
    there: bool
    since: float | None
    """When it got into this state, by the store's clock; None: before anybody looked."""

    @property
    def state_name(self) -> str:
        """``4 Connected``, or that it is gone."""
        return bus.state_name(self.state) if self.there else "gone"


class Explained(Value):
    """One device, its ends (none of a console) and the missing step."""

    name: str
    kind: str
    devid: int
    front: End | None
    back: End | None
    diagnosis: Diagnosis


class Guest(Value):
    """The guest itself."""

    domid: int
    name: str
    life: str
    reason: str
    """Why it has shut down; empty if it has not."""
    age: float | None
    """Seconds since it was built, by the host's clock, None where nobody has noted it."""
    request: str = ""
    """What control/shutdown asks of it, quoted, as long as it has not taken that."""

    @property
    def diagnosis(self) -> Diagnosis:
        """What is missing of the guest itself, and who must take that step."""
        return diagnose_guest(self.name, self.life, self.request)


class Look(Value):
    """A guest and its devices at one moment."""

    guest: Guest
    devices: tuple[Explained, ...]
    at: float
    """The moment, by the store's clock."""

    @property
    def well(self) -> bool:
        """Whether nothing is missing."""
        return self.guest.diagnosis.well and all(device.diagnosis.well for device in self.devices)


def life_of(info: DomainInfo) -> str:
    """How a domain is, in the words of xenbus.diagnosis."""
    if info.dying:
        return DYING
    if info.shutdown:
        return CRASHED if info.shutdown_code in _CRASHES else DOWN
    return PAUSED if info.paused else RUNNING


def look(host: Host, info: DomainInfo, device: str | None = None, since: Mapping[str, float] | None = None) -> Look:
    """What is the matter with a guest's devices, or with one of them; `since` says when states have changed.

    :raises DeviceError: the guest has no such device.
    """
    guest = _guest(host, info)
    records = belongings(host, info.domid).devices
    wanted = [record for record in records if device is None or fits(record, device)]
    if device is not None and not wanted:
        raise DeviceError(f"device {device}", f"domain {guest.name} has no such device")
    at = host.store.clock()
    return Look(guest, tuple(_explain(host, guest, record, since or {}) for record in wanted), at)


def _guest(host: Host, info: DomainInfo) -> Guest:
    home = f"/local/domain/{info.domid}"
    vm, request = map(known, host.store.batch([Read(f"{home}/vm"), Read(f"{home}/{_SHUTDOWN}")]))
    vm = (parse_text(vm) if isinstance(vm, bytes) else None) or ""
    start = host.store.read_or_none(f"{vm}/start_time") if vm.startswith("/vm/") else None
    name = names(host, [info.domid])[info.domid]
    code = info.shutdown_code
    reason = ""
    if info.shutdown and code is not None:
        reason = SHUTDOWN_REASONS[code] if code < len(SHUTDOWN_REASONS) else str(code)
    asked = shown(request) if request in _REQUESTS else ""
    return Guest(info.domid, name or str(info.domid), life_of(info), reason, _age(host, start), asked)


def _age(host: Host, start: bytes | None) -> float | None:
    seconds = parse_decimal((start or b"").partition(b".")[0])
    return None if seconds is None else max(0.0, host.date() - seconds)


def fits(record: Record, device: str) -> bool:
    """Whether a device is meant: ``xvda``, a number, a MAC address, or ``kind:number``."""
    kind, colon, number = device.partition(":")
    if colon and number == str(record.devid):
        return kind == record.kind
    if device.isdecimal():
        return record.kind not in CONSOLES and device == str(record.devid)
    named = (record.facts.get(key, "") for key in ("dev", "vifname", "mac"))
    return bool(device) and device.lower() in (name.lower() for name in named)


def title(record: Record) -> str:
    """What people call a device: ``disk xvda``, ``vif 0``."""
    name = record.facts.get("dev", str(record.devid)) if record.kind == "vbd" else str(record.devid)
    return f"{_CALLED.get(record.kind, record.kind)} {name}"


def _explain(host: Host, guest: Guest, record: Record, since: Mapping[str, float]) -> Explained:
    if record.kind == "vuart" or (record.kind == "console" and record.devid == 0):
        console = diagnose_console(_console_facts(host, guest, record))
        return Explained(title(record), record.kind, record.devid, None, None, console)
    paths = [template.format(record=record) for template in PATHS]
    values = [known(reply) for reply in host.store.batch([Read(path) for path in paths])]
    found = dict(zip(PATHS, (value if isinstance(value, bytes) else None for value in values), strict=True))

    def end(path: str, value: bytes | None) -> End:
        noted = host.changed_at(path)
        moment = since.get(path) if noted is None else noted
        return End(path.removesuffix("/state"), parse_state(value), value is not None, moment)

    front, back = (end(path, found[template]) for path, template in zip(paths[:2], PATHS[:2], strict=True))
    diagnosis = diagnose_device(host, guest, record, found)
    return Explained(title(record), record.kind, record.devid, front, back, diagnosis)


def _console_facts(host: Host, guest: Guest, record: Record) -> ConsoleFacts:
    value = host.store.read_or_none(f"{record.frontend}/tty")
    tty = parse_text(value) or ""
    health = host.plumbing.health
    there = health.terminal(tty)
    return ConsoleFacts(guest.name, guest.life, health.daemon("xenconsoled"), bool(tty), there, shown(tty).strip("'"))


def follow(host: Host, info: DomainInfo, device: str | None, tell: Callable[[Look], None]) -> None:
    """Tells of each look that differs from the one before, until the guest, or the device that is meant, is gone."""
    since: dict[str, float] = {}
    last: Look | None = look(host, info, device)
    while last is not None:
        tell(last)
        try:
            last = _next(host, info, device, last, since)
        except HostError:
            if host.lasting:
                raise
            return  # Nothing more will ever happen on a simulated host that nobody uses.


def _next(host: Host, info: DomainInfo, device: str | None, last: Look, since: dict[str, float]) -> Look | None:
    """The next look that is another; None when there is nothing more to look at."""
    # A pause, or a bridge that goes, is told by no watch; on a simulated host time does not pass without events.
    every = _EVERY_SECONDS if host.lasting else None

    def check(_values: object) -> Look | str | None:
        now = host.hyper.domain(info.domid)
        if now is None or now.uuid != info.uuid:
            return _GONE
        try:
            current = _timed(last, look(host, now, device, since), since)
        except DeviceError:
            return _GONE
        return current if _essence(current) != _essence(last) else None

    with host.store.follow([*_followed(last), "@releaseDomain"]) as follower:
        found = follower.wait(check, None, "a change", every)
    return found if isinstance(found, Look) else None


def _followed(last: Look) -> list[str]:
    """What a change of the store can be seen by."""
    ends = [end.path for device in last.devices for end in (device.front, device.back) if end is not None]
    status = [f"{device.back.path}/hotplug-status" for device in last.devices if device.back is not None]
    return (
        [f"{path}/state" for path in ends]
        + status
        + [
            f"/libxl/{last.guest.domid}/device",
            f"/local/domain/{last.guest.domid}/{_SHUTDOWN}",
        ]
    )


def _timed(last: Look, current: Look, since: dict[str, float]) -> Look:
    """The current look with the time of each change that the host has not told; they are kept in `since`."""
    before = {end.path: end for device in last.devices for end in (device.front, device.back) if end}

    def timed(end: End | None) -> End | None:
        old = before.get(end.path) if end is not None else None
        if end is None or old is None or old.state == end.state or end.since != old.since:
            return end
        since[f"{end.path}/state"] = current.at
        return end.replace(since=current.at)

    devices = [device.replace(front=timed(device.front), back=timed(device.back)) for device in current.devices]
    return current.replace(devices=tuple(devices))


def _essence(found: Look) -> object:
    """What makes a difference: not the times."""
    ends = [
        (device.name, device.diagnosis, *((end.state, end.there) for end in (device.front, device.back) if end))
        for device in found.devices
    ]
    return found.guest.life, found.guest.request, ends
