"""What a row of the table of commands is made of: commands, their options and arguments."""

from __future__ import annotations

from xenbus.value import Value


class Option(Value):
    """One option of a command; a flag unless it has a `metavar`."""

    flags: tuple[str, ...]
    dest: str
    help: str
    metavar: str = ""
    default: object = None
    number: bool = False
    """Whether the value is a decimal number."""
    count: bool = False
    """Whether the value is how often the flag is given."""
    many: bool = False
    """Whether it may be given several times: the value is a tuple."""


class Argument(Value):
    """One positional argument."""

    dest: str
    metavar: str
    required: bool = True
    many: bool = False
    complete: str = ""
    """What to complete it with: ``domain``, ``file`` or ``xl``, a command line of xl's."""


class Command(Value):
    """One command: `call` is ``module:function`` below xenvm.cli, imported when it runs."""

    name: str
    summary: str
    call: str
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    group: str = ""
    """The module below xenvm.cli that has the subcommands, if this is a group; the group's call is what its name alone
    does on a terminal."""
    raw: bool = False
    """Whether options after the first argument belong to that argument (a command line to run)."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """Subcommands."""
        if not self.group:
            return ()
        found: tuple[Command, ...] = __import__(f"xenvm.cli.{self.group}", fromlist=["COMMANDS"]).COMMANDS
        return found


JSON: Option = Option(("--json",), "as_json", "Print JSON instead of a table.")
