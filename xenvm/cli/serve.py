"""serve: the back ends of this host that are programs of ours."""

from __future__ import annotations

import sys

from xenvm.cli.run import open_host


def serve() -> None:
    """Serves channels until a signal."""
    from xenvm.ops.serving import run

    with open_host() as host:
        run(host, ready=lambda: print("xenvm: serving channels", file=sys.stderr, flush=True))
