"""Rows of commands that look on, or work beside a host."""

from __future__ import annotations

from xenvm.cli.rows import JSON, Argument, Command, Option

RECORD = Command(
    "record",
    "Record all that the store sees of a domain, with times, until it is gone.",
    "record:record",
    (
        Option(("-o", "--output"), "output", "Where to write (default: standard output).", "FILE"),
        Option(("--seconds",), "seconds", "End after so many seconds.", "N", None, True),
        Option(("--socket",), "socket", "Not this host's store: the path of a socket or device.", "PATH"),
    ),
    (Argument("targets", "DOMAIN|PATH...", many=True),),
)
REPLAY = Command(
    "replay",
    "Show a recording as a chart, play it to a simulated peer, or compare it with another one.",
    "replay:replay",
    (
        Option(("-d", "--device"), "device", "One device: a disk's name, a number, kind:number.", "DEVICE"),
        Option(("-a", "--all"), "every", "Show also what was there before, and requests."),
        Option(("--against",), "against", "Let our own front or back end answer what was recorded.", "END"),
        Option(("--compare",), "compare", "Tell where another recording first differs.", "FILE"),
        JSON,
    ),
    (Argument("file", "FILE", complete="file"),),
)

CHECK = Command(
    "check",
    "Look for mistakes in configurations, without any host.",
    "check:check",
    (
        Option(("--strict",), "strict", "Warnings count as errors."),
        Option(("--format",), "form", "text, json or sarif.", "FORMAT", "text"),
        Option(("--json",), "as_json", "The same as --format json."),
        Option(("--ignore",), "ignored", "Rules to leave out, with commas between.", "RULE,..."),
        Option(("--no-files",), "no_files", "Do not look for the kernels, ramdisks and disks."),
        Option(("--rules",), "list_rules", "List all rules."),
    ),
    (Argument("configs", "CONFIG...", required=False, many=True, complete="file"),),
)

TOP = Command(
    "top",
    "Watch all domains and their devices, and act on them by keys.",
    "top:top",
    (
        Option(("--once",), "once", "Print one look and end; so it is where there is no terminal."),
        Option(("-d", "--delay"), "delay", "Seconds between looks at the CPU times.", "SECONDS", 2, True),
        Option(("--json",), "as_json", "Print one look as JSON."),
    ),
)

SIM_KERNEL = Command(
    "sim-kernel",
    "Write a file that simulated guests boot, for where no kernel is at hand.",
    "sim_kernel:sim_kernel",
    (),
    (Argument("file", "FILE", complete="file"),),
)

XL = Command(
    "xl",
    "Do what xl does with this command line: names, options, columns and exit codes.",
    "xl.shim:xl",
    (),
    (Argument("words", "SUBCOMMAND...", required=False, many=True, complete="xl"),),
    raw=True,
)

GC = Command(
    "gc",
    "Show what guests and commands that ended halfway have left, with who holds it; remove what is chosen.",
    "leftovers:gc",
    (
        Option(("-r", "--remove"), "remove", "Remove these kinds and ids; asks about each where none is given."),
        Option(("-a", "-y", "--all"), "every", "With --remove: all that is certain, without a question."),
        JSON,
    ),
    (Argument("what", "[KIND|ID]...", required=False, many=True),),
)
