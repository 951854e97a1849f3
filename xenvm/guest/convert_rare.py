"""Converters of the settings that few guests have, loaded for those; see :mod:`xenvm.guest.convert`."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest import device_text
from xenvm.guest.numerals import decimal, integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenvm.guest.access import Reader
    from xenvm.guest.cfg import Atom
    from xenvm.guest.classes import VsndSpec
    from xenvm.guest.settings import Row

_U32 = (1 << 32) - 1
_MOST_COLORS = 1 << 16
_VECTORS = range(128, 2049, 128)


def _sve(reader: Reader, row: Row) -> int | None:
    text = (reader.text(row.key) or "").lower()
    if text in ("", "disabled", "hw"):
        return -1 if text == "hw" else 0
    bits = decimal(text)
    if bits in _VECTORS and text == str(bits):
        return bits
    reader.error(row.key, f"`sve' must be disabled, hw or a multiple of 128 up to 2048, not `{text}'")
    return None


def _arm_sci(reader: Reader, row: Row) -> str | None:
    text = reader.text(row.key) or ""
    kind = "none"
    for item in filter(None, text.split(",")):
        key, _, value = item.partition("=")
        if key != "type" or value.lower() not in ("none", "scmi_smc"):
            reader.error(row.key, f"`arm_sci' must be type=none or type=scmi_smc, not `{text}'")
            return None
        kind = value.lower()
    return kind


def _colors(reader: Reader, row: Row) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for atom in reader.atoms(row.key):
        first, dash, last = atom.text.partition("-")
        low = decimal(first)
        high = decimal(last) if dash else low
        if low is None or high is None or not low <= high < _MOST_COLORS:
            reader.error(row.key, f"`llc_colors' are numbers or ranges such as 0-3, not `{atom.text}'", atom)
        else:
            found.update(dict.fromkeys(range(low, high + 1)))
    return tuple(found)


def _quota(reader: Reader, row: Row) -> tuple[tuple[str, int], ...]:
    found = {}
    for atom in reader.atoms(row.key):
        name, equals, text = atom.text.partition("=")
        value = integer(text)
        if not equals or not name or value is None or not 0 <= value <= _U32:
            reader.error(row.key, f"`xenstore_quota' is NAME=NUMBER, not `{atom.text}'", atom)
        elif name in found:
            reader.error(row.key, f"`xenstore_quota' names {name} twice", atom)
        else:
            found[name] = value
    return tuple(found.items())


def _devices(parse: Callable[[str], Any]) -> Callable[[Reader, Row], tuple[Any, ...]]:
    """A converter for a list of texts, each read by `parse`."""

    def convert(reader: Reader, row: Row) -> tuple[Any, ...]:
        found = []
        for atom in reader.atoms(row.key):
            try:
                found.append(parse(atom.text))
            except ConfigError as error:
                reader.fail(row.key, error, atom)
        return tuple(found)

    return convert


def _channels(reader: Reader, row: Row) -> tuple[Any, ...]:
    found = _devices(device_text.channel)(reader, row)
    names = [channel.name for channel in found]
    for name in {name for name in names if names.count(name) > 1}:
        reader.error(row.key, f"two channels are called {name}")
    return found


def _p9s(reader: Reader, row: Row) -> tuple[Any, ...]:
    guest = reader.text("name") or ""
    return _devices(lambda text: device_text.p9(text, guest))(reader, row)


def _pvcalls(reader: Reader, row: Row) -> tuple[Any, ...]:
    found = _devices(device_text.pvcalls)(reader, row)
    if len(found) > 1:
        reader.error(row.key, "`pvcalls' can have one element only")
    return found


def _vsnds(reader: Reader, row: Row) -> tuple[VsndSpec, ...]:
    found = []
    for card in reader.lists(row.key):
        texts: list[Atom] = list(card)
        try:
            found.append(device_text.vsnd([atom.text for atom in texts]))
        except ConfigError as error:
            reader.error(row.key, error.reason, texts[0] if texts else None)
    return tuple(found)


CONVERTERS: dict[str, Callable[[Reader, Row], Any]] = {
    "arm_sci": _arm_sci,
    "channels": _channels,
    "colors": _colors,
    "p9s": _p9s,
    "pvcalls": _pvcalls,
    "quota": _quota,
    "sve": _sve,
    "vdispls": _devices(device_text.vdispl),
    "virtios": _devices(device_text.virtio),
    "vkbs": _devices(device_text.vkb),
    "vsnds": _vsnds,
}
