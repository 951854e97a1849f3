"""The command table as a click application: help, errors, completion, and everything that is not a plain call."""

from __future__ import annotations

import click

from xenvm import __version__
from xenvm.cli import run, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from xenvm.cli.rows import Argument, Command, Option

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class TableGroup(click.Group):
    """A group made of rows; a unique prefix of a name will do, as with xl."""

    def __init__(self, rows: tuple[Command, ...], alone: str = "", **attributes: object) -> None:
        """`alone`: the row whose options may stand behind the group's name alone."""
        super().__init__(**attributes)  # type: ignore[arg-type]
        self.rows, self.alone = rows, alone

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if self.alone and args and args[0].startswith("-") and args[0] not in _SETTINGS["help_option_names"]:
            args.insert(0, self.alone)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [row.name for row in self.rows]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = table.find(cmd_name, self.rows)
        return None if row is None else build(row)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        begin = [row.name for row in self.rows if args and row.name.startswith(args[0])]
        if len(begin) > 1 and args[0] not in begin:
            ctx.fail(f"{args[0]!r} may be any of: {', '.join(begin)}")
        return super().resolve_command(ctx, args)


def build(row: Command) -> click.Command:
    """One row as a click command or group."""
    if row.commands:
        return _group(row)
    params: list[click.Parameter] = [_option(option) for option in row.options]
    params += [_argument(argument) for argument in row.arguments]
    settings = {**_SETTINGS, "allow_interspersed_args": not row.raw, "ignore_unknown_options": row.raw}

    def call(**values: object) -> None:
        run.leave(run.run(row, values))

    return click.Command(row.name, callback=call, params=params, help=row.summary, context_settings=settings)


def _group(row: Command) -> click.Group:
    """A group; its name alone calls the row's function."""

    @click.pass_context
    def alone(ctx: click.Context) -> None:
        if ctx.invoked_subcommand is None:
            run.leave(run.run(row, {}))

    return TableGroup(
        row.commands,
        next((each.name for each in row.commands if row.call and each.call == row.call), ""),
        name=row.name,
        help=row.summary,
        context_settings=_SETTINGS,
        invoke_without_command=bool(row.call),
        callback=alone if row.call else None,
    )


def _option(option: Option) -> click.Option:
    if option.count:
        return click.Option([*option.flags, option.dest], count=True, help=option.help)
    if not option.metavar:
        return click.Option([*option.flags, option.dest], is_flag=True, help=option.help)
    kind = click.IntRange(min=0) if option.number else click.STRING
    shown = option.default is not None and option.default != ""
    return click.Option(
        [*option.flags, option.dest],
        type=kind,
        metavar=option.metavar,
        default=() if option.many else option.default,
        multiple=option.many,
        show_default=shown,
        help=option.help,
    )


def _argument(argument: Argument) -> click.Argument:
    kind = _KINDS.get(argument.complete, click.UNPROCESSED if argument.many else click.STRING)
    return click.Argument(
        [argument.dest],
        required=argument.required,
        nargs=-1 if argument.many else 1,
        metavar=argument.metavar,
        type=kind,
    )


class DomainName(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A domain, completed with the names on this host."""

    name = "domain"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        from xenvm.cli.domains import live_names

        names = [name for name in live_names() if name.startswith(incomplete)]
        return [click.shell_completion.CompletionItem(name) for name in names]


class ShimWord(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A word of xl's: first the subcommand, then, where it is no option, a domain."""

    name = "word"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        from xenvm.cli.domains import live_names
        from xenvm.cli.xl.shim import implemented
        from xenvm.cli.xl.table import ROWS

        first = not ctx.params.get(param.name or "")
        words = [row.name for row in ROWS if implemented(row)] if first else live_names()
        return [click.shell_completion.CompletionItem(word) for word in words if word.startswith(incomplete)]


_KINDS: dict[str, Any] = {"domain": DomainName(), "file": click.Path(), "xl": ShimWord()}


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    run.debug = value


def _set_host(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    run.chosen_host = value or run.chosen_host


def application() -> click.Group:
    """The whole application."""
    params: list[click.Parameter] = [
        click.Option(["--debug"], is_flag=True, expose_value=False, callback=_set_debug, help=table.DEBUG),
        click.Option(
            ["--host"],
            metavar="HOST",
            is_eager=True,
            expose_value=False,
            callback=_set_host,
            help=table.HOST,
        ),
    ]
    group = TableGroup(
        table.COMMANDS,
        name="xenvm",
        params=params,
        context_settings=_SETTINGS,
        help=table.ABOUT,
    )
    return click.version_option(__version__, prog_name="xenvm")(group)


def run_with_click(words: Sequence[str]) -> NoReturn:
    """Runs a command line through click; never returns."""
    application().main(args=list(words), prog_name="xenvm")
    raise SystemExit(0)
