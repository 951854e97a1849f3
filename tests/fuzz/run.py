"""Runs a target over many inputs, each of which can be made again from the run's seed and its number."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import Target

PATIENCE = 2.0
"""Seconds of processor time that one input may take."""
GROWTH = 128
"""MiB by which the process may grow while one target runs."""


class Hang(Exception):
    """An input took too long."""


class Finding(AssertionError):
    """An input that does what it must not."""

    def __init__(self, target: Target, seed: str, number: int, data: bytes, error: BaseException) -> None:
        self.data = data
        super().__init__(
            f"{target.name}, input {number} of seed {seed}: {error!r}\n"
            f"  again: python -m tests.fuzz {target.name} --seed {seed} --only {number}\n"
            f"  {data[:300]!r}{'...' if len(data) > 300 else ''}"
        )


class Report:
    """What came of a run."""

    def __init__(self, name: str) -> None:
        self.name, self.count, self.refused, self.seconds, self.slowest = name, 0, 0, 0.0, 0.0

    def __str__(self) -> str:
        rate = self.count / self.seconds if self.seconds else 0
        return (
            f"{self.name:<15} {self.count:>8} inputs, {self.refused:>8} refused, {self.seconds:6.1f} s,"
            f" {rate:>8.0f}/s, slowest {self.slowest * 1000:.1f} ms"
        )


def input_of(target: Target, seed: str, number: int) -> bytes:
    """The input of a number: from the grammar, from a seed that was changed, or from the grammar and then changed."""
    dice = Random(f"{seed} {target.name} {number}")
    kind = number % 4
    if kind == 0:
        return target.grammar(dice)
    return mutated(dice, [target.grammar(dice)] if kind == 1 else target.seeds)


def fuzz(target: Target, count: int, seed: str, first: int = 0) -> Report:
    """Raises Finding at the first input that fails, hangs, or has the process grow."""
    report, began, size = Report(target.name), time.process_time(), _size()
    with _patience() as start_clock:
        for number in range(first, first + count):
            data = input_of(target, seed, number)
            before = time.process_time()
            start_clock()
            try:
                target.run(data)
            except target.refusals:
                report.refused += 1
            except Exception as error:
                raise Finding(target, seed, number, data, error) from error
            report.count += 1
            report.slowest = max(report.slowest, time.process_time() - before)
            if number % 1000 == 0 and (grown := _size() - size) > GROWTH:
                raise Finding(target, seed, number, data, MemoryError(f"the process has grown by {grown} MiB"))
    report.seconds = time.process_time() - began
    return report


def _size() -> int:
    """The most memory that this process ever had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@contextmanager
def _patience() -> Iterator[object]:
    """Gives what starts the clock anew; when it runs out, Hang is raised."""

    def ring(_number: int, _frame: object) -> None:
        raise Hang(f"it takes more than {PATIENCE} s")

    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
