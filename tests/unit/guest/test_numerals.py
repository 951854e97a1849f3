"""Numbers as C reads them."""

from __future__ import annotations

import pytest

from xenvm.errors import ConfigError
from xenvm.guest.numerals import decimal, hexadecimal, integer, is_octal, memory_size

INTEGERS = {
    "0": 0, "1": 1, "512": 512, "010": 8, "00": 0, "0x10": 16, "0X1f": 31, "-1": -1, "+7": 7, " 512": 512, "\t\n5": 5,
    "-010": -8, "-0x10": -16, "9223372036854775807": (1 << 63) - 1, "-9223372036854775808": -(1 << 63),
    "9223372036854775808": None, "": None, " ": None, "-": None, "08": None, "018": None, "1f": None, "0b1": None,
    "512m": None, "512 ": None, "0x": None, "0xg": None, "1_0": None, "1.5": None, "- 1": None, "--1": None,
    "yes": None, "True": None, "\u0663": None, "0x1_0": None, "9" * 5000: None,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), INTEGERS.items())
def test_integer(text: str, value: int | None) -> None:
    assert integer(text) == value


@pytest.mark.parametrize(
    ("text", "value"), {"0": 0, "08": 8, " 12": 12, "": None, "0x20": None, "-1": None, "1 ": None, "a": None}.items()
)
def test_decimal(text: str, value: int | None) -> None:
    assert decimal(text) == value


@pytest.mark.parametrize(
    ("text", "value"), {"0": 0, "ff": 255, "0xFF": 255, "0X1": 1, " 10": 16, "": None, "0x": None, "g": None}.items()
)
def test_hexadecimal(text: str, value: int | None) -> None:
    assert hexadecimal(text) == value


@pytest.mark.parametrize(
    ("text", "octal"), {"010": True, "-010": True, "0": False, "00": False, "0x10": False, "10": False}.items()
)
def test_is_octal(text: str, octal: bool) -> None:
    assert is_octal(text) == octal


@pytest.mark.parametrize(
    ("text", "kib"),
    [
        ("512", 512 << 10),
        ("512m", 512 << 10),
        ("2G", 2 << 20),
        ("1t", 1 << 30),
        ("2048k", 2048),
        ("4096b", 4),
        ("0", 0),
    ],
)
def test_memory_size(text: str, kib: int) -> None:
    assert memory_size(text) == kib


@pytest.mark.parametrize("text", ["", "m", "1.5g", "-1", "5mm", "12x", "1e3", "+4", "٤", "9" * 70])
def test_no_memory_size(text: str) -> None:
    with pytest.raises(ConfigError, match="is not an amount of memory"):
        memory_size(text)
