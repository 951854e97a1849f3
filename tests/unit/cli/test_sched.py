"""sched-rtds, which no distribution's Xen has: what is known of its columns; the others are tested with the shim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.guestconfig import config_text
from tests.support.simworld import arm64_image
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import run
from xenvm.host.open import VARIABLE


@pytest.fixture
def rtds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xenvm: Xenvm) -> Xenvm:
    (tmp_path / "world").mkdir(mode=0o700)
    (tmp_path / "world/machine.json").write_text('{"scheduler": "rtds", "cpus": 2}')
    monkeypatch.setenv(VARIABLE, f"sim:{tmp_path / 'world'}")
    monkeypatch.setattr(run, "chosen_host", None)
    (tmp_path / "Image").write_bytes(arm64_image())
    (tmp_path / "g.cfg").write_text(
        config_text(str(tmp_path / "Image"), None, "", {"vcpus": 2, "vif": None, "disk": None})
    )
    assert xenvm("create", "-q", str(tmp_path / "g.cfg"))[0] == 0
    return xenvm


def test_domains_and_vcpus(rtds: Xenvm) -> None:
    assert rtds("sched-rtds")[1].splitlines() == [
        "Cpupool Pool-0: sched=RTDS",
        "Name                                ID    Period    Budget  Extratime",
        "Domain-0                             0     10000      4000        yes",
        "g                                    1     10000      4000        yes",
    ]
    assert rtds("sched-rtds", "-d", "g", "-v", "1", "-p", "20000", "-e", "0")[0] == 0
    assert rtds("sched-rtds", "-d", "g", "-v", "all")[1].splitlines() == [
        "Name                                ID VCPU    Period    Budget  Extratime",
        "g                                    1    0     10000      4000        yes",
        "g                                    1    1     20000      4000         no",
    ]
    assert rtds("sched-rtds", "-v", "all")[1].splitlines()[0] == "Cpupool Pool-0: sched=RTDS"


@pytest.mark.parametrize("words", [["xl", "sched-rtds"], ["sched-rtds"]])
def test_several_vcpus_at_once(rtds: Xenvm, words: list[str]) -> None:
    first, second = ["-v", "0", "-p", "9000", "-b", "800", "-e", "1"], ["-v", "1", "-p", "7000", "-b", "600", "-e", "0"]
    assert rtds(*words, "-d", "g", *first, *second) == (0, "", "")
    assert rtds(*words, "-d", "g", "-v", "1", "-v", "0")[1].splitlines()[1:] == [
        "g                                    1    1      7000       600         no",
        "g                                    1    0      9000       800        yes",
    ]
    assert rtds(*words, "-d", "g", *first, *["-v", "9", "-p", "1000", "-b", "100", "-e", "1"])[0] == 1
    assert rtds(*words, "-d", "g", "-v", "0", "-v", "1", "-p", "1000", "-b", "100", "-e", "1")[0] in (1, 6)
    assert "9000       800" in rtds(*words, "-d", "g", "-v", "0")[1]


def test_json(rtds: Xenvm) -> None:
    (pool,) = json.loads(rtds("sched-rtds", "--json", "-v", "all")[1])["cpupools"]
    assert pool["tslice_ms"] is None and pool["domains"][1] == {
        "domid": 0,
        "name": "Domain-0",
        "vcpu": 1,
        "period_us": 10000,
        "budget_us": 4000,
        "extratime": True,
    }
    (pool,) = json.loads(rtds("sched-credit2", "-s", "--json")[1])["cpupools"]
    assert (pool["scheduler"], pool["ratelimit_us"], pool["domains"]) == ("rtds", None, [])


@pytest.mark.parametrize("words", [["-p", "x"], ["-d", "0", "-v", "0", "-p", "x"], ["-v", "3"], ["-d", "0", "-b", "3"]])
def test_wrong_words(rtds: Xenvm, words: list[str]) -> None:
    assert rtds("sched-rtds", *words)[0] == 6
