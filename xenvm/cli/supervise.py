"""supervise: one process that watches all guests of the host."""

from __future__ import annotations

import sys

from xenvm.cli.run import OK, open_host


def supervise() -> int:
    """Watches until it is ended by a signal, and says what it does; tells systemd, if that has started it."""
    from xenvm.errors import UnsupportedError
    from xenvm.ops.background import say
    from xenvm.ops.notify import Notifier
    from xenvm.ops.signals import Endings
    from xenvm.ops.supervise import LOOK_SECONDS, Supervisor

    notifier = Notifier()
    with open_host() as host, Endings():
        if not host.lasting:
            raise UnsupportedError("guests of a simulated host do not run by themselves: there is nothing to watch")
        try:
            every = min(LOOK_SECONDS, notifier.seconds / 2) if notifier.seconds else LOOK_SECONDS
            Supervisor(host, open_host, say).run(every=every, pulse=notifier.pulse)
        except KeyboardInterrupt:
            notifier.stopping()
            print("xenvm: the guests run on; nobody acts when one goes down until a supervisor runs", file=sys.stderr)
    return OK
