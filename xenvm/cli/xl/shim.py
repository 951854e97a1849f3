"""Reads a command line as xl does, runs our own command, and ends and complains as xl does."""

from __future__ import annotations

import sys

from xenbus.errors import XenbusError
from xenvm.cli import fast, run, table
from xenvm.cli.xl import getopt
from xenvm.cli.xl.table import Row, find
from xenvm.errors import ConfigError, NoSuchDomain, XenvmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAILED, USAGE = 1, 2
_GLOBAL = "vftTN"


class Call:
    """One subcommand with its words, as xl has read them."""

    def __init__(self, row: Row, given: list[tuple[str, str]], operands: list[str], dry: bool) -> None:
        self.row, self.given, self.operands, self.dry = row, given, operands, dry

    def has(self, letter: str) -> bool:
        """Whether an option was given."""
        return any(letter == found for found, _ in self.given)

    def native(self, operands: Sequence[str] | None = None) -> int:
        """Runs our own command with the same options; its exit code."""
        words = [self.row.native]
        for letter, value in self.given:
            if letter not in self.row.ignored:
                words += [f"-{letter}", value] if value else [f"-{letter}"]
        parsed = fast.parse([*words, "--", *(self.operands if operands is None else operands)])
        if parsed is None:
            return usage(self.row)
        command, values = parsed
        return int(run.load(command)(**values) or 0)


def xl(words: Sequence[str]) -> int:
    """Runs ``xl WORDS...``; xl's exit code."""
    try:
        flags, rest = getopt.parse(words, _GLOBAL, {}, permute=False)
    except getopt.UnknownOption:
        return tell("unknown global option")
    if not rest:
        help_all()
        return FAILED
    row = find(rest[0])
    if row is None:
        if rest[0] != "help":
            return tell("command not implemented")
        return help_on(rest[1] if len(rest) > 1 else "")
    if ("N", "") in flags and not row.dry:
        return tell("command does not implement -N (dryrun) option")
    return _command(row, rest[1:], ("N", "") in flags)


def _command(row: Row, words: Sequence[str], dry: bool) -> int:
    if not implemented(row):
        return tell(f"{row.name}: {row.reason}")
    longs = dict(long.split("=") for long in row.longs)
    try:
        given, operands = getopt.parse(words, row.letters + "h", {**longs, "help": "h"})
    except getopt.UnknownOption as error:
        return tell(f"option `{error}' not supported.", USAGE)
    if ("h", "") in given:
        return help_on(row.name)
    if len(operands) < row.least:
        plural = "s" if row.least > 1 else ""
        tell(f"'xl {row.name}' requires at least {row.least} argument{plural}.\n")
        return usage(row)
    for letter, _ in given:
        if letter in row.refused:
            return tell(f"{row.name} -{letter}: {row.reason}")
    return _attempt(Call(row, given, operands, dry))


def _attempt(call: Call) -> int:
    """Runs it; errors become xl's words and codes."""
    row = call.row
    try:
        return work(row)(call)
    except NoSuchDomain as error:
        return _nobody(call, str(error.who))
    except BrokenPipeError:
        raise
    except (XenvmError, XenbusError, OSError, ModuleNotFoundError) as error:
        if run.debug:
            raise
        tell(f"xl: {error}")
        for note in getattr(error, "__notes__", ()):
            tell(f"xl: {note}")
        if row.failed and not isinstance(error, ConfigError):  # xl has begun nothing yet
            tell(_failed(call))
        return FAILED


def work(row: Row) -> Callable[[Call], int]:
    """What carries the subcommand out."""
    if not row.own:
        return lambda call: min(call.native(), FAILED)
    module, _, name = row.own.rpartition(":")
    found: Callable[[Call], int] = getattr(__import__(f"xenvm.cli.xl.{module or 'own'}", fromlist=[name]), name)
    return found


def _nobody(call: Call, who: str) -> int:
    """xl takes any number for a domid, and fails, if at all, when it uses it."""
    if not (who.isascii() and who.isdecimal()):
        return tell(f"{who} is an invalid domain identifier (rc=-6)")
    tell(f"Error: Domain '{who}' does not exist.")
    if call.row.failed:
        tell(_failed(call))
    return FAILED if call.row.number_fails else 0


def _failed(call: Call) -> str:
    return call.row.failed.format(*call.operands, "", "")


def implemented(row: Row) -> bool:
    """Whether xenvm has a command for it."""
    return bool(row.native) and any(command.name == row.native for command in table.COMMANDS)


def tell(line: str, code: int = FAILED) -> int:
    """Says a line on the standard error; `code`."""
    print(line, file=sys.stderr)
    return code


def usage(row: Row) -> int:
    """Shows the help of a subcommand that was not used so."""
    help_on(row.name)
    return USAGE


def help_on(word: str) -> int:
    """``xl help [SUBCOMMAND]``."""
    row = find(word)
    if row is not None:
        options = " ".join(f"[-{letter}]" for letter in row.letters.replace(":", "") if letter != "h")
        print(f"Usage: xl [-vtT{'N' if row.dry else ''}] {' '.join(filter(None, (row.name, options, row.words)))}\n")
        print(f"{row.summary}\n")
    elif word and word != "help":
        print(f'command "{word}" not implemented')
    else:
        help_all()
    return 0


def help_all() -> None:
    """All subcommands that work here."""
    from xenvm.cli.xl.table import ROWS

    print("Usage xl [-vfNtT] <subcommand> [args]\n\nxl full list of subcommands:\n")
    for row in ROWS:
        if implemented(row):
            print(f" {row.name:<19} {row.summary}")
