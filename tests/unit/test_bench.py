"""The table of `make bench-simulated`: what is said of sweep and fuzz is what came of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench import harm
from bench.simulated import PARTS
from tests.support.sweep import Sweep


def test_every_part_is_measured() -> None:
    assert {harm.fault_sweep, harm.fuzz_parsers} <= set(PARTS)
    assert len({part.__name__ for part in PARTS}) == len(PARTS), "the words of the command line tell them apart"


def test_too_few_inputs_are_not_enough(tmp_path: Path) -> None:
    (row,) = harm.fuzz_parsers(tmp_path, 20)
    assert (row.measured, row.wanted, row.reached) == ("20; 0 parsers fail", "100,000; 0", False)


@pytest.mark.parametrize(("leaks", "said"), [([], "0 leaks of 5 faults"), (["a node"], "1 leaks of 5 faults")])
def test_a_leak_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    leaks: list[str],
    said: str,
) -> None:
    def swept(name: str, folder: Path, full: bool) -> Sweep:
        assert full and folder.is_dir()
        found = Sweep.__new__(Sweep)
        found.outcomes, found.leaks = Counter(whole=5), leaks
        return found

    monkeypatch.setattr(harm, "ALL", ["create"])
    monkeypatch.setattr(harm, "swept", swept)
    (row,) = harm.fault_sweep(tmp_path)
    assert (row.measured, row.reached) == (said, not leaks)
    assert capsys.readouterr().err.splitlines() == leaks
