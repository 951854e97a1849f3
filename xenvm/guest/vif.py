"""Network interfaces of xl-network-configuration(5), from their text; unlike xl, whatever is not understood fails."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.guest.numerals import decimal, integer, is_octal
from xenvm.guest.spec import NicSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_TEXTS = ("bridge", "gatewaydev", "ip", "script", "backend", "vifname", "model", "vlan")
_FLAGS = {"trusted": True, "untrusted": False}
_RATES = {"G": 1_000_000_000, "M": 1_000_000, "K": 1_000, "": 1}
_INTERVALS = {"": 1_000_000, "s": 1_000_000, "m": 1_000, "ms": 1_000, "u": 1, "us": 1}
_DEFAULT_INTERVAL = 50_000
_U32 = (1 << 32) - 1
_U64 = (1 << 64) - 1
_HEX = frozenset("0123456789abcdefABCDEF")


def parse_vif(
    spec: str | Sequence[str],
    devid: int,
    *,
    source: str = "",
    line: int = 0,
    column: int = 0,
    warnings: list[str] | None = None,
) -> NicSpec:
    """One interface from its text, or from the arguments of network-attach; `devid` unless the text has its own.

    Raises ConfigError at the given place; sentences about deprecated settings are appended to `warnings`.
    """
    parts = [spec] if isinstance(spec, str) else list(spec)
    fields: dict[str, Any] = {"devid": devid}
    try:
        for item in ",".join(parts).split(","):
            if item := item.lstrip(" "):
                _item(item, fields, [] if warnings is None else warnings)
    except ConfigError as error:
        reason = f"{error.reason} in the vif `{','.join(parts)}'"
        raise ConfigError(reason, source=source, line=line, column=column) from None
    return NicSpec(**fields, line=line, column=column)


def parse_rate(text: str, warnings: list[str] | None = None) -> tuple[int, int]:
    """``10Mb/s@50ms`` as bytes per interval and the interval in microseconds; ConfigError if it is none."""
    speed, at, interval = text.partition("@")
    number, unit = _split_number(speed)
    if warnings is not None and is_octal(speed[: len(speed) - len(unit)]):
        warnings.append(f"the rate `{text}' begins with a zero and is octal: {number}")
    scale = _RATES.get(unit[:-3]) if unit[-3:] in ("b/s", "B/s") else None
    if number is None or scale is None:
        raise ConfigError(f"invalid rate `{text}'")
    if not 0 < number <= _U32:
        raise ConfigError(f"rate overflow `{text}'")
    per_second = number * scale // (8 if unit[-3] == "b" else 1)
    micros = _interval(interval, text, warnings) if at else _DEFAULT_INTERVAL
    if per_second * micros > _U64:
        raise ConfigError(f"rate overflow `{text}'")
    quota = per_second * micros // 1_000_000
    if not quota:
        raise ConfigError(f"the rate `{text}' is less than a byte per interval, so nothing could be sent,")
    return quota, micros


def random_mac() -> str:
    """A MAC address of Xen's own range 00:16:3e, whose other 23 bits are random."""
    import os

    first, second, third = os.urandom(3)
    return f"00:16:3e:{first & 0x7F:02x}:{second:02x}:{third:02x}"


def parse_mac(text: str) -> str | None:
    """Six hexadecimal groups with any one character in between, in the usual form; None if all are zero."""
    groups, group, expect_separator = [], "", False
    for char in text:
        if char in _HEX:
            group, expect_separator = group + char, True
        elif expect_separator:
            groups.append(group)
            group, expect_separator = "", False
        else:
            raise ConfigError(f"invalid mac `{text}'")
    values = [int(group, 16) for group in (*groups, group) if 0 < len(group) <= 8]
    if len(values) != 6 or len(groups) != 5 or max(values) > 255:
        raise ConfigError(f"invalid mac `{text}'")
    return ":".join(f"{value:02x}" for value in values) if any(values) else None


def _item(item: str, fields: dict[str, Any], warnings: list[str]) -> None:
    key, equals, value = item.partition("=")
    if any(ord(char) < 32 or char == "\x7f" for char in item):
        raise ConfigError("a control character")
    if not equals and key in _FLAGS:
        fields["trusted"] = _FLAGS[key]
    elif not equals:
        raise ConfigError(f"unrecognized argument `{item}'")
    elif key in _TEXTS:
        fields[key] = value
        if key == "backend" and not value:
            fields[key] = "0"
    elif key == "netdev":
        warnings.append("netdev is deprecated, write gatewaydev")
        fields["gatewaydev"] = value
    elif key == "accel":
        warnings.append("accel is ignored: Xen has no accelerated interfaces")
    else:
        _converted(key, value, fields, warnings)


def _converted(key: str, value: str, fields: dict[str, Any], warnings: list[str]) -> None:
    if key == "mac":
        fields["mac"] = parse_mac(value)
    elif key == "rate":
        fields["rate"] = parse_rate(value, warnings)
    elif key == "mtu":
        fields["mtu"] = _count(key, value, 68, 65535)
    elif key == "devid":
        fields["devid"] = _count(key, value, 0, 65535)
    elif key == "type":
        _check_type(value)
    elif key == "forwarddev" or key.startswith("colo_"):
        raise ConfigError(f"`{key}' is for COLO, which ARM does not have,")
    else:
        from xenvm.guest.settings import hint

        known = (*_TEXTS, "mac", "rate", "mtu", "devid", "type")
        raise ConfigError(f"unrecognized argument `{key}={value}'{hint(key, known)}")


def _check_type(value: str) -> None:
    if value == "ioemu":
        raise ConfigError("type=ioemu is an emulated interface, which ARM does not have,")
    if value != "vif":
        raise ConfigError(f"unknown type `{value}'")


def _count(key: str, value: str, low: int, high: int) -> int:
    number = decimal(value)
    if number is None or not low <= number <= high:
        raise ConfigError(f"{key} must be {low} to {high}, not `{value}'")
    return number


def _split_number(text: str) -> tuple[int | None, str]:
    unit = text.lstrip("0123456789")
    digits = text[: len(text) - len(unit)]
    return integer(digits), unit


def _interval(text: str, rate: str, warnings: list[str] | None) -> int:
    number, unit = _split_number(text)
    scale = _INTERVALS.get(unit)
    if number is None or scale is None:
        raise ConfigError(f"invalid replenishment interval in the rate `{rate}'")
    if not 0 < number * scale <= _U32:
        raise ConfigError(f"replenishment interval overflow in the rate `{rate}'")
    if not unit and warnings is not None:
        warnings.append(f"the interval of the rate `{rate}' has no unit and counts as seconds")
    return number * scale
