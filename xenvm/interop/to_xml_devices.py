"""Devices of xl.cfg as elements of libvirt's domain XML; what an element cannot express goes to the metadata."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from xenvm.guest.cfg import ListValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.cfg import Atom, Config, Setting
    from xenvm.guest.spec import DiskSpec, GuestSpec, NicSpec
    from xenvm.interop.xmlkept import Kept

_DRIVERS = {"phy": "phy", "qdisk": "qemu", "tap": "tap"}
_XENBUS = (("max_grant_frames", "maxGrantFrames", -1), ("max_event_channels", "maxEventChannels", 1023))


def add_devices(domain: Element, spec: GuestSpec, config: Config, kept: Kept) -> None:
    """Adds all devices."""
    devices = SubElement(domain, "devices")
    for disk in spec.disks:
        _add_disk(devices, disk, kept, config)
    _add_xenbus(devices, spec)
    for number, nic in enumerate(spec.nics):
        _add_nic(devices, nic)
        kept.keep_device("vif", str(number), _nic_extra(nic, number), place_of(config, nic))
    console = SubElement(devices, "console", {"type": "pty"})
    SubElement(console, "target", {"type": "xen", "port": "0"})
    for atom in _strings(config, "channel"):
        _add_channel(devices, atom.text)
    for atom in _strings(config, "pci"):
        identity, options = _add_pci(devices, atom.text)
        kept.keep_device("pci", identity, options, place_of(config, atom))


def place_of(config: Config, what: Atom | Setting | DiskSpec | NicSpec) -> str:
    """Where something stands, for messages."""
    source, line = config.place(what.line)
    return f"{source}:{line}:{what.column}" if what.line else source


def _strings(config: Config, key: str) -> list[Atom]:
    setting = config.settings.get(key)
    items = setting.value.items if setting is not None and isinstance(setting.value, ListValue) else ()
    return [item for item in items if not isinstance(item, ListValue)]


def _add_disk(devices: Element, disk: DiskSpec, kept: Kept, config: Config) -> None:
    """One disk; not if its target is no path, as scripts have them, which is no disk for libvirt."""
    place = place_of(config, disk)
    if disk.target and not disk.target.startswith("/"):
        written = next(atom for atom in _strings(config, "disk") if disk.target in atom.text and disk.vdev in atom.text)
        kept.keep_item("disk", written.text, place)
        return
    block = disk.backendtype == "phy" or disk.target.startswith("/dev/")
    element = SubElement(
        devices, "disk", {"type": "block" if block else "file", "device": "cdrom" if disk.cdrom else "disk"}
    )
    driver = {"name": _DRIVERS.get(disk.backendtype or "", ""), "type": disk.format if disk.format != "empty" else ""}
    driver["discard"] = {True: "unmap", False: "ignore", None: ""}[disk.discard]
    SubElement(element, "driver", _given(driver))
    if disk.target:
        SubElement(element, "source", {"dev" if block else "file": disk.target})
    if disk.backend != "0":
        SubElement(element, "backenddomain", {"name": disk.backend})
    SubElement(element, "target", {"dev": disk.vdev, "bus": "xen"})
    if not disk.readwrite:
        SubElement(element, "readonly")
    kept.keep_device("disk", disk.vdev, _disk_extra(disk), place)


def _disk_extra(disk: DiskSpec) -> dict[str, str]:
    flags = {"trusted": disk.trusted, "grant_usage": disk.grant_usage}
    extra = {key: str(int(value)) for key, value in flags.items() if value is not None}
    if disk.script:
        extra["script"] = disk.script
    if disk.direct_io_safe:
        extra["direct-io-safe"] = "1"
    if disk.specification != "xen":
        extra["specification"] = disk.specification
    if disk.backendtype == "standalone":
        extra["backendtype"] = disk.backendtype
    return extra


def _given(attributes: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in attributes.items() if value}


def _add_xenbus(devices: Element, spec: GuestSpec) -> None:
    limits = {name: str(getattr(spec, key)) for key, name, default in _XENBUS if getattr(spec, key) != default}
    if limits:
        SubElement(devices, "controller", {"type": "xenbus", "index": "0", **limits})


def _add_nic(devices: Element, nic: NicSpec) -> None:
    bridged = nic.bridge is not None or not (nic.ip or nic.script)
    element = SubElement(devices, "interface", {"type": "bridge" if bridged else "ethernet"})
    if nic.mac:
        SubElement(element, "mac", {"address": nic.mac})
    if bridged:
        SubElement(element, "source", {"bridge": nic.bridge or "xenbr0"})
    if nic.script:
        SubElement(element, "script", {"path": nic.script})
    for address in (nic.ip or "").split():
        SubElement(element, "ip", {"address": address, "family": "ipv6" if ":" in address else "ipv4"})
    if nic.backend != "0":
        SubElement(element, "backenddomain", {"name": nic.backend})
    if nic.vifname:
        SubElement(element, "target", {"dev": nic.vifname})
    if nic.model:
        SubElement(element, "model", {"type": nic.model})
    if nic.mtu:
        SubElement(element, "mtu", {"size": str(nic.mtu)})
    if nic.rate:
        _add_rate(element, nic.rate)


def _add_rate(element: Element, rate: tuple[int, int]) -> None:
    """libvirt's unit is 1000 bytes a second; what is less is still a limit."""
    quota, micros = rate
    average = max(1, quota * 1000 // micros)
    SubElement(SubElement(element, "bandwidth"), "outbound", {"average": str(average)})


def _nic_extra(nic: NicSpec, number: int) -> dict[str, str]:
    extra = {key: value for key in ("gatewaydev", "vlan") if (value := getattr(nic, key))}
    if nic.bridge is None and not (nic.ip or nic.script):
        extra["default-bridge"] = "1"
    if nic.trusted is not None:
        extra["trusted"] = str(int(nic.trusted))
    if nic.devid != number:
        extra["devid"] = str(nic.devid)
    if nic.rate and nic.rate != _plain_rate(nic.rate):
        extra["rate"] = f"{nic.rate[0]}/{nic.rate[1]}"
    return extra


def _plain_rate(rate: tuple[int, int]) -> tuple[int, int]:
    """What becomes of a rate that is written as whole kilobytes a second."""
    average = max(1, rate[0] * 1000 // rate[1])
    return average * 50, 50_000


def _add_channel(devices: Element, text: str) -> None:
    pairs = {key.strip(): value.strip() for key, _, value in (item.partition("=") for item in text.split(","))}
    unix = pairs.get("connection") == "socket"
    channel = SubElement(devices, "channel", {"type": "unix" if unix else "pty"})
    if unix:
        SubElement(channel, "source", {"mode": "bind", "path": pairs.get("path", "")})
    SubElement(channel, "target", {"type": "xen", "name": pairs.get("name", "")})


def _add_pci(devices: Element, text: str) -> tuple[str, dict[str, str]]:
    """One host device; its address and those options that the element lacks."""
    address, *options = (word.strip() for word in text.split(","))
    hostdev = SubElement(devices, "hostdev", {"mode": "subsystem", "type": "pci", "managed": "no"})
    domain_bus, _, function = address.rpartition(".")
    slots = domain_bus.split(":")
    parts = {"domain": slots[-3] if len(slots) > 2 else "0000", "bus": slots[-2], "slot": slots[-1]}
    numbers = {key: f"0x{value}" for key, value in parts.items()}
    SubElement(SubElement(hostdev, "source"), "address", {**numbers, "function": f"0x{function}"})
    return pci_identity(numbers, function), dict(option.split("=", 1) for option in options if "=" in option)


def pci_identity(numbers: dict[str, str], function: str) -> str:
    """``DDDD:BB:DD.F`` of an address."""
    domain, bus, slot = (int(numbers[key], 16) for key in ("domain", "bus", "slot"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{int(function, 16):x}"
