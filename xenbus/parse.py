"""Takes values apart that a guest, or another domain's back end, can have written.

Every function is bounded, never raises for bad input, and answers None where the value is not what it should be: the
caller decides what an absent or senseless value means.
"""

from __future__ import annotations

from xenbus.path import is_path, is_under

DIGITS_MAX = 20
"""More decimal digits than any 64-bit number has."""
STATE_MAX = 8
"""The last XenbusState, Reconfigured."""
SHOWN_MAX = 64
"""Characters of an untrusted value that a message shows."""

TEXT_MAX = 4096
"""More characters than any value has: a packet's payload."""

_HEX = frozenset("0123456789abcdefABCDEF")


def _text(untrusted: bytes | str | None, longest: int) -> str | None:
    """ASCII text of at most `longest` characters, or None."""
    if untrusted is None or not 0 < len(untrusted) <= longest:
        return None
    if isinstance(untrusted, str):
        return untrusted if untrusted.isascii() else None
    return untrusted.decode() if untrusted.isascii() else None


def parse_decimal(untrusted: bytes | str | None, *, minimum: int = 0, maximum: int = 2**64 - 1) -> int | None:
    """A number of ASCII digits only (no sign, no blank) within the bounds."""
    text = _text(untrusted, DIGITS_MAX)
    if text is None or not text.isdigit():
        return None
    number = int(text)
    return number if minimum <= number <= maximum else None


def parse_bool(untrusted: bytes | str | None, *, default: bool = False) -> bool:
    """A feature: any number but zero is true; absent or senseless is the default."""
    number = parse_decimal(untrusted)
    return default if number is None else number != 0


def parse_flag(untrusted: bytes | str | None) -> bool | None:
    """Like parse_bool, but None if it is absent or senseless."""
    number = parse_decimal(untrusted)
    return None if number is None else number != 0


def parse_word(untrusted: bytes | str | None) -> int | None:
    """A number of 32 bits: a grant reference, an event channel, a count."""
    return parse_decimal(untrusted, maximum=0xFFFFFFFF)


def parse_text(untrusted: bytes | str | None) -> str | None:
    """Printable ASCII, which may be empty."""
    if untrusted is None or not len(untrusted):
        return None if untrusted is None else ""
    text = _text(untrusted, TEXT_MAX)
    return text if text is not None and text.isprintable() else None


def parse_device(untrusted: bytes | str | None) -> tuple[int, int] | None:
    """``fd:3``: the major and minor number of a block device, in hexadecimal."""
    major, colon, minor = (_text(untrusted, 17) or "").partition(":")
    if not colon or not all(0 < len(part) <= 8 and _HEX.issuperset(part) for part in (major, minor)):
        return None
    return int(major, 16), int(minor, 16)


def parse_domid(untrusted: bytes | str | None) -> int | None:
    """A domid of a real domain: 0..0x7fef."""
    return parse_decimal(untrusted, maximum=0x7FEF)


def parse_state(untrusted: bytes | str | None) -> int:
    """A XenbusState 0..8; absent or senseless is 0, Unknown."""
    return parse_decimal(untrusted, maximum=STATE_MAX) or 0


def parse_mac(untrusted: bytes | str | None) -> str | None:
    """Six hexadecimal pairs joined by ':', given back in lower case."""
    text = _text(untrusted, 17)
    pairs = text.split(":") if text else []
    if len(pairs) != 6 or not all(len(pair) == 2 and _HEX.issuperset(pair) for pair in pairs):
        return None
    return ":".join(pairs).lower()


def parse_path_under(untrusted: bytes | str | None, prefix: str) -> str | None:
    """An allowed path that lies below `prefix`, by whole names."""
    text = _text(untrusted, 3072)
    if text is None or not is_path(text) or text == prefix:
        return None
    return text if is_under(text, prefix) else None


def shown(untrusted: bytes | str | None, limit: int = SHOWN_MAX) -> str:
    """A value for messages: quoted, control and non-ASCII characters escaped, cut at `limit`; ``absent`` for None."""
    if untrusted is None:
        return "absent"
    cut = untrusted[:limit]
    text = cut if isinstance(cut, str) else cut.decode("latin-1")
    quoted = "".join(_escape(character) for character in text)
    return f"'{quoted}'" + ("..." if len(untrusted) > limit else "")


def _escape(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
