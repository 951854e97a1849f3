"""xl's rules of access, strict and as xl has them."""

from __future__ import annotations

import pytest

from xenvm.guest.access import Reader
from xenvm.guest.cfg import parse

BASE = "s='x'\nn=512\no=010\nl=['a', 'b']\nm=['a', [1], 'b']\nj='512m'\nb='yes'\ne=''\np=5\np+=6\nh=0x10\n"


def reader(strict: bool = True, overrides: list[str] | None = None) -> Reader:
    return Reader(parse(BASE, "f", overrides or []), strict)


def test_missing_keys() -> None:
    read = reader()
    assert (read.text("zz"), read.path("zz"), read.number("zz"), read.atoms("zz"), read.atom("zz")) == (
        None, None, None, (), None,
    )  # fmt: skip
    assert read.found == []


def test_good_values() -> None:
    read = reader()
    assert (read.text("s"), read.text("n"), read.text("h"), read.text("e"), read.path("e")) == (
        "x", "512", "0x10", "", None,
    )  # fmt: skip
    assert (read.number("n"), read.number("h")) == (512, 16)
    assert [atom.text for atom in read.atoms("l")] == ["a", "b"]
    assert read.has_list("l") and not read.has_list("s") and not read.has_list("zz")
    assert read.found == []


def test_octal_is_a_warning() -> None:
    read = reader()
    assert read.number("o") == 8
    assert list(map(str, read.found)) == ["f:3:3: warning: `o' begins with a zero and is octal: 010 is 8"]


DOUBTS = [
    ("number", "j", "f:6:3: `j' is not a valid number: `512m'"),
    ("number", "b", "f:7:3: `b' is not a valid number: `yes'"),
    ("number", "e", "f:8:3: `e' is not a valid number: `'"),
    ("number", "p", "f:10:4: `p' is a number, which += cannot make"),
    ("number", "l", "f:4:3: `l' is a list but must be a single value"),
    ("text", "l", "f:4:3: `l' is a list but must be a single value"),
    ("path", "l", "f:4:3: `l' is a list but must be a single value"),
    ("atoms", "s", "f:1:3: `s' is a single value but must be a list: s=['x']"),
]


@pytest.mark.parametrize(("how", "key", "message"), DOUBTS)
def test_doubts(how: str, key: str, message: str) -> None:
    strict, lenient = reader(), reader(strict=False)
    assert not getattr(strict, how)(key)
    assert not getattr(lenient, how)(key)
    assert [(found.severity, str(found)) for found in strict.found] == [("error", message)]
    assert [(found.severity, found.key) for found in lenient.found] == [("warning", key)]


@pytest.mark.parametrize("strict", [True, False])
def test_a_list_within_the_list_ends_it(strict: bool) -> None:
    read = reader(strict)
    assert [atom.text for atom in read.atoms("m")] == ["a"]
    (found,) = read.found
    assert (found.severity, found.line, found.column) == ("error" if strict else "warning", 5, 9)


def test_range() -> None:
    read = reader(strict=False)
    assert read.number("n", 1, 511) is None
    assert list(map(str, read.found)) == ["f:2:3: `n' must be 1 to 511, not 512"]


def test_command_line_has_no_place_in_the_file() -> None:
    read = reader(overrides=["n=[]", "zz='q'"])
    assert read.number("n") is None
    assert str(read.found[-1]) == "command line:1:3: `n' is a list but must be a single value"
    atom = read.atom("zz")
    assert atom is not None and read.place(atom) == (0, 0)
    assert "n" not in read.places() and read.places()["s"] == (1, 1)
