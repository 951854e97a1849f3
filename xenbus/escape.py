"""Values as the xenstore-* tools print and take them: C escapes for what a terminal cannot show."""

from __future__ import annotations

from xenbus.errors import InvalidValue

_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}
_ESCAPES = {
    **{code: f"\\{code:03o}" for code in range(8)},
    **{code: f"\\x{code:02x}" for code in (*range(8, 32), *range(127, 256))},
    **{ord(character): text for character, text in _NAMED.items()},
}
_LETTERS = {text[1]: character for character, text in _NAMED.items()}
_OCTAL = "01234567"
_HEX = "0123456789abcdefABCDEF"


def escape(value: bytes) -> str:
    """The value as ASCII text; a quotation mark stays as it is."""
    return value.decode("latin-1").translate(_ESCAPES)


def unescape(text: str) -> bytes:
    r"""The value that `escape` would show so; takes ``\n \t \r \\ \xHH`` and up to three octal digits."""
    parts = text.split("\\")
    value, index = _raw(parts[0]), 1
    while index < len(parts):
        part = parts[index]
        if part == "" and index + 1 < len(parts):
            value += b"\\" + _raw(parts[index + 1])
            index += 2
            continue
        byte, rest = _one(part, text)
        value += byte + _raw(rest)
        index += 1
    return value


def _one(part: str, text: str) -> tuple[bytes, str]:
    """The byte of an escape sequence behind its backslash, and what follows it."""
    if part[:1] in _LETTERS:
        return _LETTERS[part[0]].encode(), part[1:]
    if part[:1] == "x" and len(part) > 2 and part[1] in _HEX and part[2] in _HEX:
        return bytes((int(part[1:3], 16),)), part[3:]
    digits = part[: next((count for count in range(min(3, len(part))) if part[count] not in _OCTAL), min(3, len(part)))]
    if not digits or int(digits, 8) > 255:
        raise InvalidValue(
            f"{text[:80]!r} has a backslash that begins no escape: \\n \\t \\r \\\\ \\xHH or octal digits"
        )
    return bytes((int(digits, 8),)), part[len(digits) :]


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
