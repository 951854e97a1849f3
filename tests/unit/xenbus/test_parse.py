from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus import parse

JUNK = st.one_of(st.none(), st.binary(max_size=5000), st.text(max_size=200))


@pytest.mark.parametrize(
    ("untrusted", "number"),
    [
        (b"0", 0),
        (b"007", 7),
        ("51712", 51712),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", None),
        (b"", None),
        (b"-1", None),
        (b"+1", None),
        (b" 1", None),
        (b"1\n", None),
        (b"1_0", None),
        (b"0x10", None),
        ("\u0663", None),
        ("\u00b2", None),
        (b"0" * 4000, None),
        (None, None),
    ],
)
def test_decimal(untrusted: bytes | str | None, number: int | None) -> None:
    assert parse.parse_decimal(untrusted) == number


def test_decimal_bounds() -> None:
    assert parse.parse_decimal(b"4", minimum=4, maximum=4) == 4
    assert parse.parse_decimal(b"3", minimum=4, maximum=4) is None
    assert parse.parse_decimal(b"5", minimum=4, maximum=4) is None


@pytest.mark.parametrize(
    ("untrusted", "state"), [(b"4", 4), (b"8", 8), (b"9", 0), (b"", 0), (None, 0), (b"Connected", 0), (b"4\0", 0)]
)
def test_state(untrusted: bytes | None, state: int) -> None:
    assert parse.parse_state(untrusted) == state


def test_bool() -> None:
    assert parse.parse_bool(b"2")
    assert not parse.parse_bool(b"0", default=True)
    assert parse.parse_bool(b"yes", default=True)
    assert not parse.parse_bool(None)


def test_domid() -> None:
    assert parse.parse_domid(b"32751") == 0x7FEF
    assert parse.parse_domid(b"32752") is None


@pytest.mark.parametrize(
    ("untrusted", "mac"),
    [
        (b"00:16:3E:aB:cd:ef", "00:16:3e:ab:cd:ef"),
        (b"0:16:3e:ab:cd:ef", None),
        (b"00:16:3e:ab:cd", None),
        (b"00:16:3e:ab:cd:ef:00", None),
        (b"00:16:3e:ab:cd:eg", None),
        (b"00-16-3e-ab-cd-ef", None),
        (None, None),
    ],
)
def test_mac(untrusted: bytes | None, mac: str | None) -> None:
    assert parse.parse_mac(untrusted) == mac


@pytest.mark.parametrize(
    ("untrusted", "path"),
    [
        (b"/local/domain/0/backend/vbd/5/51712", "/local/domain/0/backend/vbd/5/51712"),
        (b"/local/domain/0/backend", None),
        (b"/local/domain/0/backendx/a", None),
        (b"/local/domain/0/backend/../../5", None),
        (b"/local/domain/0/backend//a", None),
        (b"/local/domain/0/backend/a/", None),
        (b"/libxl/5", None),
        (b"", None),
        (None, None),
    ],
)
def test_path_under(untrusted: bytes | None, path: str | None) -> None:
    assert parse.parse_path_under(untrusted, "/local/domain/0/backend") == path


def test_shown_escapes_and_cuts() -> None:
    assert parse.shown(b"a'\x1b[31m\n\xff\\") == r"'a\'\x1b[31m\x0a\xff\\'"
    assert parse.shown("\u202e") == r"'\u202e'"
    assert parse.shown(b"x" * 4096) == f"'{'x' * 64}'..."
    assert parse.shown(None) == "absent"


@settings(max_examples=100)
@given(JUNK)
def test_nothing_raises_and_messages_are_printable(untrusted: bytes | str | None) -> None:
    parse.parse_decimal(untrusted)
    parse.parse_mac(untrusted)
    parse.parse_path_under(untrusted, "/a")
    text = parse.shown(untrusted)
    assert text.isascii() and text.isprintable() and len(text) <= 10 * parse.SHOWN_MAX + 5


@pytest.mark.parametrize(
    "value, text, word, flag, device",
    [
        (None, None, None, None, None),
        (b"", "", None, None, None),
        (b"7", "7", 7, True, None),
        (b"0", "0", 0, False, None),
        (b"4294967296", "4294967296", None, True, None),
        (b"fd:3", "fd:3", None, None, (0xFD, 3)),
        (b"123456789:1", "123456789:1", None, None, None),
        (b"+1:1", "+1:1", None, None, None),
        (b"a\nb", None, None, None, None),
        (b"\xff", None, None, None, None),
        (b"x" * 5000, None, None, None, None),
    ],
)
def test_texts_words_flags_and_devices(
    value: bytes | None, text: str | None, word: int | None, flag: bool | None, device: tuple[int, int] | None
) -> None:
    assert parse.parse_text(value) == text
    assert parse.parse_word(value) == word
    assert parse.parse_flag(value) is flag
    assert parse.parse_device(value) == device
