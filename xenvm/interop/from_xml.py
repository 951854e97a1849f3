"""From libvirt's domain XML (formatdomain) to xl.cfg, and a list of what that has no place for."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.cfg import ListValue, parse
from xenvm.interop.cfgtext import literal, written
from xenvm.interop.from_xml_devices import device_settings
from xenvm.interop.to_xml import Converted
from xenvm.interop.xmlkept import found_in
from xenvm.interop.xmlreader import XmlReader, parse_domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from xenvm.interop.cfgtext import Setting
    from xenvm.interop.xmlkept import Kept

_UNITS = {"b": 1, "bytes": 1, "KB": 10**3, "k": 1 << 10, "KiB": 1 << 10, "MB": 10**6, "M": 1 << 20, "MiB": 1 << 20,
          "GB": 10**9, "G": 1 << 30, "GiB": 1 << 30, "TB": 10**12, "T": 1 << 40, "TiB": 1 << 40}  # fmt: skip
_MIB = 1 << 20
_DEFAULT_EVENTS = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
_TYPES = ("xenpvh", "linux", "xen")
"""All of them are the one type of guest that ARM has."""


def from_xml(data: bytes, source: str) -> Converted:
    """The configuration of a domain. ConfigError if it is no Xen guest that ARM could run."""
    reader = XmlReader(parse_domain(data, source), source)
    domain = reader.root
    kind = reader.attribute(domain, "type")
    if kind != "xen":
        raise ConfigError(f"a domain of type {kind!r} is no Xen guest", source=source)
    reader.attribute(domain, "id")
    kept = found_in(domain)
    devices = reader.child(domain, "devices")
    settings = [*_main(reader), *_vcpus(reader), *_features(reader), *device_settings(reader, devices, kept)]
    text = written(settings) + "".join(_kept_lines(kept, {key for key, _ in settings}))
    _ignore_defaults(reader)
    notes = tuple(f"{source}: xl.cfg has no place for {path}: left out" for path in reader.left())
    parse(text, source)  # what is kept was written by whoever wrote the XML
    return Converted(text, notes)


def _kept_lines(kept: Kept, taken: set[str]) -> Iterator[str]:
    """Settings from the metadata, each read and written anew: nothing else than one assignment can come of it."""
    for key, text in kept.settings().items():
        read = parse(f"{key} = {text}\n", "the metadata").settings
        if len(read) != 1 or key not in read:
            raise ConfigError(f"the setting {key!r} in the metadata is more than one assignment")
        if key not in taken:
            value = read[key].value
            yield f"{key} = {_many_lines(value) if isinstance(value, ListValue) else literal(value)}\n"


def _many_lines(value: ListValue) -> str:
    return "".join(["[\n", *(f"    {literal(item)},\n" for item in value.items), "]"]) if value.items else "[]"


def _main(reader: XmlReader) -> Iterator[Setting]:
    domain, system = reader.root, reader.child(reader.root, "os")
    yield "name", reader.text(domain, "name")
    if uuid := reader.text(domain, "uuid").strip():
        yield "uuid", uuid
    yield "type", _type(reader, system)
    if loader := reader.text(domain, "bootloader"):
        yield "bootloader", loader
    for element, key in (("kernel", "kernel"), ("initrd", "ramdisk"), ("cmdline", "cmdline")):
        if text := reader.text(system, element):
            yield key, text
    most = _memory(reader, "memory")
    current = _memory(reader, "currentMemory") or most
    yield "memory", current
    if most != current:
        yield "maxmem", most
    for event, default in _DEFAULT_EVENTS.items():
        action = reader.text(domain, event).strip() or default
        if action != default:
            yield event, action


def _type(reader: XmlReader, system: Element | None) -> str:
    kind = reader.text(system, "type").strip()
    reader.of(system, "type", "machine")
    arch = reader.of(system, "type", "arch")
    if kind not in _TYPES:
        raise ConfigError(
            f"a guest of type {kind!r} cannot run on ARM: there are xenpvh and linux", source=reader.source
        )
    if arch and arch not in ("aarch64", "armv7l"):
        raise ConfigError(f"a guest for {arch} cannot run on ARM", source=reader.source)
    return "pvh"


def _memory(reader: XmlReader, name: str) -> int:
    """MiB, rounded up; 0 if it is not given."""
    element = reader.child(reader.root, name)
    if element is None:
        return 0
    unit = reader.attribute(element, "unit") or "KiB"
    if unit not in _UNITS:
        raise ConfigError(f"<{name}> has the unknown unit {unit!r}", source=reader.source)
    return -(-reader.number((element.text or "").strip(), f"<{name}>") * _UNITS[unit] // _MIB)


def _vcpus(reader: XmlReader) -> Iterator[Setting]:
    element = reader.child(reader.root, "vcpu")
    pins = _pins(reader)
    if element is None:
        return
    most = reader.number((element.text or "").strip(), "<vcpu>")
    current = reader.attribute(element, "current")
    reader.attribute(element, "placement")
    yield "vcpus", reader.number(current, "vcpu@current") if current else most
    if current:
        yield "maxvcpus", most
    everywhere = reader.attribute(element, "cpuset")
    if pins:
        yield "cpus", [pins.get(vcpu, everywhere or "all") for vcpu in range(most)]
    elif everywhere:
        yield "cpus", everywhere


def _pins(reader: XmlReader) -> dict[int, str]:
    return {
        reader.number(reader.attribute(pin, "vcpu"), "vcpupin@vcpu"): reader.attribute(pin, "cpuset")
        for pin in reader.children(reader.child(reader.root, "cputune"), "vcpupin")
    }


def _features(reader: XmlReader) -> Iterator[Setting]:
    features = reader.child(reader.root, "features")
    if version := reader.of(features, "gic", "version"):
        yield "gic_version", "default" if version == "host" else f"v{version}"
    passthrough = reader.child(reader.child(features, "xen"), "passthrough")
    if passthrough is not None:
        off = reader.attribute(passthrough, "state") == "off"
        mode = reader.attribute(passthrough, "mode")
        yield "passthrough", "disabled" if off else mode or "enabled"


def _ignore_defaults(reader: XmlReader) -> None:
    """Marks what says nothing that a guest of xl would not have anyway."""
    clock = reader.child(reader.root, "clock")
    if reader.attribute(clock, "offset") not in ("", "utc"):
        raise ConfigError("<clock> has an offset that ARM guests cannot have", source=reader.source)
    reader.attribute(clock, "adjustment")
