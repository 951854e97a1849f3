from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xenbus.path import is_path
from xenbus.server.arguments import (
    Refused,
    counted_length,
    domid_of,
    leading_number,
    only_string,
    plain_number,
    resolve,
    strings,
)

HOME = b"/local/domain/5/"


def test_strings() -> None:
    assert only_string(b"a\0") == b"a"
    assert only_string(b"\0") == b""
    assert strings(b"a\0\0b\0rest") == [b"a", b"", b"b"]
    assert strings(b"") == strings(b"rest") == []


@pytest.mark.parametrize("payload", [b"", b"a", b"a\0b", b"a\0b\0", b"\0\0"])
def test_one_string_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(Refused, match="EINVAL"):
        only_string(payload)


@pytest.mark.parametrize(
    ("raw", "absolute"),
    [
        (b"/", b"/"),
        (b"/a/b", b"/a/b"),
        (b"a", HOME + b"a"),
        (b"a@b", HOME + b"a@b"),
        (b"/@a", b"/@a"),
        (b"@releaseDomain", b"@releaseDomain"),
    ],
)
def test_paths(raw: bytes, absolute: bytes) -> None:
    assert resolve(raw, HOME, special=True) == absolute


@pytest.mark.parametrize("raw", [b"", b"//", b"/a/", b"a/", b"/a//b", b"/a+b", b"/a b", b"/\xc3\xa9", b"@x/", b"\n"])
def test_bad_paths(raw: bytes) -> None:
    with pytest.raises(Refused, match="EINVAL"):
        resolve(raw, HOME, special=True)


def test_special_paths_are_not_for_all() -> None:
    with pytest.raises(Refused):
        resolve(b"@releaseDomain", HOME)


@given(st.text("ab/@-_+ 0", max_size=12))
def test_the_client_s_idea_of_a_path_is_the_server_s(path: str) -> None:
    try:
        resolve(path.encode(), HOME, special=True)
        allowed = True
    except Refused:
        allowed = False
    assert is_path(path, special=True) == allowed


def test_what_a_domain_s_folder_does_not_count() -> None:
    assert counted_length(b"/local/domain/5/abc") == 3
    assert counted_length(b"/local/domain/5") == 15
    assert counted_length(b"/local/domain/123456/abc") == 24
    assert counted_length(b"/local/domain//abc") == 18
    assert counted_length(b"/abc") == 4


@pytest.mark.parametrize(
    ("text", "base", "value", "rest"),
    [
        (b"5", 10, 5, b""),
        (b" \t+5x", 10, 5, b"x"),
        (b"-5", 10, -5, b""),
        (b"", 10, 0, b""),
        (b"x", 10, 0, b"x"),
        (b"0x1F", 0, 31, b""),
        (b"0x", 0, 0, b"x"),
        (b"010", 0, 8, b""),
        (b"010", 10, 10, b""),
        (b"9" * 5000, 10, (1 << 63) - 1, b""),
    ],
)
def test_numbers(text: bytes, base: int, value: int, rest: bytes) -> None:
    assert leading_number(text, base) == (value, rest)


def test_plain_numbers_are_words() -> None:
    assert plain_number(b"12abc") == 12
    assert plain_number(b"4294967295") == -1
    assert plain_number(b"-1") == -1


@given(st.binary(max_size=30))
def test_domids(text: bytes) -> None:
    try:
        assert 0 <= domid_of(text) <= 0xFFFF
    except Refused as error:
        assert str(error) == "EINVAL"


def test_odd_domids() -> None:
    assert domid_of(b"") == 0
    assert domid_of(b"65535") == 65535
    for text in (b"65536", b"-1", b"5 ", b"0x5", b"a"):
        with pytest.raises(Refused):
            domid_of(text)
