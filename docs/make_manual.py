"""Writes man/ from the table of commands and the table of settings: ``python3 docs/make_manual.py``.

The pages are man(7): xenvm(1), a page for each group of commands, and xenvm.cfg(5).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xenvm import __version__
from xenvm.cli.rows import Command, Option
from xenvm.cli.table import COMMANDS
from xenvm.guest.settings import documentation, find

TOP = Path(__file__).resolve().parents[1]
SUMMARY = "a toolstack for Xen on ARM"
GLOBAL = (
    Option(("--debug",), "debug", "Show where an error was raised."),
    Option(("--host",), "host", "xen, sim or sim:FOLDER, a simulated host, or libvirt:URI; else $XENVM_HOST.", "HOST"),
    Option(("--version",), "version", "Print the version."),
    Option(("-h", "--help"), "help", "Show the help, of a command too."),
)
FILES = (
    ("/var/log/xen/xenvm-NAME.log", "What a guest's monitor did."),
    ("/var/lib/xen/userdata-*", "What xenvm and xl remember of a guest."),
    ("/run/xen/domid-history", "Domids that were in use lately."),
)
ENVIRONMENT = (
    ("XENVM_HOST", "The host, where --host does not name it."),
    ("XENVM_XL_CONF", "The host's xl.conf, if not /etc/xen/xl.conf; empty: none. Simulated hosts have only this one."),
    ("XENVM_XEN_ABI", "The release whose structures are used on a Xen that is newer than all that are known."),
)


def pages() -> dict[str, str]:
    """All pages by their file's name."""
    groups = [command for command in COMMANDS if command.commands]
    made = {"xenvm.1": _page(_main(groups)), "xenvm.cfg.5": _page(_settings())}
    for group in groups:
        made[f"xenvm-{group.name}.1"] = _page(_group(group))
    return made


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _main(groups: list[Command]) -> Iterator[str]:
    yield from _head("xenvm", 1, SUMMARY)
    yield from (".B xenvm", f"[{bold('--debug')}] [{bold('--host')} HOST] COMMAND [ARGUMENT]...")
    yield from (".SH DESCRIPTION", text("Creates, lists, watches and ends the guests of a Xen host on ARM."))
    yield text("A unique beginning of a command's name will do. A DOMAIN is a name or a domid.")
    yield from (".SH OPTIONS", *_options(GLOBAL), ".SH COMMANDS")
    for command in COMMANDS:
        yield from _command("xenvm", command)
    yield from (".SH EXIT STATUS", *_exit_codes(), ".SH ENVIRONMENT", *_terms(ENVIRONMENT), ".SH FILES", *_terms(FILES))
    others = [f"xenvm-{group.name}" for group in groups]
    yield from (".SH SEE ALSO", ", ".join([*(f"{bold(other)}(1)" for other in others), f"{bold('xenvm.cfg')}(5)"]))


def _group(group: Command) -> Iterator[str]:
    name = f"xenvm-{group.name}"
    yield from _head(name, 1, group.summary.rstrip("."))
    yield from (f".B xenvm {group.name}", "VERB [ARGUMENT]...", ".SH VERBS")
    for command in group.commands:
        yield from _command(f"xenvm {group.name}", command)
    yield from (".SH SEE ALSO", f"{bold('xenvm')}(1)")


def _settings() -> Iterator[str]:
    yield from _head("xenvm.cfg", 5, "configuration of a guest")
    yield text("KEY = VALUE")
    yield ".SH DESCRIPTION"
    yield text("The language is that of xl.cfg: a setting a line; numbers, strings in quotes, lists in brackets.")
    for kind, title in (("use", "SETTINGS"), ("err", "REFUSED SETTINGS")):
        yield f".SH {title}"
        rows = [row for key, *_ in documentation() if (row := find(key)) and row.kind == kind]
        yield from _terms((row.key, f"{row.help}{f' {row.reason}.' if row.reason else ''}") for row in rows)
    yield from (".SH SEE ALSO", f"{bold('xenvm')}(1)")


def _head(name: str, section: int, summary: str) -> Iterator[str]:
    yield f'.TH {name.upper()} {section} "" "xenvm {__version__}" "xenvm"'
    yield from (".SH NAME", f"{text(name)} \\- {text(summary)}", ".SH SYNOPSIS")


def _command(prefix: str, command: Command) -> Iterator[str]:
    words = " ".join(
        [*(["[OPTION]..."] if command.options else []), *(argument.metavar for argument in command.arguments)]
    )
    yield ".TP"
    yield f"{bold(f'{prefix} {command.name}')} {text(words)}".rstrip()
    yield text(command.summary)
    if command.commands:
        yield f"See {bold(f'xenvm-{command.name}')}(1)."
    if command.options:
        yield from (".RS", *_options(command.options), ".RE")


def _options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        flags = ", ".join(map(bold, option.flags)) + (f" {text(option.metavar)}" if option.metavar else "")
        default = f" Default: {option.default}." if option.metavar and option.default not in (None, "") else ""
        yield from (".TP", flags, text(option.help + default))


def _terms(terms: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, explanation in terms:
        yield from (".TP", bold(term), text(explanation))


def _exit_codes() -> Iterator[str]:
    """The rows of docs/exit-codes.md, whose text a test holds to the code."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+?) \|", (TOP / "docs/exit-codes.md").read_text(), re.MULTILINE)
    return _terms(rows)


def text(plain: str) -> str:
    """For roff: no escapes, no hyphens that are taken for dashes, no line that is a request."""
    safe = plain.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{safe}" if safe[:1] in (".", "'") else safe


def bold(plain: str) -> str:
    """In bold face."""
    return f"\\fB{text(plain)}\\fR"


if __name__ == "__main__":
    for name, page in pages().items():
        (TOP / "man" / name).write_text(page)
