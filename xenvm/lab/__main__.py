"""``python3 -m xenvm.lab``: the lab's commands without the rest of xenvm."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from xenvm import lab
from xenvm.lab import verbs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except lab.LabError as error:
        print(f"xenvm lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(o: argparse.Namespace) -> int:
    match o.verb:
        case "build":
            return verbs.build(o.suite or ["bookworm"], o.mirror)
        case "up":
            machine = lab.Options(o.memory, o.cpus, o.gic, o.dom0_mem, o.xen_args)
            return verbs.up(o.name, o.suite, machine, o.timeout)
        case "down":
            return verbs.down(o.names, o.all)
        case "exec":
            command = o.command[1:] if o.command[:1] == ["--"] else o.command
            return verbs.execute(o.name, command, tty=o.tty, stdin=o.stdin, timeout=o.timeout)
        case "put":
            return verbs.put(o.name, o.source, o.path)
        case "get":
            return verbs.get(o.name, o.path, o.target)
        case "console":
            return verbs.console(o.name, o.follow)
        case _:
            return verbs.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m xenvm.lab", description=lab.__doc__.split("\n")[0])
    add = parser.add_subparsers(dest="verb", required=True).add_parser
    build = add("build", help="build the image of a suite from today's packages")
    build.add_argument("--suite", action="append", choices=lab.SUITES, help="may be given several times")
    build.add_argument("--mirror", help="a Debian mirror, in place of the one of this machine's apt")
    _add_up(add("up", help="boot a lab"))
    down = add("down", help="take labs down")
    down.add_argument("names", nargs="*")
    down.add_argument("--all", action="store_true")
    add("status", help="list labs and images")
    _add_exec(add("exec", help="run a command in dom0"))
    put = add("put", help="copy a file into dom0")
    get = add("get", help="copy a file out of dom0")
    console = add("console", help="print the serial log of Xen and dom0")
    for verb in (put, get, console):
        verb.add_argument("-n", "--name", help="which lab, if several are up")
    put.add_argument("source")
    put.add_argument("path")
    get.add_argument("path")
    get.add_argument("target")
    console.add_argument("-f", "--follow", action="store_true")
    return parser


def _add_up(up: argparse.ArgumentParser) -> None:
    defaults = lab.Options()
    up.add_argument("name", nargs="?", help="the suite's name unless given")
    up.add_argument("--suite", default="bookworm", choices=lab.SUITES)
    up.add_argument("--memory", type=int, default=defaults.memory, help="MiB of the whole machine")
    up.add_argument("--dom0-mem", type=int, default=defaults.dom0_mem, help="MiB")
    up.add_argument("--cpus", type=int, default=defaults.cpus)
    up.add_argument("--gic", type=int, default=defaults.gic, choices=(2, 3))
    up.add_argument("--xen-args", default="", help="more words for Xen's command line")
    up.add_argument("--timeout", type=float, default=300.0, help="seconds to wait for dom0")


def _add_exec(execute: argparse.ArgumentParser) -> None:
    execute.add_argument("-n", "--name", help="which lab, if several are up")
    execute.add_argument("-t", "--tty", action="store_true", help="attach this terminal")
    execute.add_argument("-i", "--stdin", action="store_true", help="pass the standard input on")
    execute.add_argument("--timeout", type=float, help="seconds, then it is killed (exit code 124)")
    execute.add_argument("command", nargs=argparse.REMAINDER)


if __name__ == "__main__":
    sys.exit(main())
