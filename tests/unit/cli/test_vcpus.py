"""vcpu-list, vcpu-set, vcpu-pin, mem-set, mem-max, sysrq, trigger: xl's arguments and columns."""

from __future__ import annotations

import json

import pytest

from tests.support.fakehost import FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.types import Domid

# fmt: off
HEADER = "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)"
ROWS = [
    "g                                    1     0    0   ---       0.0  1 / all",
    "g                                    1     1    -   --p       0.0  all / 0,2-3",
]
# fmt: on


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    world.create(vcpus=1, maxvcpus=2, memory=64, maxmem=128, disk=None, vif=None)
    return world


def test_pin_and_list(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("vcpu-pin", "g", "0", "1") == (0, "", "")
    assert xenvm("vcpu-pin", "g", "1", "-", "all,^1") == (0, "", "")
    assert xenvm("vcpu-list", "g") == (0, "\n".join([HEADER, *ROWS]) + "\n", "")
    assert len(xenvm("vcpu-list")[1].splitlines()) == 1 + 4 + 2
    assert xenvm("vcpu-pin", "g", "all", "all", "all") == (0, "", "")
    listed = json.loads(xenvm("vcpu-list", "--json", "g")[1])["vcpus"]
    assert [row["hard_affinity"] for row in listed] == [[0, 1, 2, 3]] * 2
    assert [row["cpu"] for row in listed] == [0, None]


def test_set(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("vcpu-set", "g", "2") == (0, "", "")
    assert guest.store.get("/local/domain/1/cpu/1/availability") == b"online"


def test_memory(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("mem-set", "g", "96m") == (0, "", "")
    assert guest.store.get("/local/domain/1/memory/target") == b"98304"
    assert xenvm("mem-max", "g", "100") == (0, "", "")
    assert guest.hyper.all[Domid(1)].max_pages == 101 * 256


def test_sysrq_and_trigger(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("sysrq", "g", "h") == (0, "", "")
    assert guest.store.get("/local/domain/1/control/sysrq") == b"h"
    assert xenvm("trigger", "g", "reset", "0") == (0, "", "")
    assert guest.hyper.all[Domid(1)].code == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["vcpu-set", "g", "3"], 1, "domain 1 can have 1 to 2 vCPUs, not 3"),
        (["vcpu-set", "g", "two"], 6, "`two' is not a number of vCPUs"),
        (["vcpu-pin", "g", "x", "1"], 6, "`x' is not a vCPU"),
        (["vcpu-pin", "g", "0", "9"], 6, "the CPU list `9' selects no CPU"),
        (["mem-set", "g", "1.5g"], 6, "`1.5g' is not an amount of memory"),
        (["mem-set", "g", "129"], 1, "domain 1 can have 1 to 128 MiB, not 129"),
        (["sysrq", "g", "long"], 1, "'long' is no SysRq key"),
        (["trigger", "g", "nmi"], 7, "the trigger nmi does not exist on ARM"),
    ],
)
def test_refused(guest: FakeHost, xenvm: Xenvm, words: list[str], code: int, says: str) -> None:
    before = guest.store.dump()
    result = xenvm(*words)
    assert (result[0], result[1]) == (code, "") and says in result[2]
    assert guest.store.dump() == before
