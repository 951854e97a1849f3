"""Looks at a host for `top`: the hypervisor once, the store in two round trips at most, and only when it told of news.

Devices are found by the toolstack's own records. The first look at a device whose back end is not where most are (in
a driver domain, say) takes one round trip more.
"""

from __future__ import annotations

from xenbus.devices import CLASSES
from xenbus.meaning import is_state
from xenbus.parse import parse_state
from xenbus.request import List, Read
from xenvm.ops.records import known, record_of
from xenvm.ops.top import Device, Sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host
    from xenvm.ops.top import Key
    from xenvm.types import Domid

    Place = tuple[Domid, str, int]
    """Domid, kind and number of a device."""

NOTHING, STATES, DEVICES = range(3)
"""How much of the store an event makes worth a look: more includes less."""
WATCHED = ("/local/domain", "/libxl", "@introduceDomain", "@releaseDomain")
EVENTS_MAX = 10_000
"""So many are taken at a time: who writes without end holds up no look."""
_TOKEN = "top"
_KINDS = tuple(CLASSES)


def news(path: str) -> int:
    """What an event's path asks for: NOTHING for what guests write for themselves."""
    parts = path.split("/")
    if path in WATCHED or parts[1:2] == ["libxl"]:
        return DEVICES
    if len(parts) <= 4 or (len(parts) == 5 and parts[4] == "name"):
        return STATES
    gone = (parts[4] == "device" and len(parts) <= 7) or (parts[4] == "backend" and len(parts) <= 8)
    return STATES if gone or is_state(path) else NOTHING


class Looker:
    """Remembers where devices are from one look to the next."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._places: list[Place] = []
        self._backs: dict[Place, str] = {}
        self._names: dict[int, str | None] = {}
        self._devices: dict[int, tuple[Device, ...]] = {}
        self._seen: list[Key] = []

    def watch(self) -> None:
        """Asks the store for events; the first of each come at once."""
        for path in WATCHED:
            self._host.store.watch(path, _TOKEN)

    def events(self, until: float) -> int:
        """What the events up to `until`, a time of the store's clock, make worth a look; a past time never waits."""
        most = NOTHING
        for _ in range(EVENTS_MAX):
            event = self._host.store.next_event(until)
            if event is None:
                break
            most = max(most, news(event[0]))
        return most

    def look(self, wanted: int = DEVICES) -> Sample:
        """The host as it is; of the store, only as much as `wanted` (or new domains) ask for is read anew."""
        found = self._host.hyper.domains()
        seen: list[Key] = [(info.domid, info.uuid) for info in found]
        if seen != self._seen:
            wanted = DEVICES
        if wanted == DEVICES:
            self._list(found)
        if wanted != NOTHING:
            self._read(found)
        self._seen = seen
        return Sample(self._host.store.clock(), tuple(found), self._names, self._devices)

    def _list(self, found: list[DomainInfo]) -> None:
        """Which devices there are."""
        asked = [(info.domid, kind) for info in found if info.domid for kind in _KINDS]
        replies = self._host.store.batch([List(f"/libxl/{domid}/device/{kind}") for domid, kind in asked])
        self._places = [
            (domid, kind, int(name))
            for (domid, kind), reply in zip(asked, replies, strict=True)
            if isinstance(names := known(reply), tuple)
            for name in names
            if name.isascii() and name.isdecimal() and len(name) < 10 and (kind, name) != ("console", "0")
        ]
        there = set(self._places)
        self._backs = {place: path for place, path in self._backs.items() if place in there}

    def _read(self, found: list[DomainInfo]) -> None:
        """Names, and the states of both ends of all devices."""
        domids, places = [info.domid for info in found], self._places
        names = [Read(f"/local/domain/{domid}/name") for domid in domids]
        reads = [Read(path) for place in places for path in self._paths(place)]
        replies = self._host.store.batch([*names, *reads])
        self._names = {domid: _text(reply) for domid, reply in zip(domids, replies, strict=False)}
        parts = replies[len(names) :]
        devices = {
            place: device
            for place, *told in zip(places, parts[0::4], parts[1::4], parts[2::4], parts[3::4], strict=True)
            if (device := self._device(place, told)) is not None
        }
        self._devices = _by_domain(self._elsewhere(devices).values())

    def _paths(self, place: Place) -> tuple[str, str, str, str]:
        """The nodes of one device: two of its record, and the states of its ends."""
        domid, kind, devid = place
        top = f"/libxl/{domid}/device/{kind}/{devid}"
        front = f"/local/domain/{domid}/device/{kind}/{devid}/state"
        return f"{top}/backend", f"{top}/dev", front, f"{self._back(place)}/state"

    def _back(self, place: Place) -> str:
        """Where the back end is, or most probably is."""
        domid, kind, devid = place
        usual = f"/local/domain/0/backend/{CLASSES[kind].back_kinds[0]}/{domid}/{devid}"
        return self._backs.get(place, usual)

    def _device(self, place: Place, told: list[object]) -> Device | None:
        """None where the record has gone, or its back end's path is not of this device."""
        facts = {key: text for key, reply in zip(("backend", "dev"), told, strict=False) if (text := _text(reply))}
        record = record_of(*place, facts)
        return None if record is None else Device(record, _state(told[2]), _state(told[3]))

    def _elsewhere(self, devices: dict[Place, Device]) -> dict[Place, Device]:
        """The same, with those right whose back end was not where it was looked for."""
        moved = {place: dev for place, dev in devices.items() if dev.record.backend != self._back(place)}
        if moved:
            replies = self._host.store.batch([Read(f"{dev.record.backend}/state") for dev in moved.values()])
            for (place, device), reply in zip(moved.items(), replies, strict=True):
                self._backs[place] = device.record.backend
                devices[place] = device.replace(back=_state(reply))
        return devices


def _state(reply: object) -> int:
    untrusted = known(reply)
    return parse_state(untrusted) if isinstance(untrusted, bytes) else 0


def _text(reply: object) -> str | None:
    value = known(reply)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else None


def _by_domain(devices: Iterable[Device]) -> dict[int, tuple[Device, ...]]:
    found: dict[int, tuple[Device, ...]] = {}
    for device in devices:
        found[device.record.domid] = (*found.get(device.record.domid, ()), device)
    return found
