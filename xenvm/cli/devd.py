"""devd: what a driver domain does for the devices that it serves."""

from __future__ import annotations

import sys

from xenvm.cli.run import OK, open_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.open import Host

LOG = "/var/log/xen/xldevd.log"
"""Where xl's devd writes."""


def devd(foreground: bool = False, pidfile: str | None = None) -> int:
    """Serves this domain's disks and vifs until a signal; tells systemd, if that has started it."""
    return start(pidfile) if pidfile and not foreground else _serve()


def _serve() -> int:
    from xenvm.ops.background import say
    from xenvm.ops.devd import run
    from xenvm.ops.notify import Notifier
    from xenvm.ops.signals import Endings

    notifier = Notifier()
    with _open() as host, Endings():
        try:
            run(host, say, notifier.pulse)
        except KeyboardInterrupt:
            notifier.stopping()
            print("xenvm: what is plugged in stays so; new devices wait until devd runs again", file=sys.stderr)
    return OK


def start(pidfile: str) -> int:
    """The same in a process of its own, whose number `pidfile` gets if it is not empty, as xl has it."""
    from xenvm.ops import background
    from xenvm.ops.devd import own_domid, run

    with _open() as host:
        own_domid(host)

    def work(say: background.Say) -> None:
        with open_host() as host:
            run(host, say)

    pid = background.fork(work, "devd", LOG)
    if pidfile:
        with open(pidfile, "w", encoding="ascii") as file:
            file.write(f"{pid}\n")
    return OK


def _open() -> Host:
    from xenvm.errors import UnsupportedError

    host = open_host()
    if host.lasting:
        return host
    host.close()
    raise UnsupportedError("guests of a simulated host run no programs: devd is for a real driver domain")
