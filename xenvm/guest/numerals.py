"""Numbers in configurations, read as C's strtol() reads them but never with something left over."""

from __future__ import annotations

from xenvm.errors import ConfigError
from xenvm.types import KiB

_BLANKS = " \t\n\v\f\r"
_DIGITS = {8: "01234567", 10: "0123456789", 16: "0123456789abcdefABCDEF"}
_LONG = 1 << 63
_MIB = 20
_UNITS = {"b": 0, "k": 10, "m": _MIB, "g": 30, "t": 40}
"""Powers of two."""


def integer(text: str) -> int | None:
    """A signed 64-bit number of base 0: ``0x10`` is 16, ``010`` is 8, blanks may lead; None where xl sees no number."""
    body = text.lstrip(_BLANKS)
    digits = body[1:] if body[:1] in ("-", "+") else body
    prefixed = digits[:2] in ("0x", "0X")
    base = 16 if prefixed else 8 if digits[:1] == "0" else 10
    value = _digits(digits[2:] if prefixed else digits, base)
    if value is None:
        return None
    value = -value if body[0] == "-" else value
    return value if -_LONG <= value < _LONG else None


def decimal(text: str) -> int | None:
    """A number without sign in base 10, leading zeros or not; blanks may lead."""
    return _digits(text.lstrip(_BLANKS), 10)


def hexadecimal(text: str) -> int | None:
    """A number without sign in base 16, with or without ``0x``; blanks may lead."""
    return _digits(text.lstrip(_BLANKS).lower().removeprefix("0x"), 16)


def memory_size(text: str) -> KiB:
    """An amount of memory as xl's commands take it: MiB, or with one of the letters b, k, m, g, t; ConfigError."""
    unit = _UNITS.get(text[-1:].lower())
    number = decimal(text if unit is None else text[:-1])
    if number is None:
        raise ConfigError(f"`{text}' is not an amount of memory such as 512 (MiB) or 2g", source="command line")
    return KiB(number << (_MIB if unit is None else unit) >> 10)


def is_octal(text: str) -> bool:
    """Whether the leading zero of a number makes it octal, which changes its value."""
    digits = text.strip(_BLANKS).lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1] not in "xX" and bool(digits.strip("0"))


def _digits(text: str, base: int) -> int | None:
    # Python's own int() takes underscores, foreign digits and thousands of characters.
    if not text or len(text) > 64 or text.strip(_DIGITS[base]):
        return None
    return int(text, base)
