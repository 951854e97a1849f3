"""Converters: from one setting of xl.cfg to the value of one field of GuestSpec.

A converter takes a Reader and the setting's row and returns the value; or None, where the setting is empty or wrong,
after it has recorded the error.
"""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.access import LARGEST
from xenvm.guest.numerals import decimal, hexadecimal
from xenvm.guest.spec import ACTIONS, IomemRange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenvm.guest.access import Reader
    from xenvm.guest.cfg import Atom
    from xenvm.guest.settings import Row
    from xenvm.guest.spec import DiskSpec, NicSpec

_VIF_RULES = (("no unit", "XV039"), ("octal", "XV023"))
"""Rules of a vif's warnings, by a word in them."""
_UUID_GROUPS = (8, 4, 4, 4, 12)
_MAX_PAGES = 1 << 40
"""Pages that a physical address of 52 bits reaches."""


def convert(reader: Reader, row: Row) -> Any:
    """The value for `row.field`, or None if the field stays at its default."""
    found = _CONVERTERS.get(row.converter)
    if found is None:
        from xenvm.guest.convert_rare import CONVERTERS

        found = CONVERTERS[row.converter]
    return found(reader, row)


def _path(reader: Reader, row: Row) -> str | None:
    return reader.path(row.key)


def _number(reader: Reader, row: Row) -> int | None:
    return reader.number(row.key, *row.accepts)


def _mebibytes(reader: Reader, row: Row) -> int | None:
    count = reader.number(row.key, *row.accepts)
    return None if count is None else count * 1024


def _event_channels(reader: Reader, row: Row) -> int | None:
    return _number(reader, row) or None  # xl takes 0 for the default


def _flag(reader: Reader, row: Row) -> bool | None:
    value = reader.number(row.key, -LARGEST, LARGEST)
    return None if value is None else value != 0


def _offset(reader: Reader, row: Row) -> int | None:
    return reader.number(row.key, -LARGEST, LARGEST)


def _choice(reader: Reader, row: Row) -> str | None:
    # libxl compares the names of its enumerations without case.
    text = reader.text(row.key)
    if text is None or text.lower() in row.accepts:
        return text and text.lower()
    reader.error(row.key, f"`{row.key}' must be {' or '.join(map(str, row.accepts))}, not `{text}'")
    return None


def _vuart(reader: Reader, row: Row) -> bool | None:
    text = _choice(reader, row)
    return None if text is None else text == "sbsa_uart"


def _passthrough(reader: Reader, row: Row) -> str | None:
    text = (reader.text(row.key) or "default").lower()
    if text in ("default", "disabled", "share_pt", "enabled"):
        return "share_pt" if text == "enabled" else text
    if text == "sync_pt":
        reader.error(row.key, "`passthrough' cannot be sync_pt on ARM, where page tables are always shared")
        return None
    reader.error(row.key, f"`passthrough' must be default, disabled, enabled or share_pt, not `{text}'")
    return None


def _action(reader: Reader, row: Row) -> str | None:
    text = reader.text(row.key)
    if text is None or text in ACTIONS:
        return text
    reader.error(row.key, f"`{row.key}' must be {', '.join(ACTIONS)}, not `{text}'")
    return None


def _uuid(reader: Reader, row: Row) -> str | None:
    text = reader.text(row.key)
    if text is None:
        return None
    groups = text.split("-")
    if tuple(map(len, groups)) == _UUID_GROUPS and all(hexadecimal(f"0x{group}") is not None for group in groups):
        return text.lower()
    reader.error(row.key, f"`uuid' is not 8-4-4-4-12 hexadecimal digits: `{text}'")
    return None


def _disks(reader: Reader, row: Row) -> tuple[DiskSpec, ...]:
    from xenvm.guest.disk import parse_disk

    disks: dict[int, DiskSpec] = {}
    for atom in reader.atoms(row.key):
        line, column = reader.place(atom)
        try:
            disk = parse_disk(atom.text, line=line, column=column)
        except ConfigError as error:
            reader.fail(row.key, error, atom)
            continue
        if disk.devid in disks:
            reader.error(row.key, f"two disks are {disks[disk.devid].vdev}: `{atom.text}'", atom, "XV033")
        disks[disk.devid] = disk
    return tuple(disks.values())


def _vifs(reader: Reader, row: Row) -> tuple[NicSpec, ...]:
    from xenvm.guest.vif import parse_vif

    nics: dict[int, NicSpec] = {}
    for number, atom in enumerate(reader.atoms(row.key)):
        line, column = reader.place(atom)
        warnings: list[str] = []
        try:
            nic = parse_vif(atom.text, number, line=line, column=column, warnings=warnings)
        except ConfigError as error:
            reader.fail(row.key, error, atom)
            continue
        for sentence in warnings:
            reader.warn(row.key, sentence, atom, next((rule for word, rule in _VIF_RULES if word in sentence), "XV015"))
        if nic.devid in nics:
            reader.error(row.key, f"two interfaces have devid {nic.devid}: `{atom.text}'", atom, "XV034")
        nics[nic.devid] = nic
    return tuple(nics.values())


def _irqs(reader: Reader, row: Row) -> tuple[int, ...]:
    irqs: dict[int, None] = {}
    low, high = row.accepts
    for atom in reader.atoms(row.key):
        irq = decimal(atom.text)
        if irq is None:
            reader.error(row.key, f"`irqs' are decimal numbers, not `{atom.text}'", atom)
        elif not int(low) <= irq <= int(high):
            reader.error(row.key, f"`irqs' are shared interrupts, {low} to {high}, not {irq}", atom)
        elif irq in irqs:
            reader.error(row.key, f"`irqs' names {irq} twice", atom)
        else:
            irqs[irq] = None
    return tuple(irqs)


def _iomem(reader: Reader, row: Row) -> tuple[IomemRange, ...]:
    ranges = [_iomem_range(reader, atom) for atom in reader.atoms(row.key)]
    return tuple(found for found in ranges if found is not None)


def _iomem_range(reader: Reader, atom: Atom) -> IomemRange | None:
    host, at, guest = atom.text.partition("@")
    first, comma, number = host.partition(",")
    start, count = hexadecimal(first), hexadecimal(number)
    gfn = hexadecimal(guest) if at else start
    if not comma or start is None or count is None or gfn is None:
        reader.error("iomem", f"`iomem' is START,NUM[@GFN] in hexadecimal, not `{atom.text}'", atom)
        return None
    if not 0 < count <= _MAX_PAGES - max(start, gfn):
        reader.error("iomem", f"`iomem' is empty or beyond the address space: `{atom.text}'", atom)
        return None
    return IomemRange(start, count, gfn)


def _dtdev(reader: Reader, row: Row) -> tuple[str, ...]:
    atoms = reader.atoms(row.key)
    for atom in atoms:
        if not atom.text.startswith("/"):
            reader.error(row.key, f"`dtdev' is the full path of a device tree node, not `{atom.text}'", atom)
    return tuple(atom.text for atom in atoms)


_CONVERTERS: dict[str, Callable[[Reader, Row], Any]] = {
    "action": _action,
    "choice": _choice,
    "disks": _disks,
    "dtdev": _dtdev,
    "event_channels": _event_channels,
    "flag": _flag,
    "iomem": _iomem,
    "irqs": _irqs,
    "mebibytes": _mebibytes,
    "number": _number,
    "offset": _offset,
    "passthrough": _passthrough,
    "path": _path,
    "uuid": _uuid,
    "vifs": _vifs,
    "vuart": _vuart,
}
