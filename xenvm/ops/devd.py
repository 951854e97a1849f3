"""What a driver domain has to do for the disks and vifs that it serves, as libxl's devd does it.

The toolstack makes a back end's nodes below this domain's own ``backend`` directory; the kernel takes the device and
says InitWait; then the loop device or the bridge's port is due, as in domain 0. When the toolstack has taken the device
offline and the kernel has closed it, that is undone and the back end's nodes are removed: the toolstack waits for it.

Only domain 0 and this domain itself can write there. No front end is looked at: those are other guests'.
"""

from __future__ import annotations

from xenbus import bus
from xenbus.errors import StoreClosed, XenbusError
from xenbus.parse import parse_decimal, parse_domid
from xenbus.request import Discard, List, Read, Write
from xenvm.errors import HostError, XenvmError
from xenvm.guest.nodes import BLOCK_SCRIPT
from xenvm.guest.spec import NicSpec
from xenvm.ops.plumb import await_interfaces, hotplug_nodes, is_default, needs_script, plug_nic
from xenvm.ops.records import Record, known
from xenvm.ops.unplumb import error_reader, take_apart
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from xenbus.client import Store
    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.open import Host
    from xenvm.host.plumbing.block import OtherDisk

    Place = tuple[str, Domid, int]
    """Kind, the guest's domid, devid."""

KINDS = ("vbd", "vif")
LOCK = "/run/xenvm/devd.lock"
"""Held while the process runs."""
_FACTS = ("script", "params", "mode", "bridge", "ip", "vlan", "vifname", "mtu", "gatewaydev")
_SIGNS = ("state", "online", "hotplug-status", "node")
_CONNECTED = "connected"


def run(host: Host, say: Callable[[str], object], pulse: Callable[[], object] = lambda: None) -> None:
    """Serves this domain's devices, until an exception ends it; `pulse` is called when all that was there is served.

    :raises HostError: this is domain 0, or another process does it.
    """
    from xenbus.rearm import LastingWatches
    from xenvm.host.plumbing.locks import FileLock

    devd = Devd(host, own_domid(host), say)

    def connect() -> Store:
        host.reconnect()
        return host.store

    try:
        lock = FileLock(LOCK, wait=False)
    except BlockingIOError as error:
        raise HostError("another devd runs in this domain") from error
    with lock, LastingWatches(connect, [(devd.top, "devd")]) as watches:
        say(f"serving the disks and vifs of {devd.top}")
        while event := watches.next_event():
            paths = [event[0]]
            while event := watches.next_event(0):
                paths.append(event[0])
            try:
                devd.look(paths)
            except StoreClosed as error:
                say(str(error))  # The first event over the next connection makes it look at everything.
            pulse()


def own_domid(host: Host) -> Domid:
    """Of the driver domain that this is; HostError if it is none."""
    domid = parse_domid(host.store.read_or_none("domid"))
    if domid is None:
        raise HostError("the store does not say which domain this is: it has no node domid")
    if domid == 0:
        raise HostError("this is domain 0, whose devices the commands themselves plug in: devd is for driver domains")
    return Domid(domid)


class Devd:
    """The devices of the driver domain `own`; what is done with them is said by `say`."""

    def __init__(self, host: Host, own: Domid, say: Callable[[str], object]) -> None:
        self._host, self._own, self._say = host, own, say
        self.top = f"/local/domain/{own}/backend"
        """All that it looks at is below."""
        self._plugged: dict[Place, Record] = {}
        self._broken: set[Place] = set()
        """What could not be plugged in, and is not tried again."""

    def look(self, paths: Iterable[str]) -> None:
        """Sees to the devices that events of `paths` may be about; of `top` itself: to all."""
        places: dict[Place, None] = {}
        for path in paths:
            if (place := self._place(path)) is not None:
                places[place] = None
            elif self._concerns_many(path):
                places |= dict.fromkeys([*self._there(), *self._plugged])
        for place in places:
            self._attempt(place)

    def _place(self, path: str) -> Place | None:
        """The device that a path belongs to."""
        parts = path.removeprefix(f"{self.top}/").split("/")
        if len(parts) < 3 or parts[0] not in KINDS or not path.startswith(f"{self.top}/"):
            return None
        domid, devid = parse_domid(parts[1]), parse_decimal(parts[2])
        return None if domid is None or devid is None else (parts[0], Domid(domid), devid)

    def _concerns_many(self, path: str) -> bool:
        """Whether it is a directory of devices, which may have gone as a whole."""
        parts = path.removeprefix(self.top).split("/")[1:]
        return len(parts) < 3 and (not parts or parts[0] in KINDS)

    def _there(self) -> Iterator[Place]:
        for kind in KINDS:
            guests = self._host.store.list_or_empty(f"{self.top}/{kind}")
            paths = [f"{self.top}/{kind}/{guest}" for guest in guests]
            replies = self._host.store.batch([List(path) for path in paths])
            for path, reply in zip(paths, replies, strict=True):
                devids = known(reply)
                for devid in devids if isinstance(devids, tuple) else ():
                    if place := self._place(f"{path}/{devid}"):
                        yield place

    def _attempt(self, place: Place) -> None:
        """Does what a device needs now. A device that fails is told of, and keeps nobody from the others."""
        try:
            self._see_to(place)
        except StoreClosed:
            raise
        except (XenvmError, XenbusError, OSError) as error:
            self._say(f"{place[0]} {place[2]} of domain {place[1]}: {error}")

    def _see_to(self, place: Place) -> None:
        device = self._read(place)
        connected = device is not None and device.facts.get("hotplug-status") == _CONNECTED
        if not connected and (old := self._plugged.pop(place, None)):
            # Somebody has removed its nodes before they were let go of, or made another device in its place.
            take_apart(self._host, old)
        if device is None:
            self._broken.discard(place)
        elif _is_over(device.state, device.facts.get("online")):
            self._broken.discard(place)
            self._remove(place, device, connected)
        elif connected:
            self._plugged[place] = device
        elif place not in self._broken and bus.parse_state(device.state) == bus.INIT_WAIT:
            self._plug(place, device)

    def _read(self, place: Place) -> Record | None:
        """The device as its nodes tell of it; None if it is none that a toolstack made."""
        kind, domid, devid = place
        back_end = f"{self.top}/{kind}/{domid}/{devid}"
        names = (*_SIGNS, *_FACTS)
        replies = map(known, self._host.store.batch([Read(f"{back_end}/{name}") for name in names]))
        facts = {
            name: value.decode("utf-8", "surrogateescape")
            for name, value in zip(names, replies, strict=True)
            if isinstance(value, bytes)
        }
        if "state" not in facts or "online" not in facts:
            return None
        return Record(domid, kind, devid, back_end, self._own, kind, facts, facts["state"], facts.get("node", ""))

    # Coming.

    def _plug(self, place: Place, device: Record) -> None:
        try:
            (self._plug_vif if device.kind == "vif" else self._plug_vbd)(device)
        except StoreClosed:
            raise
        except (XenvmError, XenbusError, OSError) as error:
            self._broken.add(place)
            self._say(f"{device.name} cannot be served: {error}")
            self._write(device, [("hotplug-error", str(error)), ("hotplug-status", "error")])
        else:
            self._say(f"{device.name} is plugged in")
            self._plugged[place] = self._read(place) or device

    def _plug_vif(self, device: Record) -> None:
        facts = device.facts
        nic = NicSpec(
            device.devid,
            bridge=facts.get("bridge"),
            ip=facts.get("ip"),
            script=facts.get("script"),
            vifname=facts.get("vifname"),
            mtu=parse_decimal(facts.get("mtu")),
            vlan=facts.get("vlan"),
        )
        await_interfaces(self._host, device.domid, [nic])
        if needs_script(self._host, nic) is not None:
            self._run_script(device)
            return
        plug_nic(self._host, device.domid, nic)
        self._write(device, [("hotplug-status", _CONNECTED)])

    def _plug_vbd(self, device: Record) -> None:
        if not is_default(device.facts.get("script"), BLOCK_SCRIPT):
            self._run_script(device)
            return
        block, mode = self._host.plumbing.block, device.facts.get("mode", "r")
        target = block.resolve(device.facts.get("params", ""), mode)
        with block.lock():
            attachment = block.attach(target, mode, vm=_owner(device.domid), others=self._other_disks(device))
        try:
            kept = self._write(device, hotplug_nodes(attachment))
        except BaseException:
            attachment.undo()
            raise
        if not kept:
            attachment.undo()

    def _run_script(self, device: Record) -> None:
        facts, scripts = device.facts, self._host.plumbing.scripts
        gateway = facts.get("gatewaydev", "")
        task = scripts.HotplugDevice(
            device.name, facts.get("script", ""), device.kind, device.domid, device.devid, gateway
        )
        scripts.attach(task, error_reader(self._host, device.backend))

    def _other_disks(self, device: Record) -> list[OtherDisk]:
        """What this domain serves already. Whose disks they are is told by domids: the /vm of guests is not ours to
        read."""
        from xenvm.host.plumbing.block import OtherDisk

        places = [place for place in self._there() if place[0] == "vbd" and place[1:] != (device.domid, device.devid)]
        nodes = [f"{self.top}/vbd/{domid}/{devid}" for _, domid, devid in places]
        replies = self._host.store.batch(
            [Read(f"{path}/{key}") for path in nodes for key in ("physical-device", "mode")]
        )
        texts = [value.decode() if isinstance(value := known(reply), bytes) else "" for reply in replies]
        rows = zip(places, texts[0::2], texts[1::2], strict=True)
        return [OtherDisk(number, mode, _owner(domid), domid) for (_, domid, _), number, mode in rows if number]

    def _write(self, device: Record, values: Iterable[tuple[str, str]]) -> bool:
        """Writes nodes of a device, unless it has gone meanwhile: whether it is there."""
        requests = [Write(f"{device.backend}/{name}", value) for name, value in values]

        def body(tx: Transaction) -> Sequence[Request]:
            return requests if tx.read_or_none(f"{device.backend}/state") is not None else []

        return bool(self._host.store.transact(body))

    # Going.

    def _remove(self, place: Place, device: Record, connected: bool) -> None:
        """Lets go of a device that is closed for good, and removes its nodes, whatever of that fails."""
        self._plugged.pop(place, None)
        try:
            if connected:
                take_apart(self._host, device)
        finally:
            self._host.store.transact(lambda tx: _farewell(tx, device))
        self._say(f"{device.name} is gone")


def _is_over(untrusted_state: bytes | str | None, online: bytes | str | None) -> bool:
    return online in ("0", b"0") and bus.parse_state(untrusted_state) == bus.CLOSED


def _farewell(tx: Transaction, device: Record) -> list[Request]:
    """Only this device: another may have come in its place. The directories above are the toolstack's."""
    state, online = (tx.read_or_none(f"{device.backend}/{name}") for name in ("state", "online"))
    return [Discard(device.backend)] if _is_over(state, online) else []


def _owner(domid: Domid) -> str:
    return f"domain {domid}"
