"""Commands on a host that libvirt manages (``--host libvirt:URI``), in the words and tables of the others."""

from __future__ import annotations

import sys

from xenvm.cli.run import OK, USAGE, load
from xenvm.errors import UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenvm.cli.rows import Command
    from xenvm.interop.libvirt import LibvirtHost

_ANYWHERE = ("check", "convert", "dtb", "lab", "plan")
"""Commands that look at no host."""
_UNUSABLE = ("console", "dry_run", "foreground", "hotplug_scripts", "timing")
_TEXT = {
    "console": "-c",
    "dry_run": "-n",
    "foreground": "-F",
    "hotplug_scripts": "--hotplug-scripts",
    "timing": "--timing",
}


def serve(command: Command, values: dict[str, Any], uri: str) -> int | None:
    """Runs one command on a connection. UnsupportedError if it is one that libvirt has no counterpart of."""
    call = _CALLS.get(command.name)
    if call is None and (command.name in _ANYWHERE or command.call.partition(":")[0] in _ANYWHERE):
        return load(command)(**values)
    if call is None:
        raise UnsupportedError(f"`{command.name}' does not work over libvirt: there are {', '.join(_CALLS)}")
    from xenvm.interop.libvirt import LibvirtHost

    with LibvirtHost(uri) as host:
        result: int | None = call(host, **values)
        return result


def _create(host: LibvirtHost, config: str | None, settings: tuple[str, ...], **options: Any) -> int:
    """From an xl.cfg, or from libvirt's own XML."""
    from xenvm.guest.load import read_file

    unusable = [_TEXT[name] for name in _UNUSABLE if options[name]]
    if unusable:
        raise UnsupportedError(f"{', '.join(unusable)} of create is for guests that xenvm builds: libvirt builds these")
    path = config or options["defconfig"]
    if path is None:
        print("xenvm: create needs a configuration file", file=sys.stderr)
        return USAGE
    data = read_file(path)
    host.create(_as_xml(data, path, settings), options["paused"])
    return OK


def _as_xml(data: bytes, path: str, settings: tuple[str, ...]) -> str:
    if data.lstrip().startswith(b"<"):
        return data.decode("utf-8", "surrogateescape")
    from xenvm.interop.to_xml import to_xml

    converted, warnings = to_xml(data, path, settings)
    for warning in warnings:
        print(f"xenvm: {warning}", file=sys.stderr)
    if converted.notes:
        # The metadata would keep them, but libvirt would build another guest.
        raise UnsupportedError("\n".join(note.replace(": kept in the metadata", "") for note in converted.notes))
    return converted.text


def _refuse(command: str, options: dict[str, Any], letters: dict[str, str]) -> None:
    """UnsupportedError for options that libvirt has no answer to."""
    unknown = [letters[name] for name, value in options.items() if value and name in letters]
    if unknown:
        raise UnsupportedError(f"{command} {' '.join(unknown)} does not work over libvirt, which does not tell")


def _list(
    host: LibvirtHost, domain: str | None, verbose: bool, context: bool, cpupool: bool, as_json: bool, **options: Any
) -> None:
    from xenvm.cli.domains import print_domains

    _refuse("list", options, {"long": "-l", "numa": "-n"})
    found = host.domains() if domain is None else [host.find(domain)]
    print_domains([info for _, info in found], [name for name, _ in found], verbose, context, cpupool, as_json)


def _domid(host: LibvirtHost, domain: str) -> None:
    print(host.find(domain)[1].domid)


def _domname(host: LibvirtHost, domain: str) -> None:
    print(host.find(domain)[0])


def _info(host: LibvirtHost, field: str | None, as_json: bool, **options: Any) -> int:
    from xenvm.cli.info import print_facts

    _refuse("info", options, {"numa": "-n", "xenstore": "-x"})
    return print_facts(host.facts(), field, as_json)


def _console(host: LibvirtHost, domain: str, tty: bool, **options: Any) -> int:
    """Prints where the console is; or connects, where libvirtd runs on this machine."""
    path = host.console(domain)
    if tty:
        print(path)
        return OK
    from xenvm.cli.console import escape_key
    from xenvm.host.plumbing import console

    domid = host.find(domain)[1].domid
    console.attach(path, domid=domid, number=options["number"], escape=escape_key(options["escape"]))
    return OK


def _shutdown(host: LibvirtHost, domain: str | None, every: bool, wait: bool, **_: Any) -> int:
    return _ask(host, host.shutdown, domain, every, wait)


def _reboot(host: LibvirtHost, domain: str | None, every: bool, wait: bool, **_: Any) -> int:
    return _ask(host, host.reboot, domain, every, wait)


def _ask(host: LibvirtHost, request: Any, domain: str | None, every: bool, wait: bool) -> int:
    if (domain is None) != every:
        print("xenvm: give one domain, or -a for all guests", file=sys.stderr)
        return USAGE
    guests = [name for name, info in host.domains() if info.domid] if domain is None else [domain]
    for guest in guests:
        request(guest)
    if wait:
        host.wait_down(guests)
    return OK


def _destroy(host: LibvirtHost, domain: str, **_: Any) -> None:
    host.destroy(domain)


def _events(host: LibvirtHost, as_json: bool) -> None:
    from xenvm.cli.events import show
    from xenvm.interop.libvirt import Events

    with Events(host) as events:
        for event in events:
            show(event.domid, event.name, event.what, as_json)


_CALLS: dict[str, Any] = {
    "create": _create,
    "list": _list,
    "domid": _domid,
    "domname": _domname,
    "info": _info,
    "console": _console,
    "pause": lambda host, domain: host.pause(domain),
    "unpause": lambda host, domain: host.unpause(domain),
    "shutdown": _shutdown,
    "reboot": _reboot,
    "destroy": _destroy,
    "events": _events,
}
