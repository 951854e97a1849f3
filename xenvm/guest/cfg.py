"""The language of xl.cfg(5), read exactly as xl's own lexer and parser read it, with a place for each value.

Two upstream bugs are not imitated but reported: octal and ``\\x`` escapes, and a lone stray character that ends the
file, which xl drops without a word.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Token = tuple[str, str, str, int, int]
    """Kind, meaning, spelling, line and column."""

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
_NAME = _LOWER | frozenset("0123456789._")
_DIGIT = frozenset("0123456789")
_NUMBER = frozenset("0123456789abcdefx")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip
_WORDS = {"name": "the name of a setting", "newline": "a newline", "[": "a value"}
_PYTHON_HINT = "the file looks like Python code, which xl.cfg does not allow"
_NO_ESCAPE = "the numerical escape"
_DEPTH = 64
_MOST_ERRORS = 20


class Atom(Value):
    """A string or number as written, unquoted; numbers are made only where one is wanted."""

    text: str
    line: int = 0
    column: int = 0


class ListValue(Value):
    """``[...]``: atoms and further lists."""

    items: tuple[Atom | ListValue, ...]
    line: int = 0
    column: int = 0


class Setting(Value):
    """The last assignment to one key; its value already holds what ``+=`` appended to."""

    key: str
    value: Atom | ListValue
    line: int
    column: int
    added: bool = False
    """Whether the last assignment was ``+=``, which makes a number unreadable."""


class Diagnostic(Value):
    """One finding about a configuration, with its place; line 0 where there is none."""

    severity: str
    """error or warning."""
    message: str
    source: str = ""
    line: int = 0
    column: int = 0
    key: str = ""
    rule: str = ""
    """Id in :mod:`xenvm.guest.rules`."""

    def __str__(self) -> str:
        place = ":".join([self.source or "config", *(str(n) for n in (self.line, self.column) if n)])
        return f"{place}: {'warning: ' if self.severity == 'warning' else ''}{self.message}"


class ConfigErrors(ConfigError):
    """All that is wrong with one configuration: the first error gives the place, `diagnostics` has every finding."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        first, *others = (found for found in diagnostics if found.severity == "error")
        reason = "\n".join([first.message, *map(str, others)])
        super().__init__(reason, source=first.source, line=first.line, column=first.column)


class Config(Value):
    """A configuration that follows the grammar."""

    source: str
    settings: Mapping[str, Setting]
    file_lines: int
    """Lines of the file; what lies behind came from the command line."""
    warnings: tuple[Diagnostic, ...] = ()

    def place(self, line: int) -> tuple[str, int]:
        """The source and the line in it, of a line of the whole text."""
        return _place(self.source, self.file_lines, line)


def parse(data: bytes | str, source: str = "", overrides: Iterable[str] = ()) -> Config:
    """Reads a file's contents, then the overrides, each ``KEY=VALUE`` in the same language on a line of its own.

    Raises ConfigErrors with all errors, up to 20: after one it goes on at the next newline, as xl does.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
    lines = text.count("\n") + 1
    more = "".join(f"\n{override}" for override in overrides)
    return _Parser(text + more + "\n" if more else text, source, lines).run()


def _place(source: str, file_lines: int, line: int) -> tuple[str, int]:
    return (source, line) if line <= file_lines else ("command line", line - file_lines)


class _Lexer:
    """Cuts text into tokens; what is no token becomes one of kind "bad", whose meaning is the reason."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.line, self.line_start = text, 0, 1, 0
        self.like_python = False

    def tokens(self) -> list[Token]:
        found = []
        while True:
            while self.text[self.at : self.at + 1] in (" ", "\t"):
                self.at += 1
            token = self._next()
            found.append(token)
            self.at += len(token[2])
            if token[0] == "newline":
                self.line, self.line_start = self.line + 1, self.at
            elif token[0] == "end":
                return found

    def _next(self) -> Token:
        start = self.text[self.at : self.at + 1]
        if not start:
            return self._token("end", self.at)
        if start in _LOWER:
            return self._token("name", self._run(_NAME))
        if start in _DIGIT:
            return self._token("number", self._run(_NUMBER))
        if start in "=,;[]":
            return self._token(start, self.at + 1)
        if start in "\n#":
            return self._newline()
        if start in "'\"":
            return self._string(start)
        return self._token("+=", self.at + 2) if self.text.startswith("+=", self.at) else self._bad(start)

    def _token(self, kind: str, end: int, meaning: str | None = None) -> Token:
        spelling = self.text[self.at : end]
        column = self.at - self.line_start + 1
        return kind, spelling if meaning is None else meaning, spelling, self.line, column

    def _run(self, members: frozenset[str]) -> int:
        end = self.at + 1
        while end < len(self.text) and self.text[end] in members:
            end += 1
        return end

    def _newline(self) -> Token:
        end = self.text.find("\n", self.at)
        if end >= 0:
            return self._token("newline", end + 1)
        if self.at + 1 == len(self.text):
            return self._token("newline", self.at + 1)  # xl lets a lone # at the very end pass
        return self._bad("#")

    def _string(self, quote: str) -> Token:
        end = self.at + 1
        while (char := self.text[end : end + 1]) != quote:
            end += 2 if char == "\\" and self.text[end + 1 : end + 2] != "\n" else 1
            if char in ("", "\n"):
                return self._bad(quote)
        meaning, wrong = _unquote(self.text[self.at + 1 : end])
        return self._token("bad" if wrong else "string", end + 1, wrong or meaning)

    def _bad(self, start: str) -> Token:
        end = self.at + 1
        while end < len(self.text) and self.text[end] not in " \t\n":
            end += 1
        self.like_python |= start in "+-.():"
        return self._token("bad", end, _stray(start))


def _unquote(body: str) -> tuple[str, str]:
    """The meaning of a string's inside, and what is wrong with it if anything."""
    if "\0" in body:
        return "", "a NUL byte in a string"
    if "\\" not in body:
        return body, ""
    first, *parts = body.replace("\\\\", "\\\0").split("\\")
    found = [first]
    for part in parts:
        letter = "\\" if part[0] == "\0" else part[0]
        if letter in "x01234567":
            return "", f"{_NO_ESCAPE} \\{letter} does not work in xl.cfg; write the character itself"
        if letter not in _ESCAPES:
            return "", f"the escape \\{letter} is unknown; a backslash itself is written \\\\"
        found.append(_ESCAPES[letter] + part[1:])
    return "".join(found), ""


def _stray(start: str) -> str:
    if start == "\r":
        return "a carriage return; the file has the line ends of DOS"
    if start == "\ufeff":
        return "a byte order mark"
    if start in "'\"":
        return "a string that does not end on its line"
    if start == "#":
        return "a comment without a newline after it"
    if start == "_" or start.isupper():
        return "names begin with a lower-case letter, numbers with a digit, strings with a quote"
    return "nothing begins with this character"


class _Unexpected(Exception):
    """The parser cannot go on in this statement; carries the token and the reason."""


class _Parser:
    """Recursive descent over the tokens; one method a rule of the grammar."""

    def __init__(self, text: str, source: str, file_lines: int) -> None:
        lexer = _Lexer(text)
        self.tokens, self.like_python = lexer.tokens(), lexer.like_python
        self.at, self.depth = 0, 0
        self.source, self.file_lines = source, file_lines
        self.settings: dict[str, Setting] = {}
        self.found: list[Diagnostic] = []

    def run(self) -> Config:
        failed = 0
        while self.tokens[self.at][0] != "end" and failed < _MOST_ERRORS:
            try:
                self._statement()
            except _Unexpected as wrong:
                failed += 1
                token, reason = wrong.args
                self._report("error", token, reason, rule=_rule(token))
                self._recover()
        if failed and self.like_python:
            self.found.append(Diagnostic("error", _PYTHON_HINT, self.source, rule="XV001"))
        if failed:
            raise ConfigErrors(self.found)
        return Config(self.source, self.settings, self.file_lines, tuple(self.found))

    def _report(self, severity: str, token: Token, message: str, key: str = "", rule: str = "") -> None:
        source, line = _place(self.source, self.file_lines, token[3])
        self.found.append(Diagnostic(severity, message, source, line, token[4], key, rule))

    def _statement(self) -> None:
        if self._take("newline", ";"):
            return
        name = self._expect("name")
        operator = self._expect("=", "+=")
        first = self.tokens[self.at]
        self._store(name, operator[0] == "+=", self._value(), first)
        if self.tokens[self.at][0] != "end":
            self._expect("newline", ";")

    def _store(self, name: Token, adding: bool, value: Atom | ListValue, first: Token) -> None:
        key, before = name[1], self.settings.get(name[1])
        if before and adding:
            value = self._joined(before.value, value, first)
        elif before and name[3] <= self.file_lines:
            message = f"`{key}' is set again; what line {before.line} says is lost"
            self._report("warning", name, message, key, "XV011")
        self.settings[key] = Setting(key, value, name[3], name[4], adding)

    def _joined(self, before: Atom | ListValue, value: Atom | ListValue, first: Token) -> Atom | ListValue:
        if isinstance(before, Atom) and isinstance(value, Atom):
            return value.replace(text=before.text + value.text)
        if isinstance(before, ListValue) and isinstance(value, ListValue):
            return value.replace(items=before.items + value.items)
        raise _Unexpected(first, _near(first, "a list and a string cannot be added"))

    def _value(self) -> Atom | ListValue:
        token = self._take("string", "number")
        if token:
            return Atom(token[1], token[3], token[4])
        bracket = self._expect("[")
        if self.depth == _DEPTH:
            raise _Unexpected(bracket, _near(bracket, f"lists are nested deeper than {_DEPTH}"))
        self.depth += 1
        items = self._items()
        self._expect("]", or_else="," if items else "[")
        self.depth -= 1
        return ListValue(items, bracket[3], bracket[4])

    def _items(self) -> tuple[Atom | ListValue, ...]:
        items: list[Atom | ListValue] = []
        self._skip_newlines()
        while self.tokens[self.at][0] != "]":
            items.append(self._value())
            self._skip_newlines()
            if not self._take(","):
                break
            self._skip_newlines()
        return tuple(items)

    def _skip_newlines(self) -> None:
        while self._take("newline"):
            pass

    def _take(self, *kinds: str) -> Token | None:
        token = self.tokens[self.at]
        if token[0] not in kinds:
            return None
        self.at += 1
        return token

    def _expect(self, *kinds: str, or_else: str = "") -> Token:
        token = self._take(*kinds)
        if token:
            return token
        token = self.tokens[self.at]
        if token[0] == "bad":
            raise _Unexpected(token, _near(token, token[1]))
        options = " or ".join(_WORDS.get(kind, f"`{kind}'") for kind in (*kinds, or_else) if kind)
        raise _Unexpected(token, _near(token, f"syntax error, expected {options}"))

    def _recover(self) -> None:
        """Skips to the next newline; inside a list, to the next one before what may be a statement."""
        while True:
            while self.tokens[self.at][0] not in ("newline", "end"):
                self.at += 1
            self._skip_newlines()
            if not self.depth or self.tokens[self.at][0] in ("name", "bad", "end"):
                self.depth = 0
                return


def _rule(token: Token) -> str:
    if token[0] != "bad":
        return "XV001"
    if token[1].startswith(_NO_ESCAPE):
        return "XV004"
    return {"\r": "XV002", "\ufeff": "XV003"}.get(token[2][:1], "XV001")


def _near(token: Token, reason: str) -> str:
    kind, _, spelling, _, _ = token
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in spelling[:40])
    where = {"newline": "<newline>", "end": "the end of the file"}.get(kind, f"`{shown}'")
    return f"config parsing error near {where}: {reason}"
