"""The face: commands, tables, exit codes. The only importer of click."""

from __future__ import annotations

import gc
import sys

from xenvm.cli.finder import install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def _help() -> None:
    from xenvm.cli.help import columns, page
    from xenvm.cli.run import leave

    text = page(columns())
    if text is not None:
        print(text, end="")
        leave(0)


def _open_all() -> None:
    """Who was started without a standard stream has nobody there; the next file must not become one."""
    import os

    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)
            setattr(sys, name, open(fd, "w" if fd else "r", encoding="utf-8", closefd=False))  # noqa: SIM115  it stays open


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one command and ends the process with its exit code."""
    gc.set_threshold(100_000)  # hardly anything of a short command is garbage, and looking for it takes a twentieth
    install("xenvm", "xenbus", "pyxs", "fdt")
    from xenvm.cli.fast import parse

    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_all()
    words = sys.argv[1:] if argv is None else list(argv)
    if argv is None and sys.argv[0].rpartition("/")[2] == "xl":
        words.insert(0, "xl")
    if len(words) > 2 and words[0] == "--host":
        from xenvm.cli import run as runner

        runner.chosen_host, words = words[1], words[2:]
    if words in (["--help"], ["-h"]):
        _help()  # returns where only click can do it
    plain = parse(words)
    if plain is None:
        from xenvm.cli.app import run_with_click

        run_with_click(words)
    else:
        from xenvm.cli.run import leave, run

        leave(run(*plain))
