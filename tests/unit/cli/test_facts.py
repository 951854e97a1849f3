"""vm-list, uptime, claims, dmesg, debug-keys, cpupool-list and `list -l`: JSON, and what is odd. xl's columns are
tested with the shim."""

from __future__ import annotations

import json

import pytest

from tests.support.fakehost import UUID, FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.cli.facts import duration
from xenvm.host.plumbing.userdata import UserData
from xenvm.types import Domid


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    world.hyper.add(UUID, mib=64, vcpus=2)
    world.store.put("/local/domain/1/name", "alpha")
    world.store.put("/local/domain/1/vm", f"/vm/{UUID}")
    world.store.put(f"/vm/{UUID}/start_time", "1000.25")
    return world


@pytest.mark.parametrize(
    ("age", "long", "short"),
    [
        (59, " 0:00:59", " 0:00"),
        (86399, "23:59:59", "23:59"),
        (86400, "1 day,  0:00:00", "1 day,  0:00"),
        (2 * 86400 + 3723, "2 days,  1:02:03", "2 days,  1:02"),
    ],
)
def test_durations(age: int, long: str, short: str) -> None:
    assert (duration(age), duration(age, seconds=False)) == (long, short)


def test_json(guest: FakeHost, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1600.0)
    assert json.loads(xenvm("uptime", "--json", "alpha")[1]) == {
        "version": 1,
        "domains": [{"domid": 1, "name": "alpha", "uptime_seconds": 600}],
    }
    assert json.loads(xenvm("vm-list", "--json")[1])["domains"][1] == {"uuid": UUID, "domid": 1, "name": "alpha"}
    claims = json.loads(xenvm("claims", "--json")[1])
    assert claims["domains"][1] == {"domid": 1, "name": "alpha", "claimed_kib": 0}
    pools = json.loads(xenvm("cpupool-list", "--json")[1])
    assert pools["version"] == 1
    assert (
        pools["cpupools"][0].items() >= {"cpupool": 0, "scheduler": "credit2", "domains": 2, "name": "Pool-0"}.items()
    )


@pytest.mark.parametrize("start", ["", "soon", "9" * 20])
def test_a_start_that_nobody_knows(guest: FakeHost, xenvm: Xenvm, start: str) -> None:
    guest.store.put(f"/vm/{UUID}/start_time", start)
    assert xenvm("uptime", "alpha") == (0, "Name                                ID Uptime\n", "")


def test_start_times_are_read_nowhere_else(guest: FakeHost, xenvm: Xenvm) -> None:
    guest.store.put("/local/domain/1/vm", "/local/domain/1/data")
    guest.store.put("/local/domain/1/data/start_time", "1")
    assert "alpha" not in xenvm("uptime", "alpha")[1]


def test_a_damaged_record(guest: FakeHost, xenvm: Xenvm) -> None:
    UserData(Domid(1), UUID).write_config("{")
    assert xenvm("list", "-l") == (0, "[]\n", "xenvm: the record of domain 1 is damaged: it is left out\n")
    UserData(Domid(1), UUID).write_config('{"c_info": {"name": "before"}}')
    assert json.loads(xenvm("list", "-l", "1")[1]) == [{"domid": 1, "config": {"c_info": {"name": "alpha"}}}]


def test_xens_log_and_keys(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("dmesg", "-c") == (0, "(XEN) a fake\n", "")
    assert xenvm("debug-keys", "hq") == (0, "", "")
    assert "console_ring True" in guest.hyper.lines() and "debug_keys" in guest.hyper.lines()
