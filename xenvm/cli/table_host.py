"""Rows of what a host has and does for all guests: lists and logs, cpupools, and the schedulers' parameters."""

from __future__ import annotations

from xenvm.cli.table import JSON, Argument, Command, Option

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
            Option(("-v", "--vcpuid"), "vcpu", "Its vCPU of this number, or all of them.", "N|all"),
            Option(("-p", "--period"), "period", "Set the period, in microseconds.", "N"),
            Option(("-b", "--budget"), "budget", "Set the budget, in microseconds.", "N"),
            Option(("-e", "--extratime"), "extratime", "Whether it may have more: 1 or 0.", "N"),
            Option(("-c", "--cpupool"), "pool", "Only this cpupool.", "CPUPOOL"),
            JSON,
        ),
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
