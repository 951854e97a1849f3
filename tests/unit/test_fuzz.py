"""A share of `make fuzz`: hostile input for every parser, the same in each run."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.run import Finding, Hang, fuzz, input_of
from tests.fuzz.targets import TARGETS, Target

SHARE = 400
"""Inputs for each parser: a thousand take about a second for all of them."""


@pytest.mark.parametrize("name", TARGETS)
def test_every_parser_stands_it(name: str) -> None:
    report = fuzz(TARGETS[name], SHARE, "unit")
    assert report.count == SHARE


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_good(name: str) -> None:
    """At least one of them passes as it is: nearly good input is what finds something."""
    target, passed = TARGETS[name], 0
    for seed in target.seeds:
        try:
            target.run(seed)
            passed += 1
        except target.refusals:
            pass
    assert passed or name in ("strings", "values"), "those read each text in ways that exclude one another"


def test_inputs_come_again() -> None:
    target = TARGETS["packets-server"]
    assert [input_of(target, "s", n) for n in range(20)] == [input_of(target, "s", n) for n in range(20)]
    assert len({input_of(target, "s", n) for n in range(100)}) > 90


def _target(run: object) -> Target:
    return Target("mine", run, (ValueError,), [b"abc"], lambda dice: dice.randbytes(3))  # type: ignore[arg-type]


def test_what_it_finds_is_told() -> None:
    def run(data: bytes) -> None:
        if data[:1] > b"\xf0":
            raise KeyError(data)
        raise ValueError

    with pytest.raises(Finding, match=r"again: python -m tests\.fuzz mine --seed s --only \d+") as caught:
        fuzz(_target(run), 1000, "s")
    assert caught.value.data[0] > 0xF0
    assert fuzz(_target(lambda data: None), 50, "s").refused == 0


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.run.PATIENCE", 0.02)

    def run(data: bytes) -> None:
        while True:
            Random(data)

    with pytest.raises(Finding) as caught:
        fuzz(_target(run), 1, "s")
    assert isinstance(caught.value.__cause__, Hang)


def test_growth_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.run._size", iter(range(0, 10_000, 1000)).__next__)
    with pytest.raises(Finding, match="has grown by 1000 MiB"):
        fuzz(_target(lambda data: None), 1, "s")
