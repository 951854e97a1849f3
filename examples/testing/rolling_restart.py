#!/usr/bin/env python3
"""A toolstack script of the usual kind: restarts guests one after the other, and gives up at the first that fails.

rolling_restart.py guest1.cfg guest2.cfg ...
"""

from __future__ import annotations

import subprocess
import sys


def xenvm(*words: str) -> int:
    return subprocess.run(["xenvm", *words]).returncode


def main() -> int:
    for config in sys.argv[1:]:
        name = config.rpartition("/")[2].removesuffix(".cfg")
        if xenvm("shutdown", "--wait", name) != 0:
            # It does not listen: there is nothing else to be done.
            print(f"{name} does not shut down, it is destroyed", file=sys.stderr)
        xenvm("destroy", name)
        if xenvm("create", "-q", config) != 0:
            print(f"{name} does not come back", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
