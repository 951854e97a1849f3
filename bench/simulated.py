"""What the simulated host and its store were to reach, measured beside the real daemons of Debian; no lab is needed.

Run it in the project's root: ``python -m bench.simulated``, which takes some minutes; a word that is in a part's name
(``xenstored``, ``oxenstored``, ``many``, ``shell``, ``process``, ``commands``, ``sweep``, ``fuzz``) runs that part
alone. What is compared is measured in turns, in the same run: only the ratios mean something. It needs what
bench.store_client needs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import harm, sim_create, store_shell, store_targets
from bench.targets import Target, show
from tests.support.realstore import fetch

PARTS = (*store_targets.PARTS, *store_shell.PARTS, *sim_create.PARTS, *harm.PARTS)


def main() -> int:
    """Prints the table; 1 if something was not reached."""
    fetch()
    rows: list[Target] = []
    for part in PARTS:
        if len(sys.argv) < 2 or any(word in part.__name__ for word in sys.argv[1:]):
            print(f"{part.__name__} ...", file=sys.stderr)
            with tempfile.TemporaryDirectory(prefix="xs") as name:
                rows += part(Path(name))
    show(rows)
    return int(any(row.reached is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
