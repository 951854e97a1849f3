"""The table of commands: one row drives the fast path, click, the help and the completion alike.

Names, letters and meanings are xl's (xl(1)) wherever xl has the command.
"""

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


class Argument(Value):
    """One positional argument."""

    dest: str
    metavar: str
    required: bool = True
    many: bool = False
    complete: str = ""
    """What to complete it with: ``domain`` or ``file``."""


class Command(Value):
    """One command: `call` is ``module:function`` below xenvm.cli, imported when it runs."""

    name: str
    summary: str
    call: str
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    commands: tuple[Command, ...] = ()
    """Subcommands; a command that has them is a group, and its call is what its name alone does on a terminal."""
    raw: bool = False
    """Whether options after the first argument belong to that argument (a command line to run)."""


_DOMAIN = Argument("domain", "DOMAIN", complete="domain")
_MAYBE_DOMAIN = Argument("domain", "[DOMAIN]", required=False, complete="domain")
_CONFIG = Argument("config", "[CONFIG]", required=False, complete="file")
_SETTINGS = Argument("settings", "[KEY=VALUE]...", required=False, many=True)
_JSON = Option(("--json",), "as_json", "Print JSON instead of a table.")
_ALL = Option(("-a", "--all"), "every", "All guests.")
_WAIT = Option(("-w", "--wait"), "wait", "Wait until the guests have gone down.")

_CREATE = Command(
    "create",
    "Create a guest from a configuration and start it.",
    "create:create",
    (
        Option(("-p",), "paused", "Leave the guest paused after creation."),
        Option(("-c",), "console", "Connect to the guest's console at once."),
        Option(("-n", "--dryrun"), "dry_run", "Show what would be done; do nothing."),
        Option(("-e",), "no_monitor", "Do not watch the guest in the background: nobody acts when it goes down."),
        Option(("-F",), "foreground", "Watch the guest in the foreground until it is gone."),
        Option(("-q", "--quiet"), "quiet", "Say nothing that is not an error."),
        Option(("-f", "--defconfig"), "defconfig", "The configuration file, where CONFIG is not given.", "FILE"),
        Option(("--hotplug-scripts",), "hotplug_scripts", "Run the host's hotplug scripts for all disks and vifs."),
        Option(("--timing",), "timing", "Print how long each phase took."),
    ),
    (_CONFIG, _SETTINGS),
)

_LIST = Command(
    "list",
    "List the domains of this host.",
    "inspect:list_domains",
    (
        Option(("-v", "--verbose"), "verbose", "Show uuids, shutdown reasons and security labels."),
        Option(("-Z", "--context"), "context", "Show security labels."),
        Option(("-c", "--cpupool"), "cpupool", "Show the cpupool of each domain."),
        _JSON,
    ),
    (_MAYBE_DOMAIN,),
)

_DTB = Command(
    "dtb",
    "Make the device tree of a configuration, on any machine.",
    "dtb:dtb",
    (
        Option(("-o", "--output"), "output", "Where to write (default: standard output).", "FILE"),
        Option(("--dts",), "dts", "Write source text instead of a blob."),
        Option(("--xen",), "xen", "Version of Xen, such as 4.20.", "X.Y", "4.20"),
        Option(("--gic",), "gic", "Interrupt controller: v2 or v3.", "VERSION", "v3"),
        Option(("--gpaddr-bits",), "gpaddr_bits", "Width of guest-physical addresses.", "N", 40, True),
        Option(("--clock-frequency",), "clock_frequency", "Timer frequency to tell, 0: none.", "HZ", 0, True),
        Option(("--bits",), "bits", "64 or 32, where the kernel file is not here to say.", "N", 64, True),
    ),
    (Argument("config", "CONFIG", complete="file"), _SETTINGS),
)

_CONSOLE = Command(
    "console",
    "Connect to a guest's console.",
    "console:console",
    (
        Option(("-t", "--type"), "kind", "Which console: pv or vuart.", "TYPE"),
        Option(("-n",), "number", "Number of the console.", "N", 0, True),
        Option(("-e",), "escape", "The character that ends the session: ^] unless given.", "CHAR", "^]"),
    ),
    (_DOMAIN,),
)

_SUITE = Option(("--suite",), "suite", "bookworm (Xen 4.17) or trixie (Xen 4.20).", "SUITE", "bookworm")
_LAB_NAME = Option(("-n", "--name"), "name", "Which lab, if several are up.", "NAME")
_MIRROR = Option(("--mirror",), "mirror", "A Debian mirror, in place of that of this machine's apt.", "URL")

_LAB = Command(
    "lab",
    "A real Xen-on-ARM host in QEMU, on any Linux machine.",
    "",
    commands=(
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
    ),
)

_STORE_SERVE = Command(
    "serve",
    "Serve a XenStore on a socket, until a signal.",
    "store_serve:serve",
    (
        Option(("--socket",), "socket", "Where clients find it.", "PATH"),
        Option(("--state",), "state", "A file that keeps the store; without one it ends with the server.", "FILE"),
    ),
)

_SOCKET = Option(("--socket",), "socket", "Another store than this host's: the path of its socket.", "PATH")
_PERMS = Option(("-p",), "perms", "Show permissions.")
_RAW = Option(("-R", "--raw"), "raw", "Values as they are: no escapes such as \\n or \\x07.")
_DEPTH = Option(("-d", "--depth"), "depth", "How many levels down.", "N", None, True)
_FULL = Option(("-f",), "full", "Show whole paths.")
_WITH_PATH = Option(("-p",), "prefix", "Show each path in front.")
_PATH = Argument("path", "[PATH]", required=False)
_PATHS = Argument("paths", "PATH...", many=True)
_MAYBE_PATHS = Argument("paths", "[PATH]...", required=False, many=True)
_VALUE = Option(("-v", "--value"), "value", "Only nodes whose value has this text in it.", "TEXT")
_OWNER = Option(("-o", "--owner"), "owner", "Only nodes that this domain owns.", "DOMID", None, True)
_AS = Option(("--as",), "domid", "Tell what this domain may do.", "DOMID", None, True)
_RECURSIVE = Option(("-r",), "recursive", "The nodes below too.")
_UPTO = Option(("-u",), "upto", "The nodes above too, without the root.")
_COUNT = Option(("-n",), "count", "End after N events; 0: never.", "N", 0, True)
_WATCH_VALUES = Option(("-v", "--values"), "values", "Show values.")
_WATCH_TIMES = Option(("-t", "--time"), "times", "Show the time of day.")
_TIDY = Option(("-t",), "tidy", "Remove the nodes above too that have nothing else.")
_NO_PERMS = Option(("--no-perms",), "no_perms", "Leave permissions as they are.")
_OUTPUT = Option(("-o", "--output"), "output", "Where to write (default: standard output).", "FILE")
_FILE = Argument("file", "FILE", complete="file")
_MODES = Argument("perms", "PERM...", many=True)
_AFTER = Argument("after", "[FILE]", required=False, complete="file")
_BEFORE = Argument("before", "FILE", complete="file")
_PATTERN = Argument("pattern", "PATTERN")
_WORDS = Argument("words", "WORD...", many=True)
_PAIRS = Argument("words", "PATH VALUE...", many=True)

_STORE = Command(
    "store",
    "Look at and change the xenstore; a shell if there is nothing else on the line.",
    "store.shell:shell",
    commands=(
        Command(
            "ls",
            "List nodes, as xenstore-ls does.",
            "store.look:ls",
            (_FULL, _PERMS, _DEPTH, _JSON, _SOCKET),
            (_MAYBE_PATHS,),
        ),
        Command("tree", "Draw a tree, with what values mean.", "store.look:tree", (_PERMS, _DEPTH, _SOCKET), (_PATH,)),
        Command(
            "list",
            "Print names of children, as xenstore-list does.",
            "store.look:list_",
            (_WITH_PATH, _JSON, _SOCKET),
            (_MAYBE_PATHS,),
        ),
        Command(
            "read",
            "Print values, as xenstore-read does.",
            "store.look:read",
            (_WITH_PATH, _RAW, _JSON, _SOCKET),
            (_PATHS,),
        ),
        Command("write", "Set values, as xenstore-write does.", "store.change:write", (_RAW, _SOCKET), (_PAIRS,)),
        Command("mkdir", "Make empty nodes.", "store.change:mkdir", (_SOCKET,), (_PATHS,)),
        Command("rm", "Remove nodes with all below.", "store.change:rm", (_TIDY, _SOCKET), (_PATHS,)),
        Command(
            "chmod",
            "Set permissions: PERM is a letter of n, r, w, b and a domid.",
            "store.change:chmod",
            (_RECURSIVE, _UPTO, _SOCKET),
            (Argument("path", "PATH"), _MODES),
        ),
        Command("exists", "Say by the exit code whether nodes exist.", "store.look:exists", (_SOCKET,), (_PATHS,)),
        Command(
            "watch",
            "Print what changes, until interrupted.",
            "store.watch:watch",
            (_COUNT, _DEPTH, _WATCH_VALUES, _WATCH_TIMES, _JSON, _SOCKET),
            (_PATHS,),
        ),
        Command(
            "find",
            "Print nodes whose name (or path, if it has a slash) fits.",
            "store.look:find",
            (_VALUE, _OWNER, _JSON, _SOCKET),
            (_PATTERN, _PATH),
        ),
        Command(
            "explain",
            "Tell who may read and write a node, and why.",
            "store.look:explain",
            (_AS, _JSON, _SOCKET),
            (_PATH,),
        ),
        Command("export", "Write a snapshot as JSON.", "store.compare:export", (_OUTPUT, _SOCKET), (_PATH,)),
        Command(
            "import",
            "Write the nodes of a snapshot, below PATH if it is given.",
            "store.compare:import_",
            (_NO_PERMS, _SOCKET),
            (_FILE, _PATH),
        ),
        Command(
            "diff",
            "Compare snapshots; - or nothing is the store now.",
            "store.compare:diff",
            (_JSON, _SOCKET),
            (_BEFORE, _AFTER),
        ),
        Command("stat", "Show what each domain uses.", "store.look:stat", (_JSON, _SOCKET)),
        Command(
            "control",
            "Send a command to the server itself; `help` lists them.",
            "store.look:control",
            (_SOCKET,),
            (_WORDS,),
            raw=True,
        ),
        _STORE_SERVE,
        Command("shell", "The interactive shell; takes commands from a pipe too.", "store.shell:shell", (_SOCKET,)),
    ),
)

COMMANDS: tuple[Command, ...] = (
    _CREATE,
    _LIST,
    Command("domid", "Print the domid of a name.", "inspect:domid", (), (_DOMAIN,)),
    Command("domname", "Print the name of a domid.", "inspect:domname", (), (_DOMAIN,)),
    Command(
        "info",
        "Show facts about this host and its Xen.",
        "info:info",
        (_JSON,),
        (Argument("field", "[FIELD]", required=False),),
    ),
    _CONSOLE,
    Command("pause", "Pause a domain.", "power:pause", (), (_DOMAIN,)),
    Command("unpause", "Unpause a domain.", "power:unpause", (), (_DOMAIN,)),
    Command(
        "shutdown",
        "Ask a guest to shut down.",
        "power:shutdown",
        (_ALL, _WAIT),
        (_MAYBE_DOMAIN,),
    ),
    Command("reboot", "Ask a guest to reboot.", "power:reboot", (_ALL, _WAIT), (_MAYBE_DOMAIN,)),
    Command(
        "destroy",
        "End a domain at once.",
        "power:destroy",
        (Option(("-f",), "force", "Accepted for xl's sake; domain 0 cannot be destroyed."),),
        (_DOMAIN,),
    ),
    Command(
        "rename",
        "Give a domain another name.",
        "inspect:rename",
        (),
        (_DOMAIN, Argument("new_name", "NEW-NAME")),
    ),
    _DTB,
    _STORE,
    _LAB,
)


def find(name: str, commands: tuple[Command, ...] = COMMANDS) -> Command | None:
    """The command with this name, or the only one that begins with it, as xl finds it."""
    begin = [command for command in commands if command.name.startswith(name)]
    exact = [command for command in begin if command.name == name]
    if exact:
        return exact[0]
    return begin[0] if len(begin) == 1 and name else None
