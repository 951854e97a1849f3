"""config-update, and the dry run of vcpu-pin, in xl's words and with its exit codes."""

from __future__ import annotations

from xenvm.cli.xl.shim import FAILED, help_on, tell
from xenvm.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.xl.shim import Call

_UNREADABLE = 253
_WARNING = (
    "WARNING: xl now has better capability to manage domain configuration, avoid using this command when possible"
)


def update(call: Call) -> int:
    """The first word is the domain; a file that cannot be read ends with 253, another mistake in it with 1."""
    if not call.operands:
        tell("xl config-update requires a domain argument")
        help_on("config-update")
        return FAILED
    tell(_WARNING)
    who, *words = call.operands
    files = [word for word in words if "=" not in word] + [value for letter, value in call.given if letter == "f"]
    settings = [word for word in words if "=" in word]
    if not files:
        return tell("Config file not specified")
    call.given = [("q", "")]
    try:
        return _dry_run(files[0], settings) if call.dry else min(call.native([who, files[0], *settings]), FAILED)
    except ConfigError as error:
        if isinstance(error.__context__, OSError):
            return tell(f"Failed to read config file: {files[0]}: {error.__context__.strerror}", _UNREADABLE)
        return tell(f"xl: {error}")


def _dry_run(path: str, settings: list[str]) -> int:
    from json import dumps, loads

    from xenvm.cli.create import with_host_defaults
    from xenvm.guest.blueprint import settled
    from xenvm.guest.libxl_json import record
    from xenvm.guest.load import load_file

    spec, _ = load_file(path, tuple(settings))
    print(dumps({"domid": None, "config": loads(record(settled(with_host_defaults(spec)[0])))}, indent=4))
    return 0


def vcpu_pin(call: Call) -> int:
    """With -N only says where it would pin."""
    if not call.dry:
        return min(call.native(), FAILED)
    from xenvm.cli.pools import cpus_of
    from xenvm.cli.run import open_host
    from xenvm.guest.cpus import format_cpus
    from xenvm.ops import names

    with open_host() as host:
        names.find(host, call.operands[0])
        count = host.hyper.physinfo().nr_cpus
        hard, *soft = ("-" if text == "-" else format_cpus(cpus_of(host, text), count) for text in call.operands[2:4])
    print(f"cpumap: {' '.join([hard, *(text for text in soft if text != '-')])}")
    return 0
