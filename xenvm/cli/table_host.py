"""Rows of what a host has and does for all guests: lists and logs, cpupools, and the schedulers' parameters."""

from __future__ import annotations

from xenvm.cli.rows import JSON, Argument, Command, Option

_DOMAIN = Argument("domain", "DOMAIN", complete="domain")
_POOL = Argument("pool", "CPUPOOL")
_CPUS = Argument("cpus", "CPU,...|node:N")
_OF_DOMAIN = Option(("-d", "--domain"), "domain", "The domain.", "DOMAIN")
_OF_POOL = Option(("-p", "--cpupool"), "pool", "Only this cpupool.", "CPUPOOL")
_WEIGHTS = (
    _OF_DOMAIN,
    Option(("-w", "--weight"), "weight", "Set its weight, 1 to 65535.", "N"),
    Option(("-c", "--cap"), "cap", "Set its cap, in percent of a CPU; 0: none.", "N"),
    Option(("-s", "--schedparam"), "schedparam", "Show or set what holds for a whole cpupool."),
)
_RATELIMIT = Option(("-r", "--ratelimit_us"), "ratelimit", "With -s: the rate limit, in microseconds.", "N")

POOLS = (
    Command(
        "cpupool-create",
        "Make a cpupool, as a configuration or KEY=VALUE say: name, sched, cpus.",
        "pools:create",
        (
            Option(("-f", "--defconfig"), "defconfig", "The configuration, where CONFIG is not given.", "FILE"),
            Option(("-n", "--dryrun"), "dry_run", "Show what would be made; do nothing."),
        ),
        (
            Argument("config", "[CONFIG]", required=False, complete="file"),
            Argument("settings", "[KEY=VALUE]...", required=False, many=True),
        ),
    ),
    Command("cpupool-destroy", "End a cpupool; its CPUs are free then.", "pools:destroy", (), (_POOL,)),
    Command("cpupool-rename", "Rename a cpupool.", "pools:rename", (), (_POOL, Argument("new_name", "NEW-NAME"))),
    Command("cpupool-cpu-add", "Give a cpupool CPUs that are free.", "pools:cpu_add", (), (_POOL, _CPUS)),
    Command("cpupool-cpu-remove", "Take CPUs from a cpupool.", "pools:cpu_remove", (), (_POOL, _CPUS)),
    Command("cpupool-migrate", "Put a domain into another cpupool.", "pools:migrate", (), (_DOMAIN, _POOL)),
    Command(
        "sched-credit",
        "Show or set parameters of the scheduler credit.",
        "sched:credit",
        (
            *_WEIGHTS,
            Option(("-t", "--tslice_ms"), "tslice", "With -s: the time slice, in milliseconds.", "N"),
            _RATELIMIT,
            Option(("-m", "--migration_delay_us"), "delay", "With -s: the migration delay, in microseconds.", "N"),
            _OF_POOL,
            JSON,
        ),
    ),
    Command(
        "sched-credit2",
        "Show or set parameters of the scheduler credit2.",
        "sched:credit2",
        (*_WEIGHTS, _RATELIMIT, _OF_POOL, JSON),
    ),
    Command(
        "sched-rtds",
        "Show or set parameters of the scheduler rtds.",
        "sched:rtds",
        (
            _OF_DOMAIN,
            Option(("-v", "--vcpuid"), "vcpus", "Its vCPU of this number, or all; several times.", "N|all", many=True),
            Option(("-p", "--period"), "periods", "Set the period, in microseconds, for each -v.", "N", many=True),
            Option(("-b", "--budget"), "budgets", "Set the budget, in microseconds, likewise.", "N", many=True),
            Option(("-e", "--extratime"), "extratimes", "Whether it may have more: 1 or 0, likewise.", "N", many=True),
            Option(("-c", "--cpupool"), "pool", "Only this cpupool.", "CPUPOOL"),
            JSON,
        ),
    ),
)

_EVERYBODY = Option(("-g", "--global"), "everybody", "Those that hold for domains without quotas of their own.")

HOST_WIDE = (
    Command("getenforce", "Print whether Flask enforces its policy.", "admin:getenforce", (JSON,)),
    Command(
        "setenforce",
        "Have Flask enforce its policy (1), or only tell what it would forbid (0).",
        "admin:setenforce",
        (),
        (Argument("mode", "enforcing|permissive|1|0"),),
    ),
    Command(
        "loadpolicy",
        "Have Flask obey another compiled policy.",
        "admin:loadpolicy",
        (),
        (Argument("file", "FILE", complete="file"),),
    ),
    Command(
        "dt-overlay",
        "Add an overlay to the device tree that Xen has of the host, remove it, or attach its devices to a domain.",
        "admin:dt_overlay",
        (),
        (
            Argument("operation", "add|remove|attach"),
            Argument("file", "FILE", complete="file"),
            Argument("domain", "[DOMAIN]", required=False, complete="domain"),
        ),
    ),
    Command(
        "xenstore-quota-get",
        "Show the quotas of the xenstore, of all domains or of one.",
        "admin:quota_get",
        (_EVERYBODY, JSON),
        (Argument("domain", "[DOMAIN]", required=False, complete="domain"),),
    ),
    Command(
        "xenstore-quota-set",
        "Change quotas of the xenstore, for all domains or for one.",
        "admin:quota_set",
        (_EVERYBODY,),
        (Argument("words", "[DOMAIN] NAME=NUMBER...", required=False, many=True),),
    ),
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

INFO = Command(
    "info",
    "Show facts about this host and its Xen.",
    "info:info",
    (
        Option(("-n", "--numa"), "numa", "Show also how CPUs and memory lie in cores, sockets and nodes."),
        Option(("-x", "--xenstore"), "xenstore", "Show also the features of the xenstore, as bits."),
        JSON,
    ),
    (Argument("field", "[FIELD]", required=False),),
)
