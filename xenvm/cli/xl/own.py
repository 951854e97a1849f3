"""Subcommands whose words, messages or codes xl has otherwise than our own commands."""

from __future__ import annotations

from xenvm.cli.xl.shim import FAILED, help_on, tell, usage
from xenvm.errors import ConfigError, NoSuchDevice, NoSuchDomain, XenvmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.cli.xl.shim import Call

ERROR_FAIL, ERROR_INVAL = 3, 6
"""Numbers of libxl, with which `xl create` ends."""


def create(call: Call) -> int:
    """Ends with libxl's number, or with 1 for a configuration that cannot be used but could be read."""
    from xenbus.errors import XenbusError

    settings = [word for word in call.operands if "=" in word]
    files = [word for word in call.operands if "=" not in word] or [
        value for letter, value in call.given if letter == "f"
    ]
    if len(files) > 1:
        return usage(call.row)
    if not files:
        return tell("Config file not specified and none in save file", ERROR_INVAL)
    call.given = [pair for pair in call.given if pair[0] != "f"]
    try:
        if call.dry or call.has("n"):
            return _dry_run(files[0], settings, call.has("q"), masks=not call.has("i"))
        return ERROR_FAIL if call.native([files[0], *settings]) else 0
    except ConfigError as error:
        tell(f"xl: {error}")
        for note in getattr(error, "__notes__", ()):
            tell(f"xl: {note}")
        if isinstance(error.__context__, OSError):
            return tell(f"Failed to read config file: {files[0]}: {error.__context__.strerror}", ERROR_FAIL)
        return FAILED
    except (XenvmError, XenbusError, OSError) as error:
        tell(f"xl: {error}")
        return ERROR_FAIL


def _dry_run(path: str, settings: list[str], quiet: bool, *, masks: bool) -> int:
    from xenvm.cli.create import with_host_defaults
    from xenvm.guest.blueprint import settled
    from xenvm.guest.libxl_json import record
    from xenvm.guest.load import load_file

    if not quiet:
        tell(f"Parsing config from {path}")
    spec, diagnostics = load_file(path, tuple(settings))
    for diagnostic in diagnostics:
        tell(f"xl: {diagnostic}")
    _show(record(settled(with_host_defaults(spec, masks=masks)[0])))
    return 0


def _show(text: str, title: str = "") -> None:
    import json

    print(title + json.dumps(json.loads(text), indent=4))


def listing(call: Call) -> int:
    """One domain, or all."""
    if len(call.operands) > 1:
        help_on("list")
        return FAILED
    return call.native()


def ask(call: Call) -> int:
    """shutdown and reboot: -a counts more than a domain."""
    if call.has("a"):
        call.operands = []
    elif not call.operands:
        return tell("You must specify -a or a domain id.\n")
    try:
        return min(call.native(call.operands[:1]), FAILED)
    except NoSuchDomain as error:
        if str(error.who).isdecimal():
            tell(f"{'Rebooting' if call.row.native == 'reboot' else 'Shutting down'} domain {error.who}")
        raise


def info(call: Call) -> int:
    """A field that is not there is none that xl complains of, and none counts beside -n."""
    call.native([] if call.has("n") else call.operands[:1])
    return 0


def console(call: Call) -> int:
    """Another type than those that xl knows is told before the domain is looked for."""
    if any(letter == "t" and value not in ("pv", "serial", "vuart") for letter, value in call.given):
        return tell("console type supported are: pv, serial, vuart")
    return min(call.native(), FAILED)


def memory(call: Call) -> int:
    """mem-set and mem-max: of a domain and a size."""
    try:
        return call.native(call.operands[:2])
    except ConfigError:
        return tell(f"invalid memory size: {call.operands[1]}")


def vcpu_set(call: Call) -> int:
    """A number in xl's words, which looks at the host's CPUs before the guest's."""
    from xenbus.parse import parse_decimal

    count = parse_decimal(call.operands[1], maximum=1 << 16)
    if count is None:
        return tell("Error: Invalid argument.")
    if not call.has("i"):
        from xenvm.cli.run import open_host

        with open_host() as host:
            cpus = host.hyper.physinfo().nr_cpus
        if count > cpus:
            return tell(f"You are overcommmitting! You have {cpus} physical CPUs and want {count} vCPUs! Aborting, use"
                        " --ignore-host to continue")  # fmt: skip
    return call.native(call.operands[:2])


def claims(call: Call) -> int:
    """xl takes no notice of words."""
    return call.native([])


def uptime(call: Call) -> int:
    """The header comes before a number is looked for."""
    try:
        return call.native()
    except NoSuchDomain as error:
        if str(error.who).isdecimal() and not call.has("s"):
            print(f"{'Name':<33} {'ID':>4} Uptime")
        raise


def detach(call: Call) -> int:
    """A device that is not there has words of its own, also of a number that no domain has."""
    try:
        return min(call.native(call.operands[:2]), FAILED)
    except NoSuchDevice as error:
        reason: XenvmError = error
    except NoSuchDomain as error:
        if not str(error.who).isdecimal():
            raise
        reason = error
    tell(f"xl: {reason}")
    device = call.operands[1]
    if call.row.native == "network-detach":
        return tell(f"Unknown device {device}.")
    return tell(f"Error: Device {device} not connected.", FAILED if call.row.native == "block-detach" else 253)


def domid(call: Call) -> int:
    """Of a name only: xl does not look numbers up here."""
    who = call.operands[0]
    try:
        if not who.isdecimal():
            return call.native([who])
    except NoSuchDomain:
        pass
    return tell(f"Can't get domid of domain name '{who}', maybe this domain does not exist.")


def domname(call: Call) -> int:
    """Of a number only."""
    who = call.operands[0]
    if not (who.isascii() and who.isdecimal()):
        return tell("Invalid domain id.\n")
    try:
        return call.native([who])
    except NoSuchDomain:
        return tell(f"Can't get domain name of domain id '{who}', maybe this domain does not exist.")


def sysrq(call: Call) -> int:
    """One letter."""
    if len(call.operands[1]) != 1:
        tell("Invalid sysrq.\n")
        help_on("sysrq")
        return FAILED
    return call.native(call.operands[:2])


def block_attach(call: Call) -> int:
    """With -N only says what it would attach."""
    if not call.dry:
        return call.native()
    from xenvm.guest.disk import parse_disk
    from xenvm.guest.jsontext import text
    from xenvm.guest.libxl_json import disk_entry

    disk = parse_disk(tuple(call.operands[1:]), source="block-attach")
    _known(call.operands[0])
    _show(text(disk_entry(disk)), "disk: ")
    return 0


def _known(who: str) -> None:
    """Looks for a domain, by its name only."""
    from xenvm.cli.run import open_host
    from xenvm.ops import names

    if not who.isdecimal():
        with open_host() as host:
            names.find(host, who)


def network_attach(call: Call) -> int:
    """With -N only says what it would attach."""
    if not call.dry:
        return call.native()
    import json

    from xenvm.cli.devices import with_host_defaults
    from xenvm.guest.jsontext import text
    from xenvm.guest.libxl_json import nic_entry
    from xenvm.guest.vif import parse_vif
    from xenvm.ops.attach import CHOOSE

    warnings: list[str] = []
    nic = parse_vif(tuple(call.operands[1:]), CHOOSE, source="network-attach", warnings=warnings)
    _known(call.operands[0])
    said = {word.strip().partition("=")[0] for words in call.operands[1:] for word in words.split(",")}
    silent = {key for key, name in (("devid", "devid"), ("nictype", "type")) if name not in said}
    found = json.loads(text(nic_entry(with_host_defaults(nic))))
    print("vif: " + json.dumps({key: value for key, value in found.items() if key not in silent}, indent=4))
    return 0


def devd(call: Call) -> int:
    """In the background unless it is told otherwise."""
    if call.has("F"):
        return call.native([])
    from xenvm.cli.devd import start

    return start(next((value for letter, value in call.given if letter == "p"), ""))
