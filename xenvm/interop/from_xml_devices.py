"""Devices of libvirt's domain XML as settings of xl.cfg, with those parts that the metadata has kept."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.interop.to_xml_devices import pci_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from xenvm.interop.cfgtext import Setting
    from xenvm.interop.xmlkept import Kept
    from xenvm.interop.xmlreader import XmlReader

_BACKENDS = {"phy": "phy", "qemu": "qdisk", "tap": "tap", "tap2": "tap", "tapdisk": "tap", "file": "tap"}
_FLAGS = {"1": "trusted", "0": "untrusted"}


def device_settings(reader: XmlReader, devices: Element | None, kept: Kept) -> Iterator[Setting]:
    """The settings that make the same devices."""
    lists = {
        "disk": [_disk(reader, disk, kept) for disk in reader.children(devices, "disk")] + kept.items("disk"),
        "vif": [_vif(reader, nic, kept, number) for number, nic in enumerate(reader.children(devices, "interface"))],
        "channel": [_channel(reader, channel) for channel in reader.children(devices, "channel")],
        "pci": [_pci(reader, hostdev, kept) for hostdev in _pci_devices(reader, devices)],
    }
    yield from ((key, items) for key, items in lists.items() if items)
    yield from _limits(reader, devices)
    _ignore_console(reader, devices)


def _disk(reader: XmlReader, disk: Element, kept: Kept) -> str:
    vdev, driver = reader.of(disk, "target", "dev"), reader.child(disk, "driver")
    reader.of(disk, "target", "bus")
    extra = kept.device("disk", vdev)
    source = reader.child(disk, "source")
    name = reader.attribute(driver, "name")
    cdrom = reader.attribute(disk, "device") == "cdrom"
    target = reader.attribute(source, "file") or reader.attribute(source, "dev")
    reader.attribute(disk, "type")
    readonly = reader.child(disk, "readonly") is not None
    words = [
        f"format={reader.attribute(driver, 'type') or 'raw'}" if target else "format=empty",
        f"vdev={vdev}",
        f"access={'ro' if readonly or cdrom else 'rw'}",
        _pair("backendtype", _BACKENDS.get(name, "") or extra.get("backendtype", "")),
        _pair("backend", reader.of(disk, "backenddomain", "name")),
        _pair("script", extra.get("script", "")),
        _pair("specification", extra.get("specification", "")),
        _pair("grant_usage", extra.get("grant_usage", "")),
        "cdrom" if cdrom else "",
        {"unmap": "discard", "ignore": "no-discard"}.get(reader.attribute(driver, "discard"), ""),
        "direct-io-safe" if extra.get("direct-io-safe") else "",
        _FLAGS.get(extra.get("trusted", ""), ""),
    ]
    if name and name not in _BACKENDS:
        raise ConfigError(f"the disk {vdev} has the unknown driver {name!r}", source=reader.source)
    _check(reader, f"the disk {vdev}", [*words, *([] if "," not in vdev else [vdev])])
    # Last, as it swallows the rest.
    return ",".join([word for word in words if word] + ([f"target={target}"] if target else []))


def _vif(reader: XmlReader, nic: Element, kept: Kept, number: int) -> str:
    extra = kept.device("vif", str(number))
    kind = reader.attribute(nic, "type")
    if kind not in ("bridge", "ethernet"):
        raise ConfigError(
            f"an interface of type {kind!r} cannot be written in xl.cfg: there are bridge and ethernet",
            source=reader.source,
        )
    bridge = reader.of(nic, "source", "bridge")
    addresses = [reader.attribute(address, "address") for address in reader.children(nic, "ip")]
    for address in reader.children(nic, "ip"):
        reader.attribute(address, "family")
    words = [
        _pair("mac", reader.of(nic, "mac", "address")),
        _pair("bridge", "" if extra.get("default-bridge") else bridge),
        _pair("script", reader.of(nic, "script", "path")),
        _pair("ip", " ".join(addresses)),
        _pair("backend", reader.of(nic, "backenddomain", "name")),
        _pair("vifname", _vifname(reader.of(nic, "target", "dev"))),
        _pair("model", reader.of(nic, "model", "type")),
        _pair("mtu", reader.of(nic, "mtu", "size")),
        _pair("rate", _rate(reader, nic, extra.get("rate", ""))),
        *(_pair(key, extra.get(key, "")) for key in ("gatewaydev", "vlan", "devid")),
        _FLAGS.get(extra.get("trusted", ""), ""),
    ]
    _check(reader, f"the interface {number}", words)
    return ",".join(word for word in words if word)


def _vifname(name: str) -> str:
    """The name of an interface, but not the usual one, which libvirt tells of a guest that runs."""
    domid, _, devid = name.removeprefix("vif").partition(".")
    return "" if name.startswith("vif") and domid.isdigit() and devid.isdigit() else name


def _rate(reader: XmlReader, nic: Element, exact: str) -> str:
    """The rate as it was, unless the XML has changed since; else in kilobytes a second."""
    average = reader.of(reader.child(nic, "bandwidth"), "outbound", "average")
    if not average:
        return ""
    whole = reader.number(average, "bandwidth/outbound@average")
    quota, _, micros = exact.partition("/")
    if quota.isdigit() and micros.isdigit() and int(micros) and max(1, int(quota) * 1000 // int(micros)) == whole:
        return f"{int(quota) * 1_000_000 // int(micros)}B/s@{int(micros)}us"
    return f"{whole}KB/s"


def _channel(reader: XmlReader, channel: Element) -> str:
    name = reader.of(channel, "target", "name")
    reader.of(channel, "target", "type")
    unix = reader.attribute(channel, "type") == "unix"
    path = reader.of(channel, "source", "path")
    reader.of(channel, "source", "mode")
    words = [f"connection={'socket' if unix else 'pty'}", f"name={name}", *([f"path={path}"] if unix else [])]
    _check(reader, f"the channel {name}", words)
    return ",".join(words)


def _pci_devices(reader: XmlReader, devices: Element | None) -> list[Element]:
    """Host devices on a PCI bus; others are left over, and told as such."""
    if devices is None:
        return []
    found = [hostdev for hostdev in devices.findall("hostdev") if hostdev.get("type") == "pci"]
    if len(found) == len(devices.findall("hostdev")):
        reader.children(devices, "hostdev")
    return found


def _pci(reader: XmlReader, hostdev: Element, kept: Kept) -> str:
    for name in ("mode", "type", "managed"):
        reader.attribute(hostdev, name)
    source = reader.child(hostdev, "source")
    permissive = reader.attribute(source, "writeFiltering") == "no"
    address = reader.child(source, "address")
    numbers = {key: reader.attribute(address, key) or "0x0" for key in ("domain", "bus", "slot")}
    try:
        identity = pci_identity(numbers, reader.attribute(address, "function") or "0x0")
    except ValueError:
        raise ConfigError("a host device has no valid PCI address", source=reader.source) from None
    options = kept.device("pci", identity) | ({"permissive": "1"} if permissive else {})
    words = [identity, *(f"{key}={value}" for key, value in options.items())]
    _check(reader, f"the PCI device {identity}", words)
    return ",".join(words)


def _limits(reader: XmlReader, devices: Element | None) -> Iterator[Setting]:
    for controller in reader.children(devices, "controller"):
        reader.attribute(controller, "index")
        if reader.attribute(controller, "type") != "xenbus":
            continue
        for attribute, key in (("maxGrantFrames", "max_grant_frames"), ("maxEventChannels", "max_event_channels")):
            if limit := reader.attribute(controller, attribute):
                yield key, reader.number(limit, f"controller@{attribute}")


def _ignore_console(reader: XmlReader, devices: Element | None) -> None:
    """Every guest has one."""
    for console in reader.children(devices, "console"):
        for name in ("type", "tty"):
            reader.attribute(console, name)
        for name in ("type", "port"):
            reader.of(console, "target", name)
        reader.of(console, "source", "path")


def _pair(key: str, value: str) -> str:
    return f"{key}={value}" if value else ""


def _check(reader: XmlReader, what: str, words: list[str]) -> None:
    """A comma within a part would make another part of it."""
    bad = next((word for word in words if "," in word), None)
    if bad is not None:
        raise ConfigError(f"{what}: xl.cfg has no way to write a comma in {bad!r}", source=reader.source)
