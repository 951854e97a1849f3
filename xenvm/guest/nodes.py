"""The xenstore subtrees of a guest: every node, value and permission that libxl writes for it on ARM, as values.

Nothing is written here. A :class:`Node` without permissions inherits its parent's, as xenstored does it, which saves
a request for each. Paths and meanings: Xen's docs/misc/xenstore-paths.pandoc and public/io/*.h.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.guest.layout import CONSOLE_GFN, VUART_GFN, XENSTORE_GFN
from xenvm.types import DOM0, Domid, KiB, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.guest.spec import DiskSpec, GuestSpec, NicSpec

    Entries = tuple[tuple[str, str], ...]

BLOCK_SCRIPT = "/etc/xen/scripts/block"
VIF_SCRIPT = "/etc/xen/scripts/vif-bridge"
DEFAULT_MTU = 1500
CONSOLE_LIMIT = "1048576"
"""Bytes that xenconsoled buffers for a console nobody reads."""

_GUEST_OWNED_CONTROL = ("shutdown", "feature-poweroff", "feature-reboot", "feature-suspend", "sysrq")
_GUEST_OWNED = ("data", "drivers", "feature", "attr", "error")


class Node(Value):
    """One node to write; `perms` as xenstore-ls shows them (``n0,r5``: owner, then readers), None: inherited."""

    path: str
    value: str = ""
    perms: str | None = None


class Identity(Value):
    """Who the domain is, once Xen has given it a number."""

    domid: Domid
    uuid: str
    name: str

    @property
    def home(self) -> str:
        """The domain's own directory."""
        return f"/local/domain/{self.domid}"

    @property
    def vm(self) -> str:
        """The directory that survives reboots."""
        return f"/vm/{self.uuid}"

    @property
    def private(self) -> str:
        """The toolstack's own directory, which the guest cannot read."""
        return f"/libxl/{self.domid}"


class Ports(Value):
    """The guest's ends of the event channels to the daemons."""

    store: Port
    console: Port
    vuart: Port | None = None


class Sizes(Value):
    """What the guest is told of its memory and vCPUs."""

    static_max: KiB
    target: KiB
    vcpus: int
    max_vcpus: int


def domain_nodes(who: Identity) -> Iterator[Node]:
    """The domain's directories and names: what libxl writes first."""
    ro, rw = f"n0,r{who.domid}", f"n{who.domid}"
    yield Node(who.home, "", ro)
    yield Node(who.vm, "", ro)
    yield Node(who.private, "", "n0")
    yield Node(f"{who.private}/device")
    yield Node(f"{who.home}/vm", who.vm)
    yield Node(f"{who.home}/name", who.name)
    yield Node(f"{who.vm}/name", who.name)
    for name in ("cpu", "memory", "device"):
        yield Node(f"{who.home}/{name}")
    yield Node(f"{who.home}/device/suspend/event-channel", "", rw)
    yield Node(f"{who.home}/control")
    for name in _GUEST_OWNED_CONTROL:
        yield Node(f"{who.home}/control/{name}", "", rw)
    for name in _GUEST_OWNED:
        yield Node(f"{who.home}/{name}", "", rw)
    yield Node(f"{who.vm}/uuid", who.uuid)
    yield Node(f"{who.home}/control/platform-feature-multiprocessor-suspend", "1")
    yield Node(f"{who.home}/control/platform-feature-xs_reset_watches", "1")
    # Without the type, xl takes every ARM guest for an x86 HVM one and looks for a device model.
    yield Node(f"{who.private}/type", "pvh")
    yield Node(f"{who.private}/dm-version", "qemu_xen")


def build_nodes(who: Identity, sizes: Sizes, store_port: Port, start_time: str) -> Iterator[Node]:
    """Memory, vCPUs and the store's own ring; `start_time` in seconds with two decimals."""
    yield Node(f"{who.home}/memory/static-max", str(sizes.static_max))
    yield Node(f"{who.home}/memory/target", str(sizes.target))
    yield Node(f"{who.home}/memory/videoram", "0")
    yield Node(f"{who.home}/domid", str(who.domid))
    yield Node(f"{who.home}/store/port", str(store_port))
    yield Node(f"{who.home}/store/ring-ref", str(XENSTORE_GFN))
    for vcpu in range(sizes.max_vcpus):
        yield Node(f"{who.home}/cpu/{vcpu}/availability", "online" if vcpu < sizes.vcpus else "offline")
    yield Node(f"{who.vm}/start_time", start_time)


class Device(Value):
    """One device: its two ends and the toolstack's own record of it, which is what xl lists and removes by."""

    kind: str
    """Of the front end and of the record: vbd, vif, console, vuart."""
    devid: int
    domid: Domid
    back: Entries
    front: Entries = ()
    front_readonly: Entries = ()
    """Entries of the front end that the guest may read but not write."""
    plumbed: Entries = ()
    """Entries of the back end that a hotplug script would add; not part of the record."""
    backend_domid: Domid = DOM0
    back_kind: str = ""
    front_path: str = ""
    front_owned: bool = True
    """Whether the guest owns its end; it does not own the primary console's."""

    @property
    def frontend(self) -> str:
        """Path of the front end."""
        return self.front_path or f"/local/domain/{self.domid}/device/{self.kind}/{self.devid}"

    @property
    def backend(self) -> str:
        """Path of the back end."""
        kind = self.back_kind or self.kind
        return f"/local/domain/{self.backend_domid}/backend/{kind}/{self.domid}/{self.devid}"

    @property
    def record(self) -> str:
        """Path of the toolstack's record."""
        return f"/libxl/{self.domid}/device/{self.kind}/{self.devid}"

    def nodes(self) -> Iterator[Node]:
        """All nodes of the device, in an order in which parents come first."""
        front, back, record = self.frontend, self.backend, self.record
        guest_owned, read_only = f"n{self.domid},r{self.backend_domid}", f"n{self.backend_domid},r{self.domid}"
        yield Node(f"{record}/frontend", front)
        yield Node(f"{record}/backend", back)
        yield Node(front, "", guest_owned if self.front_owned else read_only)
        yield Node(f"{front}/backend", back)
        for key, value in self.front:
            yield Node(f"{front}/{key}", value, None if self.front_owned else guest_owned)
        for key, value in self.front_readonly:
            yield Node(f"{front}/{key}", value, read_only if self.front_owned else None)
        yield Node(back, "", read_only)
        yield Node(f"{back}/frontend", front)
        for key, value in self.back:
            yield Node(f"{back}/{key}", value)
            yield Node(f"{record}/{key}", value)
        for key, value in self.plumbed:
            yield Node(f"{back}/{key}", value)


def console_device(domid: Domid, port: Port, backend: Domid = DOM0) -> Device:
    """The primary console, served by xenconsoled, which fills in ``tty``."""
    return Device(
        "console",
        0,
        domid,
        back=_served_by_xenconsoled(domid),
        front=(("backend-id", str(backend)),),
        front_readonly=(
            ("limit", CONSOLE_LIMIT),
            ("type", "xenconsoled"),
            ("output", "pty"),
            ("tty", ""),
            ("port", str(port)),
            ("ring-ref", str(CONSOLE_GFN)),
        ),
        backend_domid=backend,
        front_path=f"/local/domain/{domid}/console",
        front_owned=False,
    )


def vuart_device(domid: Domid, port: Port, backend: Domid = DOM0) -> Device:
    """The emulated SBSA UART: Xen fills its ring, xenconsoled serves it."""
    return Device(
        "vuart",
        0,
        domid,
        back=_served_by_xenconsoled(domid),
        front_readonly=(
            ("port", str(port)),
            ("ring-ref", str(VUART_GFN)),
            ("limit", CONSOLE_LIMIT),
            ("type", "xenconsoled"),
        ),
        backend_domid=backend,
        front_path=f"/local/domain/{domid}/vuart/0",
        front_owned=False,
    )


def _served_by_xenconsoled(domid: Domid) -> Entries:
    return ("frontend-id", str(domid)), ("online", "1"), ("state", "1"), ("protocol", "vt100")


def disk_device(
    domid: Domid, disk: DiskSpec, release: tuple[int, int], *, backend: Domid = DOM0, plumbed: Entries = ()
) -> Device:
    """A vbd served by blkback; `release` is Xen's (major, minor): newer toolstacks write more keys."""
    front = [("backend-id", str(backend)), ("state", "1"), ("virtual-device", str(disk.devid))]
    front.append(("device-type", _device_type(disk)))
    if release >= (4, 17):
        front.append(("trusted", _flag(disk.trusted is not False)))
    return Device(
        "vbd",
        disk.devid,
        domid,
        back=tuple(_disk_back_end(domid, disk, release)),
        front=tuple(front),
        plumbed=plumbed,
        backend_domid=backend,
    )


def _disk_back_end(domid: Domid, disk: DiskSpec, release: tuple[int, int]) -> Iterator[tuple[str, str]]:
    yield "params", disk.target
    yield "script", script_path(disk.script or BLOCK_SCRIPT)
    yield "frontend-id", str(domid)
    yield "online", "1"
    yield "removable", _flag(disk.removable)
    yield "bootable", "1"
    yield "state", "1"
    yield "dev", disk.vdev
    yield "type", "phy"
    yield "mode", "w" if disk.readwrite else "r"
    yield "device-type", _device_type(disk)
    if disk.direct_io_safe:
        yield "direct-io-safe", "1"
    yield "discard-enable", _flag(disk.readwrite if disk.discard is None else disk.discard)
    if release >= (4, 17):
        yield "specification", disk.specification


def nic_device(
    domid: Domid, nic: NicSpec, release: tuple[int, int], *, backend: Domid = DOM0, plumbed: Entries = ()
) -> Device:
    """A vif served by netback; its MAC and bridge must have been chosen."""
    assert nic.mac is not None, "the caller chooses the MAC"
    devid = str(nic.devid)
    front = [("backend-id", str(backend)), ("state", "1"), ("handle", devid), ("mac", nic.mac)]
    if release >= (4, 17):
        front.append(("trusted", _flag(nic.trusted is not False)))
    return Device(
        "vif",
        nic.devid,
        domid,
        back=tuple(_nic_back_end(domid, nic)),
        front=tuple(front),
        front_readonly=(("mtu", str(nic.mtu or DEFAULT_MTU)),),
        plumbed=plumbed,
        backend_domid=backend,
    )


def _nic_back_end(domid: Domid, nic: NicSpec) -> Iterator[tuple[str, str]]:
    yield from (("frontend-id", str(domid)), ("online", "1"), ("state", "1"))
    yield "script", script_path(nic.script or VIF_SCRIPT)
    optional = (
        ("vifname", nic.vifname),
        ("mac", nic.mac),
        ("ip", nic.ip),
        ("gatewaydev", nic.gatewaydev),
        ("rate", ",".join(map(str, nic.rate)) if nic.rate else None),
        ("mtu", str(nic.mtu) if nic.mtu not in (None, DEFAULT_MTU) else None),
        ("vlan", nic.vlan),
        ("bridge", nic.bridge),
    )
    yield from ((key, value) for key, value in optional if value)
    yield "handle", str(nic.devid)
    yield "type", "vif"
    # netback waits for this node to become "connected": it must be there, and empty.
    yield "hotplug-status", ""


def script_path(script: str) -> str:
    """Where a hotplug script lies: names without a slash are the host's own."""
    return script if script.startswith("/") else f"/etc/xen/scripts/{script}"


def _device_type(disk: DiskSpec) -> str:
    return "cdrom" if disk.cdrom else "disk"


def _flag(value: bool) -> str:
    return "1" if value else "0"


def guest_nodes(
    who: Identity, spec: GuestSpec, ports: Ports, start_time: str, disks: list[Device], nics: list[Device]
) -> Iterator[Node]:
    """All nodes of a guest, in the order in which libxl makes them."""
    yield from domain_nodes(who)
    if spec.driver_domain:
        # For the toolstack and the QEMU in the guest, which serve others.
        yield Node(f"{who.home}/libxl", "", f"n{who.domid}")
        yield Node(f"{who.home}/device-model", "", f"n{who.domid}")
    yield from build_nodes(who, Sizes(spec.maxmem, spec.memory, spec.vcpus, spec.maxvcpus), ports.store, start_time)
    consoles = [console_device(who.domid, ports.console)]
    if ports.vuart is not None:
        consoles.insert(0, vuart_device(who.domid, ports.vuart))
    for device in [*disks, *consoles, *nics]:
        yield from device.nodes()
