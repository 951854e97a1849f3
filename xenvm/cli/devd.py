"""devd: what a driver domain does for the devices that it serves."""

from __future__ import annotations

import sys

from xenvm.cli.run import OK, open_host


def devd() -> int:
    """Serves this domain's disks and vifs until a signal; tells systemd, if that has started it."""
    from xenvm.errors import UnsupportedError
    from xenvm.ops.background import say
    from xenvm.ops.devd import run
    from xenvm.ops.notify import Notifier
    from xenvm.ops.signals import Endings

    notifier = Notifier()
    with open_host() as host, Endings():
        if not host.lasting:
            raise UnsupportedError("guests of a simulated host run no programs: devd is for a real driver domain")
        try:
            run(host, say, notifier.pulse)
        except KeyboardInterrupt:
            notifier.stopping()
            print("xenvm: what is plugged in stays so; new devices wait until devd runs again", file=sys.stderr)
    return OK
