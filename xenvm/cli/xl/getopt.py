"""A command line as xl reads it: getopt_long(3), options anywhere before ``--``, long names by any unique beginning."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Given = tuple[list[tuple[str, str]], list[str]]


class UnknownOption(Exception):
    """An option that is not there, or lacks its value; the text is its letter, empty for a long one."""


def parse(words: Sequence[str], letters: str, longs: Mapping[str, str], *, permute: bool = True) -> Given:
    """The options in their order, as (letter, value), and the other words. `letters` are getopt's, `longs` lead to
    letters. UnknownOption.
    """
    found: list[tuple[str, str]] = []
    operands: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return found, operands + rest
        if word.startswith("--"):
            found.append(_long(word[2:], rest, letters, longs))
        elif word.startswith("-") and word != "-":
            _short(word[1:], rest, letters, found)
        elif permute:
            operands.append(word)
        else:
            return found, [word, *rest]
    return found, operands


def _short(cluster: str, rest: list[str], letters: str, found: list[tuple[str, str]]) -> None:
    while cluster:
        letter, cluster = cluster[0], cluster[1:]
        at = letters.find(letter)
        if at < 0 or letter == ":":
            raise UnknownOption(letter)
        if letters[at + 1 : at + 2] != ":":
            found.append((letter, ""))
            continue
        if not cluster and not rest:
            raise UnknownOption(letter)
        found.append((letter, cluster or rest.pop(0)))
        return


def _long(text: str, rest: list[str], letters: str, longs: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    begin = {name} & longs.keys() or {long for long in longs if long.startswith(name)}
    if len(begin) != 1:
        raise UnknownOption("")
    letter = longs[begin.pop()]
    if letters[letters.index(letter) + 1 :][:1] != ":":
        if equals:
            raise UnknownOption(letter)
        return letter, ""
    if not equals and not rest:
        raise UnknownOption(letter)
    return letter, value if equals else rest.pop(0)
