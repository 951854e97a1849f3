from __future__ import annotations

import pytest

from xenbus.server.arguments import Refused
from xenbus.server.perms import ALL, READ, WRITE, Perms, parse_perms


def perms(text: str, *missing: int) -> Perms:
    return parse_perms(text.encode().split(b","), lambda domid: domid not in missing)


@pytest.mark.parametrize(
    ("text", "rights"),
    [
        ("n0", 0),
        ("r0", READ),
        ("b0", READ | WRITE),
        ("n5", ALL),
        ("n0,r5", READ),
        ("b0,n5", 0),
        ("n0,r5,b5", READ),
        ("n0,r6,w5", WRITE),
        ("n0,r32757", READ),
        ("n0,n32757,b5", 0),
    ],
)
def test_rights(text: str, rights: int) -> None:
    assert perms(text).rights(5) == rights


def test_rights_of_a_target() -> None:
    assert perms("n5").rights(6, target=5) == ALL
    assert perms("n0,r5").rights(6, target=5) == READ
    assert perms("n0,w6,r5").rights(6, target=5) == WRITE


def test_void_entries_are_shown_but_have_no_force() -> None:
    some = perms("n0,r5,w6", 5)
    assert some.wire == b"n0\0r5\0w6\0"
    assert some.rights(5) == 0
    assert some.lasting() == b"n0\0w6\0"
    assert some.domids == (6,)


def test_children_belong_to_the_guest_that_makes_them() -> None:
    some = perms("r0,b5")
    assert some.inherited(5).wire == b"r5\0b5\0"
    own = perms("n5")
    assert own.inherited(5) is own


def test_without() -> None:
    assert perms("n0,r5,b6,w5").without(5) == perms("n0,b6")
    assert perms("n0") != perms("r0")
    assert len({perms("n0"), perms("n0")}) == 1
    assert repr(perms("n0")) == r"Perms(b'n0\x00')"


@pytest.mark.parametrize("text", ["", "n", "5", "x5", "n5x", "n 5 ", "nn5"])
def test_malformed(text: str) -> None:
    with pytest.raises(Refused, match="EINVAL"):
        perms(text)


def test_the_owner_must_exist() -> None:
    for text in ("n5", "n32757"):
        with pytest.raises(Refused, match="ENOENT"):
            perms(text, 5)


def test_numbers_are_taken_as_the_daemon_takes_them() -> None:
    assert perms("n0x5,r-1").wire == b"n5\0r-1\0"
