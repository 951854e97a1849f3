"""Rows that lie apart for the length of the table: `check`, `top`, `sim-kernel`, facts that xl tells of a host, and xl
itself."""

from __future__ import annotations

from xenvm.cli.table import JSON, Argument, Command, Option

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

FACTS = (
    Command("vm-list", "List the uuids, domids and names of domains.", "facts:vm_list", (JSON,)),
    Command(
        "uptime",
        "Show for how long domains have run.",
        "facts:uptime",
        (Option(("-s",), "short", "Shorter lines, with the time of day."), JSON),
        (Argument("domains", "DOMAIN...", required=False, many=True, complete="domain"),),
    ),
    Command("claims", "List domains with the memory set aside for them.", "facts:claims", (JSON,)),
    Command(
        "cpupool-list",
        "List the cpupools.",
        "facts:cpupool_list",
        (Option(("-c", "--cpus"), "cpus", "Show which CPUs."), JSON),
        (Argument("pool", "[CPUPOOL]", required=False),),
    ),
    Command("dmesg", "Print Xen's own log.", "facts:dmesg", (Option(("-c", "--clear"), "clear", "Empty the log."),)),
    Command("debug-keys", "Send debug keys to Xen.", "facts:debug_keys", (), (Argument("keys", "KEYS"),)),
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
    (Argument("words", "SUBCOMMAND...", required=False, many=True),),
    raw=True,
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
