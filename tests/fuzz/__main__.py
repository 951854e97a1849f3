"""``python -m tests.fuzz [TARGET...] [--count N] [--seed S] [--only NUMBER]``: says rates, and what fails."""

from __future__ import annotations

import argparse
import resource
import sys
import time

from tests.fuzz.run import Finding, fuzz
from tests.fuzz.targets import TARGETS

MEMORY = 4 << 30
"""Address space that the process may have: an input that wants more finds a MemoryError."""


def main() -> int:
    options = _options()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    print(f"seed {options.seed}, {options.count} inputs for each of {', '.join(options.targets)}", flush=True)
    failed = 0
    for name in options.targets:
        try:
            first, count = (0, options.count) if options.only is None else (options.only, 1)
            print(fuzz(TARGETS[name], count, options.seed, first), flush=True)
        except Finding as finding:
            failed += 1
            path = f"fuzz-{name}.bin"
            with open(path, "wb") as file:
                file.write(finding.data)
            print(f"{finding}\n  the input is in {path}", flush=True)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="parsers; all of them if none is named")
    parser.add_argument("--count", type=int, default=100_000, help="inputs for each (100000)")
    parser.add_argument("--seed", default=str(int(time.time())), help="a word; the same one gives the same inputs")
    parser.add_argument("--only", type=int, help="one input by its number")
    options = parser.parse_args()
    options.targets = options.targets or list(TARGETS)
    return options


if __name__ == "__main__":
    sys.exit(main())
