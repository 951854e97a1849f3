"""What must not happen at all: a leak after any fault at any call (`make sweep`), a parser that fails (`make fuzz`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.targets import Target
from tests.fuzz.targets import TARGETS
from tests.support.swept import ALL, swept

TOP = Path(__file__).resolve().parents[1]
INPUTS = 100_000


def fault_sweep(folder: Path) -> Iterator[Target]:
    """Every fault at every call of every operation that is swept; leaks are told on stderr."""
    faults, leaks = 0, list[str]()
    for number, name in enumerate(ALL):
        world = folder / str(number)
        world.mkdir()
        sweep = swept(name, world, full=True)
        faults += sum(sweep.outcomes.values())
        leaks += sweep.leaks
    print(*leaks, sep="\n", end="\n" * bool(leaks), file=sys.stderr)
    yield Target(
        f"fault sweep over every k: {', '.join(ALL)}", f"{len(leaks)} leaks of {faults:,} faults", "0", not leaks
    )


def fuzz_parsers(_folder: Path, inputs: int = INPUTS) -> Iterator[Target]:
    """Hostile inputs for each parser, in a process of its own, whose growth is looked at; findings are told on stderr.

    A parser stops at its first finding, so what it has stood is `inputs` or not counted.
    """
    argv = [sys.executable, "-m", "tests.fuzz", "--count", str(inputs)]
    done = subprocess.run(argv, cwd=TOP, text=True, stdout=subprocess.PIPE)
    stood = sum(f" {inputs} inputs, " in line for line in done.stdout.splitlines())
    if stood < len(TARGETS):
        print(done.stdout, file=sys.stderr)
    yield Target(
        f"fuzz inputs for each of {len(TARGETS)} parsers, only documented exceptions",
        f"{inputs:,}; {len(TARGETS) - stood} parsers fail",
        f"{INPUTS:,}; 0",
        inputs >= INPUTS and stood == len(TARGETS),
    )


PARTS: tuple[Callable[[Path], Iterator[Target]], ...] = (fault_sweep, fuzz_parsers)
