from __future__ import annotations

import pytest

from xenbus.errors import InvalidValue
from xenbus.perm import Perm, format_perms, parse_perms


def test_text_form() -> None:
    perms = (Perm(0), Perm(5, read=True), Perm(6, write=True), Perm(7, True, True))
    assert format_perms(perms) == "n0,r5,w6,b7"
    assert parse_perms("n0,r5,w6,b7") == perms


@pytest.mark.parametrize("bad", ["", "n", "x0", "n-1", "n65536", "n0,,r1", "0n", "n0x", "r" + "0" * 100])
def test_refused(bad: str) -> None:
    with pytest.raises(InvalidValue, match="is not a permission"):
        parse_perms(bad)
