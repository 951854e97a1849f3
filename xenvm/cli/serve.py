"""serve: the back ends of this host that are programs of ours."""

from __future__ import annotations

import sys

from xenvm.cli.run import open_host


def serve() -> None:
    """Serves channels and folders until a signal."""
    from xenvm.ops.serving import run

    with open_host() as host:

        def say(text: str) -> None:
            print(f"xenvm: {text}", file=sys.stderr, flush=True)

        run(host, lambda: say("serving channels and shared folders"), say)
