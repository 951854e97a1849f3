"""convert: between xl.cfg and libvirt's domain XML, on any machine."""

from __future__ import annotations

import sys

from xenvm.errors import ConfigError
from xenvm.guest.load import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.interop.to_xml import Converted


def convert(config: str, settings: tuple[str, ...], output: str | None, to: str | None, arch: str | None) -> None:
    """Writes the other of the two languages, and tells on the error output what it has no place for."""
    data = read_file(config)
    is_xml = data.lstrip().startswith(b"<")
    wanted = to or ("cfg" if is_xml else "xml")
    if wanted not in ("cfg", "xml"):
        raise ConfigError(f"{wanted!r} is neither xml nor cfg", source="--to")
    if is_xml and settings:
        raise ConfigError("settings can be added to an xl.cfg only", source=config)
    converted = _of_xml(data, config, wanted, arch) if is_xml else _of_cfg(data, config, settings, wanted, arch)
    for note in converted.notes:
        print(f"xenvm: {note}", file=sys.stderr)
    if output is None:
        sys.stdout.write(converted.text)
        return
    with open(output, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(converted.text)


def _of_xml(data: bytes, source: str, wanted: str, arch: str | None) -> Converted:
    from xenvm.interop.from_xml import from_xml

    converted = from_xml(data, source)
    if wanted == "xml":  # once through and back: what libvirt added by itself is gone
        return _of_cfg(converted.text, source, (), wanted, arch)
    return converted


def _of_cfg(data: bytes | str, source: str, settings: tuple[str, ...], wanted: str, arch: str | None) -> Converted:
    from xenvm.interop.to_xml import ARCHITECTURES, to_xml

    if arch and arch not in ARCHITECTURES:
        raise ConfigError(f"{arch!r} is none of {', '.join(ARCHITECTURES)}", source="--arch")
    converted, warnings = to_xml(data, source, settings, arch)
    for warning in warnings:
        print(f"xenvm: {warning}", file=sys.stderr)
    if wanted == "cfg":
        from xenvm.interop.from_xml import from_xml

        return from_xml(converted.text.encode("utf-8", "surrogateescape"), source)
    return converted
