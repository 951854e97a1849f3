"""The rows of `check` and `top`, which have their own file for the length of the table."""

from __future__ import annotations

from xenvm.cli.table import Argument, Command, Option

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
