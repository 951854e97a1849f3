"""The rows of `xenvm store`, loaded when it is used: most commands have no need of them."""

from __future__ import annotations

from xenvm.cli.rows import JSON, Argument, Command, Option

_STORE_SERVE = Command(
    "serve",
    "Serve a XenStore on a socket, until a signal.",
    "store_serve:serve",
    (
        Option(("--socket",), "socket", "Where clients find it.", "PATH"),
        Option(("--state",), "state", "A file that keeps the store; without one it ends with the server.", "FILE"),
        Option(("--record",), "record", "A file that records all changes and requests, for `xenvm replay`.", "FILE"),
    ),
)

_SOCKET = Option(
    ("--socket",), "socket", "Not this host's store: the path of a socket, device, snapshot or recording.", "PATH"
)
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
_YES = Option(("-y", "--yes"), "yes", "Do not ask, whatever hangs on it.")
_NO_PERMS = Option(("--no-perms",), "no_perms", "Leave permissions as they are.")
_OUTPUT = Option(("-o", "--output"), "output", "Where to write (default: standard output).", "FILE")
_FILE = Argument("file", "FILE", complete="file")
_MODES = Argument("perms", "PERM...", many=True)
_AFTER = Argument("after", "[FILE]", required=False, complete="file")
_BEFORE = Argument("before", "FILE", complete="file")
_PATTERN = Argument("pattern", "PATTERN")
_WORDS = Argument("words", "WORD...", many=True)
_PAIRS = Argument("words", "PATH VALUE...", many=True)

COMMANDS = (
    Command(
        "ls",
        "List nodes, as xenstore-ls does.",
        "store.look:ls",
        (_FULL, _PERMS, _DEPTH, JSON, _SOCKET),
        (_MAYBE_PATHS,),
    ),
    Command(
        "tree", "Draw a tree, with what values mean.", "store.look:tree", (_PERMS, _DEPTH, JSON, _SOCKET), (_PATH,)
    ),
    Command(
        "list",
        "Print names of children, as xenstore-list does.",
        "store.look:list_",
        (_WITH_PATH, JSON, _SOCKET),
        (_MAYBE_PATHS,),
    ),
    Command(
        "read",
        "Print values, as xenstore-read does.",
        "store.look:read",
        (_WITH_PATH, _RAW, JSON, _SOCKET),
        (_PATHS,),
    ),
    Command("write", "Set values, as xenstore-write does.", "store.change:write", (_RAW, _SOCKET), (_PAIRS,)),
    Command("mkdir", "Make empty nodes.", "store.change:mkdir", (_SOCKET,), (_PATHS,)),
    Command("rm", "Remove nodes with all below.", "store.change:rm", (_TIDY, _YES, _SOCKET), (_PATHS,)),
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
        (_COUNT, _DEPTH, _WATCH_VALUES, _WATCH_TIMES, JSON, _SOCKET),
        (_PATHS,),
    ),
    Command(
        "find",
        "Print nodes whose name (or path, if it has a slash) fits.",
        "store.look:find",
        (_VALUE, _OWNER, JSON, _SOCKET),
        (_PATTERN, _PATH),
    ),
    Command(
        "explain",
        "Tell who may read and write a node, and why.",
        "store.look:explain",
        (_AS, JSON, _SOCKET),
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
        "Compare snapshots and recordings (FILE@SECONDS); `now`, - or nothing is the store now.",
        "store.compare:diff",
        (JSON, _SOCKET),
        (_BEFORE, _AFTER),
    ),
    Command("stat", "Show what each domain uses.", "store.look:stat", (JSON, _SOCKET)),
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
)
