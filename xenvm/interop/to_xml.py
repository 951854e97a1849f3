"""From xl.cfg to libvirt's domain XML (formatdomain), and a list of what that has no place for."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from xenbus.value import Value
from xenvm.errors import ConfigError
from xenvm.guest.cfg import ListValue, parse
from xenvm.guest.cpus import MAX_CPUS, format_cpus
from xenvm.guest.load import load_text
from xenvm.guest.settings import asks_for_nothing, find
from xenvm.interop.cfgtext import literal
from xenvm.interop.to_xml_devices import add_devices, place_of
from xenvm.interop.xmlkept import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xenvm.guest.cfg import Atom, Config, Diagnostic
    from xenvm.guest.spec import GuestSpec

EXPRESSED = frozenset((
    "name", "uuid", "type", "builder", "kernel", "ramdisk", "cmdline", "root", "extra", "memory", "maxmem",
    "vcpus", "maxvcpus", "cpus", "passthrough", "on_poweroff", "on_reboot", "on_crash", "max_grant_frames",
    "max_event_channels", "gic_version", "disk", "vif", "channel", "pci", "bootloader",
))  # fmt: skip
"""Settings that have a place of their own; all others are kept in the metadata."""
ARCHITECTURES = ("aarch64", "armv7l")


class Converted(Value):
    """The text, and a sentence for each thing that the other language has no place for."""

    text: str
    notes: tuple[str, ...]


def to_xml(
    data: bytes | str, source: str, overrides: Iterable[str] = (), arch: str | None = None
) -> tuple[Converted, tuple[Diagnostic, ...]]:
    """The domain of a configuration, and the configuration's warnings. Raises ConfigErrors as `load_text` does."""
    spec, warnings = load_text(data, source, overrides)
    config = parse(data, source, overrides)
    _check_characters(config)
    kept = Kept()
    _keep_settings(config, kept)
    domain = _domain(spec, arch)
    add_devices(domain, spec, config, kept)
    if len(kept.element):
        _metadata(domain).append(kept.element)
    indent(domain)
    return Converted(tostring(domain, encoding="unicode") + "\n", tuple(kept.notes)), warnings


def _check_characters(config: Config) -> None:
    """XML has no way to write most control characters, nor bytes that are no UTF-8; ConfigError names the setting."""
    for key, setting in config.settings.items():
        for text in _texts(setting.value):
            if any((char < " " and char not in "\t\n") or "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff"
                   for char in text):  # fmt: skip
                source, line = config.place(setting.line)
                reason = f"`{key}' has a character that XML cannot have: {text!r}"
                raise ConfigError(reason, source=source, line=line, column=setting.column)


def _texts(value: Atom | ListValue) -> Iterator[str]:
    if isinstance(value, ListValue):
        for item in value.items:
            yield from _texts(item)
    else:
        yield value.text


def _keep_settings(config: Config, kept: Kept) -> None:
    for key, setting in config.settings.items():
        row = find(key)
        if key in EXPRESSED or row is None or asks_for_nothing(row, setting.value):
            continue
        kept.keep_setting(key, literal(setting.value), place_of(config, setting))


def _domain(spec: GuestSpec, arch: str | None) -> Element:
    domain = Element("domain", {"type": "xen"})
    _text(domain, "name", spec.name)
    if spec.uuid:
        _text(domain, "uuid", spec.uuid)
    SubElement(domain, "metadata")
    _text(domain, "memory", str(spec.maxmem), unit="KiB")
    _text(domain, "currentMemory", str(spec.memory), unit="KiB")
    _add_vcpus(domain, spec)
    if spec.bootloader is not None:
        _text(domain, "bootloader", spec.bootloader.program)
    _add_os(domain, spec, arch)
    _add_features(domain, spec)
    SubElement(domain, "clock", {"offset": "utc", "adjustment": "reset"})
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        _text(domain, event, getattr(spec, event))
    return domain


def _metadata(domain: Element) -> Element:
    found = domain.find("metadata")
    assert found is not None
    return found


def _add_vcpus(domain: Element, spec: GuestSpec) -> None:
    attributes = {"placement": "static"}
    hard = spec.affinity.hard
    if hard and len(set(hard)) == 1:
        attributes["cpuset"] = format_cpus(hard[0], MAX_CPUS)
    if spec.vcpus != spec.maxvcpus:
        attributes["current"] = str(spec.vcpus)
    _text(domain, "vcpu", str(spec.maxvcpus), **attributes)
    if len(set(hard)) > 1:
        tune = SubElement(domain, "cputune")
        for vcpu, cpus in enumerate(hard):
            if cpus is not None:
                SubElement(tune, "vcpupin", {"vcpu": str(vcpu), "cpuset": format_cpus(cpus, MAX_CPUS)})


def _add_os(domain: Element, spec: GuestSpec, arch: str | None) -> None:
    """The machine: on ARM libvirt's driver offers pv guests only, of which libxl makes the pvh ones that they are.

    libvirt's schema knows no Xen guests on ARM: only where the architecture is not given is the document valid, and it
    is the host's then.
    """
    system = SubElement(domain, "os")
    _text(system, "type", "linux", **({"arch": arch} if arch else {}), machine="xenpv")
    if spec.kernel:
        _text(system, "kernel", spec.kernel)
    if spec.ramdisk:
        _text(system, "initrd", spec.ramdisk)
    if spec.cmdline:
        _text(system, "cmdline", spec.cmdline)


def _add_features(domain: Element, spec: GuestSpec) -> None:
    features = Element("features")
    if spec.gic_version != "default":
        SubElement(features, "gic", {"version": spec.gic_version.removeprefix("v")})
    if spec.passthrough != "default":
        modes = {"disabled": {"state": "off"}, "share_pt": {"state": "on", "mode": "share_pt"}}
        SubElement(SubElement(features, "xen"), "passthrough", modes[spec.passthrough])
    if len(features):
        domain.append(features)


def _text(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(parent, name, attributes).text = text
