"""The table of commands: one row drives the fast path, click, the help and the completion alike.

Names, letters and meanings are xl's (xl(1)) wherever xl has the command.
"""

from __future__ import annotations

from xenvm.cli.rows import JSON, Argument, Command, Option
from xenvm.cli.table_host import FACTS, HOST_WIDE, INFO, POOLS
from xenvm.cli.table_tools import CHECK, GC, RECORD, REPLAY, SIM_KERNEL, TOP, XL

ABOUT = "A toolstack for Xen on ARM: a minimal device tree, our own hypercalls, everything else on xenbus."
DEBUG = "Show where an error was raised."
HOST = (
    "xen, sim or sim:FOLDER, a simulated host, or libvirt:URI; else $XENVM_HOST, else what this machine"
    " is. A new simulated host can be chosen: 'sim:FOLDER?xen=4.17&gic=v2&memory=8G'."
)
"""What help says of the whole, and of the options before the command."""


_DOMAIN = Argument("domain", "DOMAIN", complete="domain")
_MAYBE_DOMAIN = Argument("domain", "[DOMAIN]", required=False, complete="domain")
_CONFIG = Argument("config", "[CONFIG]", required=False, complete="file")
_SETTINGS = Argument("settings", "[KEY=VALUE]...", required=False, many=True)
_ALL = Option(("-a", "--all"), "every", "All guests.")
_DOMAINS = Argument("domains", "DOMAIN...", required=False, many=True, complete="domain")
_DEVICE = Argument("device", "DEVICE")
_FORCE = Option(("-f", "--force"), "force", "Take it away even if the guest does not let go.")
_SCRIPTS = Option(("--hotplug-scripts",), "hotplug_scripts", "Run the host's hotplug script.")
_SIZE = Argument("size", "MEMORY")
_WAIT = Option(
    ("-w", "--wait"), "wait", "Wait until the guests have gone down; twice: until they are gone.", count=True
)
_FALLBACK = Option(("-F",), "fallback", "xl's fallback to an ACPI button, which ARM guests have not: refused.")

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
        Option(("-i", "--ignore-global-affinity-masks"), "ignore_masks", "Do not heed the CPU masks of xl.conf."),
        Option(("--timing",), "timing", "Print how long each phase took."),
        Option(("--json",), "as_json", "With -n: print JSON."),
    ),
    (_CONFIG, _SETTINGS),
)

_UPDATE = Command(
    "config-update",
    "Replace the configuration from which a running guest is made again after a reboot.",
    "update:update",
    (
        Option(("-f", "--defconfig"), "defconfig", "The configuration, where CONFIG is not given.", "FILE"),
        Option(("-q", "--quiet"), "quiet", "Say nothing that is not an error."),
    ),
    (_DOMAIN, _CONFIG, _SETTINGS),
)

_PLAN = Command(
    "plan",
    "Show all that creating a guest would do, and whether it could be done; do nothing.",
    "plan:plan",
    (
        JSON.replace(help="Print JSON."),
        Option(("--only",), "only", "Parts: summary,memory,hypercalls,store,dom0,dts.", "PART,...", ""),
        Option(("-p",), "paused", "The guest is to be left paused after creation."),
        Option(("--hotplug-scripts",), "hotplug_scripts", "The host's hotplug scripts are to be run."),
        Option(("--xen",), "xen", "For a host that is not here, with this version of Xen.", "X.Y", ""),
        Option(("--gic",), "gic", "With --xen: interrupt controller, v2 or v3.", "VERSION", "v3"),
        Option(("--gpaddr-bits",), "gpaddr_bits", "With --xen: width of guest-physical addresses.", "N", 40, True),
        Option(("--bits",), "bits", "With --xen: 64 or 32, where the kernel file is not here to say.", "N", 64, True),
    ),
    (Argument("config", "CONFIG", complete="file"), _SETTINGS),
)

_LIST = Command(
    "list",
    "List the domains of this host.",
    "domains:list_domains",
    (
        Option(("-l", "--long"), "long", "Print the configuration of each guest as libxl's JSON."),
        Option(("-v", "--verbose"), "verbose", "Show uuids, shutdown reasons and security labels."),
        Option(("-Z", "--context"), "context", "Show security labels."),
        Option(("-c", "--cpupool"), "cpupool", "Show the cpupool of each domain."),
        Option(("-n", "--numa"), "numa", "Show the NUMA nodes that each domain may use: on ARM all, of one."),
        JSON,
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

_CONVERT = Command(
    "convert",
    "Convert between xl.cfg and libvirt's domain XML, on any machine.",
    "convert:convert",
    (
        Option(("-o", "--output"), "output", "Where to write (default: standard output).", "FILE"),
        Option(("--to",), "to", "xml or cfg (default: the other one).", "LANGUAGE"),
        Option(
            ("--arch",), "arch", "Name the architecture, aarch64 or armv7l (libvirt's schema knows neither).", "ARCH"
        ),
    ),
    (Argument("config", "FILE", complete="file"), _SETTINGS),
)

_CONSOLE = Command(
    "console",
    "Connect to a guest's console.",
    "console:console",
    (
        Option(("-t", "--type"), "kind", "Which console: pv or vuart.", "TYPE"),
        Option(("-n",), "number", "Number of the console.", "N", 0, True),
        Option(("-e",), "escape", "The character that ends the session: ^] unless given.", "CHAR", "^]"),
        Option(("--tty",), "tty", "Print where the console's terminal is; do not connect."),
    ),
    (_DOMAIN,),
)

_CLASS = Argument("kind", "CLASS")
_DEVID = Argument("device", "DEVID")
_VALUES = Argument("values", "[KEY=VALUE]...", required=False, many=True)


def _class(name: str, what: str) -> tuple[Command, ...]:
    """The commands that xl has for one class."""
    return (
        Command(
            f"{name}-attach", f"Give a running guest {what}.", f"class_words:{name}_attach", (), (_DOMAIN, _VALUES)
        ),
        Command(f"{name}-list", f"List what guests have of {name}.", f"class_words:{name}_list", (JSON,), (_DOMAINS,)),
        Command(
            f"{name}-detach",
            f"Take {what} from a running guest.",
            f"class_words:{name}_detach",
            (_FORCE,),
            (_DOMAIN, _DEVID),
        ),
    )


_DEVICES = (
    Command("channel-list", "List the channels of guests.", "classes:channel_list", (JSON,), (_DOMAINS,)),
    Command(
        "device-attach",
        "Give a running guest a device of any class, whose back end somebody serves.",
        "classes:device_attach",
        (),
        (_DOMAIN, _CLASS, _VALUES),
    ),
    Command("device-list", "List all devices of guests.", "classes:device_list", (JSON,), (_DOMAINS,)),
    Command(
        "device-detach",
        "Take a device of any class from a running guest.",
        "classes:device_detach",
        (_FORCE,),
        (_DOMAIN, _CLASS, _DEVID),
    ),
    *_class("vkb", "a keyboard, pointer or touch screen"),
    *_class("vdispl", "a display"),
    *_class("vsnd", "a sound card"),
)

_SERVE = Command("serve", "Serve the channels of this host's guests, until a signal.", "serve:serve")

_LAB = Command(
    "lab",
    "A real Xen-on-ARM host in QEMU, on any Linux machine.",
    "",
    group="table_lab",
)

_STORE = Command(
    "store",
    "Look at and change the xenstore; a shell if there is nothing else on the line.",
    "store.shell:shell",
    group="table_store",
)

_DUMP_CORE = Command(
    "dump-core",
    "Write the memory and registers of a guest to a file.",
    "power:dump_core",
    (),
    (_DOMAIN, Argument("file", "[FILE]", required=False, complete="file")),
)

_LOGS = Command(
    "logs",
    "Print what a guest has said on its console, also one that is gone.",
    "logs:logs",
    (
        Option(("-f", "--follow"), "follow", "Go on printing, until interrupted."),
        Option(("-p", "--previous"), "previous", "Of the last guest of this name but one: before a restart, say."),
        Option(("-a", "--all"), "every", "All that is there, of all guests of this name."),
        Option(("-R", "--raw"), "raw", "Bytes as they are: escape sequences can do harm to a terminal."),
    ),
    (_DOMAIN,),
)

COMMANDS: tuple[Command, ...] = (
    _CREATE,
    _PLAN,
    _LIST,
    *FACTS,
    _UPDATE,
    *POOLS,
    *HOST_WIDE,
    Command("domid", "Print the domid of a name.", "domains:domid", (), (_DOMAIN,)),
    Command("domname", "Print the name of a domid.", "domains:domname", (), (_DOMAIN,)),
    INFO,
    _CONSOLE,
    TOP,
    Command("events", "Show what happens to domains, as it happens.", "events:events", (JSON,)),
    Command("pause", "Pause a domain.", "power:pause", (), (_DOMAIN,)),
    Command("unpause", "Unpause a domain.", "power:unpause", (), (_DOMAIN,)),
    Command(
        "shutdown",
        "Ask a guest to shut down.",
        "power:shutdown",
        (_ALL, _WAIT, _FALLBACK),
        (_MAYBE_DOMAIN,),
    ),
    Command("reboot", "Ask a guest to reboot.", "power:reboot", (_ALL, _WAIT, _FALLBACK), (_MAYBE_DOMAIN,)),
    Command(
        "destroy",
        "End a domain at once.",
        "power:destroy",
        (Option(("-f",), "force", "Accepted for xl's sake; domain 0 cannot be destroyed."),),
        (_DOMAIN,),
    ),
    Command(
        "block-attach",
        "Give a running guest a disk.",
        "devices:block_attach",
        (_SCRIPTS,),
        (_DOMAIN, Argument("disk", "DISK-PART...", required=False, many=True)),
    ),
    Command("block-list", "List the disks of guests.", "devices:block_list", (JSON,), (_DOMAINS,)),
    Command("block-detach", "Take a disk from a running guest.", "devices:block_detach", (_FORCE,), (_DOMAIN, _DEVICE)),
    Command(
        "network-attach",
        "Give a running guest a vif.",
        "devices:network_attach",
        (_SCRIPTS,),
        (_DOMAIN, Argument("vif", "[KEY=VALUE]...", required=False, many=True)),
    ),
    Command("network-list", "List the vifs of guests.", "devices:network_list", (JSON,), (_DOMAINS,)),
    Command(
        "network-detach", "Take a vif from a running guest.", "devices:network_detach", (_FORCE,), (_DOMAIN, _DEVICE)
    ),
    *_DEVICES,
    Command("vcpu-list", "List the vCPUs of domains.", "vcpus:vcpu_list", (JSON,), (_DOMAINS,)),
    Command(
        "vcpu-set",
        "Change how many vCPUs a guest has online.",
        "vcpus:vcpu_set",
        (Option(("-i", "--ignore-host"), "ignore_host", "Allow more than this host has CPUs."),),
        (_DOMAIN, Argument("count", "COUNT")),
    ),
    Command(
        "vcpu-pin",
        "Set where vCPUs must (HARD) and should (SOFT) run: CPU lists, all, or - as it is.",
        "vcpus:vcpu_pin",
        (
            Option(("-f", "--force"), "force", "End a pinning for a moment by dom0's kernel too."),
            Option(("-i", "--ignore-global-affinity-masks"), "ignore_masks", "Do not heed the CPU masks of xl.conf."),
        ),
        (
            _DOMAIN,
            Argument("vcpu", "VCPU|all"),
            Argument("hard", "HARD"),
            Argument("soft", "[SOFT]", required=False),
        ),
    ),
    Command("mem-set", "Ask a guest to have so much memory (MiB).", "memory:mem_set", (), (_DOMAIN, _SIZE)),
    Command("mem-max", "Set the most memory a guest may have (MiB).", "memory:mem_max", (), (_DOMAIN, _SIZE)),
    Command("sysrq", "Send a guest a Magic SysRq key.", "power:sysrq", (), (_DOMAIN, Argument("key", "KEY"))),
    Command(
        "trigger",
        "Stop a guest by the hypervisor, with a reason.",
        "power:trigger",
        (),
        (_DOMAIN, Argument("name", "TRIGGER"), Argument("vcpu", "[VCPU]", required=False)),
    ),
    Command("suspend", "Ask a guest to suspend, and wait until it has.", "power:suspend", (), (_DOMAIN,)),
    Command("resume", "Let a suspended guest go on.", "power:resume", (), (_DOMAIN,)),
    _DUMP_CORE,
    _LOGS,
    Command("supervise", "Watch all guests that xenvm created, in the foreground.", "supervise:supervise"),
    Command(
        "explain",
        "Tell what a guest's devices wait for, and who must do it.",
        "explain:explain",
        (Option(("--follow",), "following", "Go on, and print what changes."), JSON),
        (_DOMAIN, Argument("device", "[DEVICE]", required=False)),
    ),
    Command(
        "doctor",
        "Tell what on this host will make create fail, and how to mend it.",
        "doctor:doctor",
        (Option(("--config",), "config", "Look also at what the guest of this configuration needs.", "FILE"), JSON),
    ),
    Command("rename", "Give a domain another name.", "domains:rename", (), (_DOMAIN, Argument("new_name", "NEW-NAME"))),
    CHECK,
    RECORD,
    REPLAY,
    _DTB,
    _SERVE,
    Command(
        "devd",
        "In a driver domain: plug in the disks and vifs that it serves, until a signal.",
        "devd:devd",
        (
            Option(("-F",), "foreground", "Stay in the foreground, whatever else is given."),
            Option(
                ("-p", "--pidfile"), "pidfile", "Go to the background, and write its process's number here.", "FILE"
            ),
        ),
    ),
    GC,
    _CONVERT,
    SIM_KERNEL,
    _STORE,
    XL,
    _LAB,
)


def find(name: str, commands: tuple[Command, ...] = COMMANDS) -> Command | None:
    """The command with this name, or the only one that begins with it, as xl finds it."""
    begin = [command for command in commands if command.name.startswith(name)]
    exact = [command for command in begin if command.name == name]
    if exact:
        return exact[0]
    return begin[0] if len(begin) == 1 and name else None
