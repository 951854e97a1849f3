"""console: this terminal on a guest's console."""

from __future__ import annotations

from xenvm.cli.run import open_host
from xenvm.errors import ConfigError, DomainError
from xenvm.ops import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.open import Host
    from xenvm.types import Domid

TTY_SECONDS = 5.0
"""How long the console daemon may take to open a pty, as in xenconsole."""


def console(domain: str, kind: str | None, number: int, escape: str, tty: bool) -> int:
    """Connects to a console until the escape character, or the guest is gone; or prints where its terminal is."""
    key = escape_key(escape)
    with open_host() as host:
        domid = names.find_guest(host, domain).domid
        if tty:
            print(_tty(host, domid, kind or "pv", number))
            return 0
        host.courteous = True
        return attach(host, domid, kind or "pv", number, key)


def attach(host: Host, domid: Domid, kind: str = "pv", number: int = 0, escape: int = 0x1D) -> int:
    """Connects to one console of a domain."""
    host.plumbing.console.attach(_tty(host, domid, kind, number), domid=domid, number=number, escape=escape)
    return 0


def _tty(host: Host, domid: Domid, kind: str, number: int) -> str:
    """The pty that the console daemon in this domain wrote; waits for it."""
    path = _tty_path(domid, kind, number)
    with host.store.follow([path]) as follower:
        value = follower.wait(
            lambda values: values[path] or None, host.store.clock() + TTY_SECONDS, f"a terminal for domain {domid}"
        )
    owner = host.store.get_perms(path)[0].domid
    if owner:
        # A guest that had made this node could lead us to any terminal of this host.
        raise DomainError(f"{path} was written by domain {owner}, not by a daemon of this host: it is not opened")
    return value.decode("utf-8", "surrogateescape")


def _tty_path(domid: Domid, kind: str, number: int) -> str:
    home = f"/local/domain/{domid}"
    if kind == "vuart":
        return f"{home}/vuart/0/tty"
    if kind != "pv":
        raise DomainError(f"a guest on ARM has no {kind!r} console: there are pv and vuart")
    return f"{home}/device/console/{number}/tty" if number else f"{home}/console/tty"


def escape_key(text: str) -> int:
    """The character that ends a session, such as ``^]``. ConfigError."""
    from xenvm.host.plumbing.console import parse_escape

    try:
        return parse_escape(text)
    except ValueError as error:
        raise ConfigError(str(error), source="-e") from error
