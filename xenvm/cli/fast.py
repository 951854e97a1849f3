"""Reads a plain command line without click, whose import costs as much as two starts of the interpreter.

It only ever succeeds: whatever is unusual (help, an unknown option, a missing argument, completion) is left to
click, which owns every message. A test holds the two to the same results.
"""

from __future__ import annotations

from xenvm.cli.table import COMMANDS, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenvm.cli.rows import Command, Option

    Values = dict[str, object]


def parse(argv: Sequence[str], commands: tuple[Command, ...] = COMMANDS) -> tuple[Command, Values] | None:
    """The command and its values by name, or None where click must look."""
    command = find(argv[0], commands) if argv and not argv[0].startswith("-") else None
    if command is None or (command.raw and command.options):
        return None
    if command.raw:
        return command, {command.arguments[0].dest: tuple(argv[1:])}
    if command.commands:
        return parse(argv[1:], command.commands)
    options: Values = {option.dest: _initial(option) for option in command.options}
    words = _take_options(command, list(argv[1:]), options)
    values = None if words is None else _bind(command, words)
    return None if values is None else (command, {**options, **values})


def _initial(option: Option) -> object:
    if option.many:
        return ()
    return option.default if option.metavar else 0 if option.count else False


def _take_options(command: Command, rest: list[str], values: Values) -> list[str] | None:
    by_flag = {flag: option for option in command.options for flag in option.flags}
    words: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--":
            return words + rest
        if not word.startswith("-") or word == "-":
            words.append(word)
        elif not all(_take(by_flag.get(flag), rest, values) for flag in _flags(word, by_flag)):
            return None
    return words


def _flags(word: str, by_flag: dict[str, Option]) -> list[str]:
    """The word, or ``-f -p`` for a ``-fp`` of flags alone."""
    letters = [f"-{letter}" for letter in word[1:]]
    plain = all(letter in by_flag and not by_flag[letter].metavar for letter in letters)
    return letters if plain and word not in by_flag else [word]


def _take(option: Option | None, rest: list[str], values: Values) -> bool:
    if option is None:
        return False
    if not option.metavar:
        before = values[option.dest]
        values[option.dest] = before + 1 if option.count and isinstance(before, int) else True
        return True
    if not rest or (option.number and not (rest[0].isascii() and rest[0].isdecimal())):
        return False
    text = rest.pop(0)
    before = values[option.dest]
    values[option.dest] = (*before, text) if isinstance(before, tuple) else int(text) if option.number else text
    return True


def _bind(command: Command, words: list[str]) -> Values | None:
    values: Values = {}
    for argument in command.arguments:
        if argument.many:
            if argument.required and not words:
                return None
            values[argument.dest] = tuple(words)
            words = []
        elif words:
            values[argument.dest] = words.pop(0)
        elif argument.required:
            return None
        else:
            values[argument.dest] = None
    return None if words else values
