"""The language of xl.cfg: what it accepts, what it means, what it says when it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError
from xenvm.guest.cfg import Atom, ConfigErrors, Diagnostic, ListValue, parse

Plain = str | list["Plain"]


def plain(value: Atom | ListValue) -> Plain:
    return value.text if isinstance(value, Atom) else [plain(item) for item in value.items]


def meaning(text: bytes | str) -> dict[str, Plain]:
    return {key: plain(found.value) for key, found in parse(text, "f").settings.items()}


def nested(depth: int) -> Plain:
    return [nested(depth - 1)] if depth > 1 else []


GOOD: list[tuple[str, dict[str, Plain]]] = [
    ("", {}),
    ("\n\n;;\n", {}),
    ("# only a comment\n", {}),
    ("#", {}),
    ("a=1", {"a": "1"}),
    ("a=1\n#", {"a": "1"}),
    ("a=1\n", {"a": "1"}),
    ("a = 1 # why\n", {"a": "1"}),
    ("\ta\t=\t1\t\n", {"a": "1"}),
    ("a=1;b=2", {"a": "1", "b": "2"}),
    ("a=1;;;\n;b=2;", {"a": "1", "b": "2"}),
    ("a.b_9=0x1f", {"a.b_9": "0x1f"}),
    ("a=1fx", {"a": "1fx"}),
    ("a=08", {"a": "08"}),
    ("a='x'", {"a": "x"}),
    ('a="x"', {"a": "x"}),
    ("a=''", {"a": ""}),
    ("a='\"'", {"a": '"'}),
    ('a="\'"', {"a": "'"}),
    (r"a='it\'s'", {"a": "it's"}),
    (r'a="\"q\""', {"a": '"q"'}),
    (r"a='\a\b\f\n\r\t\v\\'", {"a": "\a\b\f\n\r\t\v\\"}),
    (r"a='\\n'", {"a": "\\n"}),
    (r"a='\\\n'", {"a": "\\\n"}),
    (r"a='\\\\'", {"a": "\\\\"}),
    ("a='# no comment'", {"a": "# no comment"}),
    ("a='\t\r'", {"a": "\t\r"}),
    ("a='größe'", {"a": "größe"}),
    ("a=[]", {"a": []}),
    ("a=[\n\n]", {"a": []}),
    ("a=[1]", {"a": ["1"]}),
    ("a=[1,]", {"a": ["1"]}),
    ("a=['x', 'y']", {"a": ["x", "y"]}),
    ("a=[ # first\n 'x' # x\n, # comma\n 'y'\n\n, ]\n", {"a": ["x", "y"]}),
    ("a=[[1,2],[],[[3]]]", {"a": [["1", "2"], [], [["3"]]]}),
    ("a=1\na=2", {"a": "2"}),
    ("a='x'\na=[1]", {"a": ["1"]}),
    ("a='x'\na+='y'", {"a": "xy"}),
    ("a=1\na+=2", {"a": "12"}),
    ("a+='y'", {"a": "y"}),
    ("a=[1]\na+=[2,[3]]\na += [4]", {"a": ["1", "2", ["3"], "4"]}),
    ("a=[1]\na=[2]\na+=[3]", {"a": ["2", "3"]}),
    ("a=" + "[" * 64 + "]" * 64, {"a": nested(64)}),
]


@pytest.mark.parametrize(("text", "value"), GOOD)
def test_good(text: str, value: dict[str, Plain]) -> None:
    assert meaning(text) == value


BAD = [
    ("a", "f:1:2: config parsing error near the end of the file: syntax error, expected `=' or `+='"),
    ("a 1", "f:1:3: config parsing error near `1': syntax error, expected `=' or `+='"),
    ("a=", "f:1:3: config parsing error near the end of the file: syntax error, expected a value"),
    ("a=\n1", "f:1:3: config parsing error near <newline>: syntax error, expected a value"),
    ("a=b", "f:1:3: config parsing error near `b': syntax error, expected a value"),
    ("a=1 b=2", "f:1:5: config parsing error near `b': syntax error, expected a newline or `;'"),
    ("a='x' 'y'", "f:1:7: config parsing error near `'y'': syntax error, expected a newline or `;'"),
    ("a=='x'", "f:1:3: config parsing error near `=': syntax error, expected a value"),
    ("=1", "f:1:1: config parsing error near `=': syntax error, expected the name of a setting"),
    ("'a'=1", "f:1:1: config parsing error near `'a'': syntax error, expected the name of a setting"),
    ("a=[,]", "f:1:4: config parsing error near `,': syntax error, expected a value"),
    ("a=[1,,2]", "f:1:6: config parsing error near `,': syntax error, expected a value"),
    ("a=[1 2]", "f:1:6: config parsing error near `2': syntax error, expected `]' or `,'"),
    ("a=[1;2]", "f:1:5: config parsing error near `;': syntax error, expected `]' or `,'"),
    ("a=[1", "f:1:5: config parsing error near the end of the file: syntax error, expected `]' or `,'"),
    ("a=]", "f:1:3: config parsing error near `]': syntax error, expected a value"),
    ("a=[1]]", "f:1:6: config parsing error near `]': syntax error, expected a newline or `;'"),
    ("a='x'\na+=[1]", "f:2:4: config parsing error near `[': a list and a string cannot be added"),
    ("a=[1]\na+='x'", "f:2:4: config parsing error near `'x'': a list and a string cannot be added"),
    ("a='x", "f:1:3: config parsing error near `'x': a string that does not end on its line"),
    ("a='x\ny'\n", "f:1:3: config parsing error near `'x': a string that does not end on its line"),
    ("a='x\\\ny'", "f:1:3: config parsing error near `'x\\': a string that does not end on its line"),
    ("a='x\\'", "f:1:3: config parsing error near `'x\\'': a string that does not end on its line"),
    (r"a='\d'", r"f:1:3: config parsing error near `'\d'': the escape \d is unknown; a backslash itself is written \\"),
    (r"a='\x41'", r"f:1:3: config parsing error near `'\x41'': the numerical escape \x does not work in xl.cfg; "
     "write the character itself"),
    (r"a='\101z'", r"f:1:3: config parsing error near `'\101z'': the numerical escape \1 does not work in xl.cfg; "
     "write the character itself"),
    ("a='\0'", r"f:1:3: config parsing error near `'\x00'': a NUL byte in a string"),
    ("a=1\n# last", "f:2:1: config parsing error near `#': a comment without a newline after it"),
    ("a=1\r\n", r"f:1:4: config parsing error near `\r': a carriage return; the file has the line ends of DOS"),
    ("\ufeffa=1\n", r"f:1:1: config parsing error near `\ufeffa=1': a byte order mark"),
    ("Name='x'", "f:1:1: config parsing error near `Name='x'': names begin with a lower-case letter, numbers with a "
     "digit, strings with a quote"),
    ("_a=1", "f:1:1: config parsing error near `_a=1': names begin with a lower-case letter, numbers with a digit, "
     "strings with a quote"),
    ("aB=1", "f:1:2: config parsing error near `B=1': names begin with a lower-case letter, numbers with a digit, "
     "strings with a quote"),
    ("a=0x1F", "f:1:6: config parsing error near `F': names begin with a lower-case letter, numbers with a digit, "
     "strings with a quote"),
    ("a=$", "f:1:3: config parsing error near `$': nothing begins with this character"),
    ("a=1\n$", "f:2:1: config parsing error near `$': nothing begins with this character"),
    ("a=1\fb=2", r"f:1:4: config parsing error near `\x0cb=2': nothing begins with this character"),
    ("a=" + "[" * 65, "f:1:67: config parsing error near `[': lists are nested deeper than 64"),
    ("a=[[[[[[", "f:1:9: config parsing error near the end of the file: syntax error, expected a value"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad(text: str, message: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse(text, "f")
    assert str(caught.value).splitlines()[0] == message


PYTHON = ["a=-1", "a=(1)", "a=1.5", "import os\na=os.getpid()", "a={'b': 1}\nb=c:d", "a+ =1"]


@pytest.mark.parametrize("text", PYTHON)
def test_python_gets_a_hint(text: str) -> None:
    with pytest.raises(ConfigErrors, match="looks like Python"):
        parse(text, "f")


def test_no_hint_without_need() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse("a=$", "f")
    assert "Python" not in str(caught.value)


def test_all_errors_at_once() -> None:
    text = "a=\nb=1\nc 2\nvif=['x' 'y',\n 'z',\n]\nD=1\nE=1\n"
    with pytest.raises(ConfigErrors) as caught:
        parse(text, "guest.cfg")
    error = caught.value
    assert (error.source, error.line, error.column) == ("guest.cfg", 1, 3)
    assert [(found.line, found.column) for found in error.diagnostics] == [(1, 3), (3, 3), (4, 10), (7, 1), (8, 1)]
    assert len(str(error).splitlines()) == 5
    assert all(line.startswith("guest.cfg:") for line in str(error).splitlines())


def test_a_file_that_is_no_configuration_does_not_flood() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse("$\n" * 1000, "f")
    assert len(caught.value.diagnostics) == 20


def test_places() -> None:
    config = parse("a = 'x'\n  b=[\n  'y',\n 'z' ]\n", "f")
    first, second = config.settings["a"], config.settings["b"]
    assert (first.line, first.column, first.value.line, first.value.column) == (1, 1, 1, 5)
    assert (second.line, second.column, second.value.line, second.value.column) == (2, 3, 2, 5)
    assert isinstance(second.value, ListValue)
    assert [(item.line, item.column) for item in second.value.items] == [(3, 3), (4, 2)]


def test_overrides_win_and_have_places_of_their_own() -> None:
    config = parse("a=1\nb=2", "f", ["a=3", "c='x'"])
    assert {key: plain(found.value) for key, found in config.settings.items()} == {"a": "3", "b": "2", "c": "x"}
    assert config.place(2) == ("f", 2)
    assert config.place(config.settings["c"].line) == ("command line", 2)
    assert config.warnings == ()


def test_overrides_end_a_comment_on_the_last_line() -> None:
    assert parse("a=1\n# last", "f", ["b=2"]).settings.keys() == {"a", "b"}


def test_errors_in_overrides() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse("a=1\n", "f", ["b=2", "c=x"])
    assert str(caught.value) == "command line:2:3: config parsing error near `x': syntax error, expected a value"


def test_setting_twice_in_the_file_is_a_warning() -> None:
    config = parse("a=1\nb=1\na=2\n", "f", ["b=3"])
    assert config.warnings == (
        Diagnostic("warning", "`a' is set again; what line 1 says is lost", "f", 3, 1, "a", "XV011"),
    )
    assert str(config.warnings[0]) == "f:3:1: warning: `a' is set again; what line 1 says is lost"


def test_bytes_that_are_no_utf8_survive() -> None:
    value = parse(b"a='\xff\xfe'", "f").settings["a"].value
    assert isinstance(value, Atom)
    assert value.text.encode("utf-8", "surrogateescape") == b"\xff\xfe"


def render(value: Plain) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(render, value)) + "]"
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


VALUES = st.recursive(
    st.text(st.characters(exclude_characters="\0"), max_size=12),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)
KEYS = st.from_regex("[a-z][._0-9a-z]{0,8}", fullmatch=True)


@settings(max_examples=100)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_round_trip(values: dict[str, Plain]) -> None:
    assert meaning("".join(f"{key} = {render(value)}\n" for key, value in values.items())) == values


@settings(max_examples=100)
@given(st.binary(max_size=60), st.lists(st.text(max_size=10), max_size=2))
def test_arbitrary_bytes(data: bytes, overrides: list[str]) -> None:
    try:
        parse(data, "f", overrides)
    except ConfigError as error:
        assert error.line > 0


PIECES = ["a", "b.c", "1", "0x1f", "'x'", "[", "]", ",", "=", "+=", "\n", ";", " ", "#c\n", "'", '"', "\\", "$", "\r"]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_arbitrary_tokens(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        assert str(error)
