"""Disk specifications of xl-disk-configuration(5), read as xl's scanner reads them, and virtual device numbers.

The numbers are those of xen-vbd-interface(7).
"""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.numerals import decimal, integer
from xenvm.guest.spec import DiskSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_FORMATS = {name: name for name in ("raw", "qcow", "qcow2", "vhd", "qed", "empty")} | {"": "raw"}
_BACKENDS = {name: name for name in ("phy", "tap", "qdisk", "standalone")}
_ACCESS = {"r": False, "ro": False, "rw": True, "w": True, "": True}
_DEVTYPES = {"cdrom": True, "disk": False}
_USAGE = {"0": False, "1": True}
_SPECIFICATIONS = {"xen": "xen", "virtio": "virtio"}

# Key: the field, and which texts mean what; None takes any text.
_KEYS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "format": ("format", _FORMATS),
    "access": ("readwrite", _ACCESS),
    "backend": ("backend", None),
    "backendtype": ("backendtype", _BACKENDS),
    "vdev": ("vdev", None),
    "script": ("script", None),
    "devtype": ("cdrom", _DEVTYPES),
    "specification": ("specification", _SPECIFICATIONS),
    "grant_usage": ("grant_usage", _USAGE),
    "target": ("target", None),
}
_FLAGS: dict[str, tuple[str, bool]] = {
    "cdrom": ("cdrom", True),
    "discard": ("discard", True),
    "no-discard": ("discard", False),
    "direct-io-safe": ("direct_io_safe", True),
    "trusted": ("trusted", True),
    "untrusted": ("trusted", False),
}
_MAY_CHANGE = ("readwrite", "cdrom", "discard", "direct_io_safe", "trusted", "grant_usage")
_COLO = ("colo", "colo-host", "colo-port", "colo-export", "active-disk", "hidden-disk")
_FORMAT_PREFIXES = ("raw", "qcow", "qcow2", "vhd")
_SCRIPT_PREFIXES = ("iscsi", "nbd", "enbd", "drbd")
_EMPTY_PREFIXES = ("tapdisk", "tap", "tap2", "aio", "ioemu", "file", "phy")
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"


def parse_disk(spec: str | Sequence[str], *, source: str = "", line: int = 0, column: int = 0) -> DiskSpec:
    """One disk from its text, or from the components that block-attach takes as separate arguments.

    Raises ConfigError at the given place.
    """
    parts = [spec] if isinstance(spec, str) else list(spec)
    scan = _Scan()
    try:
        for part in parts:
            scan.read(part)
        return scan.disk(line, column)
    except ConfigError as error:
        reason = f"{error.reason} in the disk `{','.join(parts)}'"
        raise ConfigError(reason, source=source, line=line, column=column) from None


def vdev_to_devid(vdev: str) -> int:
    """The virtual device number of ``xvda1``, ``hdc``, ``sdb``, ``d3p1`` or a number; ConfigError if it is none."""
    devid = _numbered(vdev, "xvd", (1 << 20) - 1, 255)
    if devid is None:
        devid = _disk_and_partition(vdev)
    if devid is not None:
        return _xvd_number(*devid)
    number = integer(vdev) if vdev[:1] in tuple(_DIGITS) else None
    if number is not None and number < 1 << 31:
        return number
    if found := _numbered(vdev, "hd", 3, 63):
        disk, partition = found
        return (3 if disk < 2 else 22) << 8 | (disk & 1) << 6 | partition
    if found := _numbered(vdev, "sd", 15, 15):
        return 8 << 8 | found[0] << 4 | found[1]
    raise ConfigError(f"`{vdev}' is not a virtual device such as xvda")


def linux_place(devid: int) -> tuple[int, int] | None:
    """Number of the disk and of the partition that Linux makes of a virtual device: hda and sda are xvda there too."""
    if devid >> 28 == 1:
        return devid >> 8 & 0xFFFFF, devid & 0xFF
    major, minor = devid >> 8, devid & 0xFF
    if major in (202, 8):
        return minor >> 4, minor & 0xF
    if major in (3, 22):
        return (0 if major == 3 else 2) + (minor >> 6), minor & 0x3F
    return None


def _xvd_number(disk: int, partition: int) -> int:
    if disk <= 15 and partition <= 15:
        return 202 << 8 | disk << 4 | partition
    return 1 << 28 | disk << 8 | partition


def _numbered(vdev: str, kind: str, most_disk: int, most_partition: int) -> tuple[int, int] | None:
    """Disk and partition of letters in base 26 without a zero and a partition without leading zeros."""
    if not vdev.startswith(kind):
        return None
    rest = vdev[len(kind) :]
    tail = rest.lstrip(_LOWER)
    letters = rest[: len(rest) - len(tail)]
    disk = -1
    for letter in letters[:8]:
        disk = (disk + 1) * 26 + ord(letter) - ord("a")
    partition = 0 if not tail else decimal(tail) if tail[0] in "123456789" else None
    if not 0 <= disk <= most_disk or partition is None or partition > most_partition:
        return None
    return disk, partition


def _disk_and_partition(vdev: str) -> tuple[int, int] | None:
    first, letter, second = vdev.removeprefix("d").partition("p")
    if not (vdev.startswith("d") and letter and first[:1].isdigit() and second[:1].isdigit()):
        return None
    disk, partition = integer(first), integer(second)
    if disk is None or partition is None or disk >= 1 << 20 or partition > 255:
        return None
    return disk, partition


class _Scan:
    """What has been read of one disk so far."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.prefixed = False
        self.access_given = False

    def read(self, text: str) -> None:
        """Reads one component after the other."""
        if any(ord(char) < 32 and char != "\t" for char in text):
            raise ConfigError("a control character")
        text = text.lstrip(" \t")
        while text:
            text = self._component(text).lstrip(" \t")

    def disk(self, line: int, column: int) -> DiskSpec:
        """The disk, after the rules that concern more than one field."""
        fields = {name: value for name, value in self.fields.items() if name != "backend" or value}
        fields.setdefault("format", "raw")
        if fields.get("cdrom"):
            fields.update(removable=True, readwrite=False)
            if not fields.get("target"):
                fields["format"] = "empty"
        if "vdev" not in fields:
            raise ConfigError("no vdev")
        if fields["format"] == "empty" and not fields.get("cdrom"):
            raise ConfigError("the format empty is for a cdrom only")
        if not fields.setdefault("target", "") and fields["format"] != "empty":
            raise ConfigError("no target")
        return DiskSpec(devid=vdev_to_devid(fields["vdev"]), line=line, column=column, **fields)

    def _component(self, text: str) -> str:
        """Takes one component off the front and returns the rest."""
        if text.startswith("target="):
            self._set("target", text[7:].removesuffix(","))
            return ""
        word = text[: len(text) - len(text.lstrip(_LOWER + _DIGITS))]
        after = text[len(word) :]
        if after.startswith(":") and self._prefix(word, after[1:2]):
            return after[1:]
        item, _, rest = text.partition(",")
        key, equals, value = item.partition("=")
        if equals:
            self._parameter(key, value)
        elif key in _FLAGS:
            field, meaning = _FLAGS[key]
            self.fields[field] = meaning
        elif key == "colo":
            raise ConfigError(f"`{key}' is for COLO, which ARM does not have,")
        elif key != "no-colo":
            self._positional(item)
        return rest

    def _prefix(self, word: str, following: str) -> bool:
        """Takes a deprecated prefix; False if the word before the colon is none."""
        if word in _FORMAT_PREFIXES:
            self._choose("format", word, _FORMATS)
        elif word in _SCRIPT_PREFIXES:
            self._set("script", f"block-{word}")
        elif word not in _EMPTY_PREFIXES:
            if word[:1] in tuple(_LOWER) and following not in tuple(_LOWER + _DIGITS):
                raise ConfigError(f"unknown prefix `{word}:'; write target={word}:... if it is part of the target,")
            return False
        self.prefixed = True
        return True

    def _parameter(self, key: str, value: str) -> None:
        if key in _COLO:
            raise ConfigError(f"`{key}' is for COLO, which ARM does not have,")
        if key not in _KEYS:
            from xenvm.guest.settings import hint

            raise ConfigError(f"unknown parameter `{key}'{hint(key, _KEYS)}")
        field, meanings = _KEYS[key]
        if meanings is None:
            self._set(field, value)
        else:
            self._choose(key, value, meanings)

    def _positional(self, item: str) -> None:
        if "target" not in self.fields:
            self._set("target", item)
        elif not self.prefixed and "format" not in self.fields:
            if not self.fields["target"] and ":" in item:
                self._vdev(item)
                self.fields["format"] = "empty"
            else:
                self._choose("format", item, _FORMATS)
        elif "vdev" not in self.fields:
            self._vdev(item)
        elif not self.access_given:
            self.access_given = True
            self._choose("access", item, _ACCESS)
        else:
            raise ConfigError(f"too many positional parameters: `{item}'")

    def _vdev(self, item: str) -> None:
        vdev, colon, devtype = item.rpartition(":")
        self._set("vdev", vdev if colon else item)
        if colon:
            self._choose("devtype", devtype, _DEVTYPES)

    def _choose(self, key: str, value: str, meanings: dict[str, Any]) -> None:
        field = _KEYS[key][0]
        if value not in meanings:
            raise ConfigError(f"unknown {key} `{value}'")
        if field not in _MAY_CHANGE and self.fields.get(field, meanings[value]) != meanings[value]:
            raise ConfigError(f"{key} is given twice")
        self.fields[field] = meanings[value]

    def _set(self, field: str, value: str) -> None:
        if self.fields.get(field):
            raise ConfigError(f"{field} is given twice")
        self.fields[field] = value
