"""The rows of `xenvm lab`, loaded when it is used: most commands have no need of them."""

from __future__ import annotations

from xenvm.cli.rows import Argument, Command, Option

_SUITE = Option(("--suite",), "suite", "bookworm (Xen 4.17) or trixie (Xen 4.20).", "SUITE", "bookworm")
_LAB_NAME = Option(("-n", "--name"), "name", "Which lab, if several are up.", "NAME")
_MIRROR = Option(("--mirror",), "mirror", "A Debian mirror, in place of that of this machine's apt.", "URL")

COMMANDS = (
    Command("build", "Build the image of a suite from today's packages.", "lab:build", (_SUITE, _MIRROR)),
    Command(
        "up",
        "Boot a lab; its image is built if there is none.",
        "lab:up",
        (
            _SUITE,
            Option(("--memory",), "memory", "MiB of the whole machine.", "MIB", 4096, True),
            Option(("--dom0-mem",), "dom0_mem", "MiB of dom0.", "MIB", 1024, True),
            Option(("--cpus",), "cpus", "CPUs of the machine.", "N", 2, True),
            Option(("--gic",), "gic", "Version of the interrupt controller: 2 or 3.", "N", 3, True),
            Option(("--xen-args",), "xen_args", "More words for Xen's command line.", "WORDS", ""),
            Option(("--timeout",), "timeout", "Seconds to wait for dom0.", "SECONDS", 300, True),
        ),
        (Argument("name", "[NAME]", required=False),),
    ),
    Command(
        "down",
        "Take labs down: the named ones, or the only one.",
        "lab:down",
        (Option(("-a", "--all"), "every", "All labs."),),
        (Argument("names", "[NAME]...", required=False, many=True),),
    ),
    Command("status", "List labs and images.", "lab:status"),
    Command(
        "exec",
        "Run a command in dom0; a shell if none is given.",
        "lab:execute",
        (
            _LAB_NAME,
            Option(("-t", "--tty"), "tty", "Attach this terminal."),
            Option(("-i", "--stdin"), "stdin", "Pass the standard input on."),
            Option(("--timeout",), "timeout", "Seconds until it is killed (exit code 124).", "SECONDS", None, True),
        ),
        (Argument("command", "[COMMAND]...", required=False, many=True),),
        raw=True,
    ),
    Command(
        "put",
        "Copy a file into dom0.",
        "lab:put",
        (_LAB_NAME,),
        (Argument("source", "FILE", complete="file"), Argument("path", "PATH")),
    ),
    Command(
        "get",
        "Copy a file out of dom0.",
        "lab:get",
        (_LAB_NAME,),
        (Argument("path", "PATH"), Argument("target", "FILE", complete="file")),
    ),
    Command(
        "console",
        "Print the serial log of Xen and dom0.",
        "lab:console",
        (_LAB_NAME, Option(("-f", "--follow"), "follow", "Go on printing.")),
    ),
)
