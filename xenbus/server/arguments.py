"""Takes the payloads of requests apart, as leniently and as strictly as the C daemon does (docs/misc/xenstore.txt)."""

from __future__ import annotations

_BLANKS = b" \t\n\v\f\r"
_ALLOWED = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@"
_DOMAINS = b"/local/domain/"
DOMID_MAX = 0xFFFF


class Refused(Exception):
    """A request is answered with an error; the only argument is its name on the wire, ``ENOENT`` and the like."""


def only_string(payload: bytes) -> bytes:
    """The payload's single string; its NUL must be the payload's only one, and its last byte."""
    if payload.find(0) != len(payload) - 1 or not payload:
        raise Refused("EINVAL")
    return payload[:-1]


def strings(payload: bytes) -> list[bytes]:
    """All strings that end in a NUL; what is behind the last one is ignored."""
    return payload.split(b"\0")[:-1]


def resolve(raw: bytes, home: bytes, special: bool = False) -> bytes:
    """The absolute form of a path that a client gave; `special` allows ``@releaseDomain`` and the like."""
    if raw.translate(None, _ALLOWED):
        raise Refused("EINVAL")
    first = raw[:1]
    if first == b"@":
        if not special:
            raise Refused("EINVAL")
    elif first != b"/":
        raw = home + raw
    if (raw[-1:] == b"/" and raw != b"/") or b"//" in raw:
        raise Refused("EINVAL")
    return raw


def counted_length(path: bytes) -> int:
    """How much of an absolute path the limit of lengths counts: all but a leading ``/local/domain/N/``."""
    if path.startswith(_DOMAINS):
        digits, slash, rest = path[len(_DOMAINS) :].partition(b"/")
        if slash and digits.isdigit() and len(digits) <= 5:
            return len(rest)
    return len(path)


def leading_number(text: bytes, base: int = 10) -> tuple[int, bytes]:
    """A number at the start of a text and what follows it, as strtol() sees them; no digits are 0. Base 0 takes 0x."""
    rest = text.lstrip(_BLANKS)
    sign = -1 if rest[:1] == b"-" else 1
    if rest[:1] in (b"-", b"+"):
        rest = rest[1:]
    digits = b"0123456789"
    if base == 0:
        base = 10
        if rest[:2] in (b"0x", b"0X") and rest[2:3] in [b"%x" % d for d in range(16)] + [b"%X" % d for d in range(16)]:
            base, rest, digits = 16, rest[2:], b"0123456789abcdefABCDEF"
        elif rest[:1] == b"0":
            base, digits = 8, b"01234567"
    tail = rest.lstrip(digits)
    found = rest[: len(rest) - len(tail)]
    if not found:
        return 0, text
    return max(-(1 << 63), min(sign * int(found[:64], base), (1 << 63) - 1)), tail


def plain_number(text: bytes) -> int:
    """A number as atoi() sees it, cut to a signed 32-bit word."""
    return (leading_number(text)[0] + (1 << 31)) % (1 << 32) - (1 << 31)


def domid_of(text: bytes) -> int:
    """A domain's id, 0..65535; an empty text is 0."""
    value, rest = leading_number(text)
    if rest or not 0 <= value <= DOMID_MAX:
        raise Refused("EINVAL")
    return value
