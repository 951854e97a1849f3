"""Samples, rates and rows, without a host."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.host.hyper import DomainInfo
from xenvm.ops.records import record_of
from xenvm.ops.top import Device, Rates, Sample, arranged, escaped, rows, state_word, summary, totals
from xenvm.types import Domid

SECOND = 1_000_000_000


def info(domid: int, cpu: float = 0, uuid: str = "", **fields: object) -> DomainInfo:
    return DomainInfo(Domid(domid), uuid or f"uuid-{domid}", cpu_time=int(cpu * SECOND), **fields)  # type: ignore[arg-type]


def sample(at: float, *domains: DomainInfo, **names: str) -> Sample:
    known: dict[int, str | None] = {each.domid: names.get(f"d{each.domid}", f"g{each.domid}") for each in domains}
    return Sample(at, domains, known, {})


def device(kind: str = "vbd", devid: int = 51712, front: int = 4, back: int = 4, **facts: str) -> Device:
    record = record_of(Domid(3), kind, devid, {"backend": f"/local/domain/0/backend/{kind}/3/{devid}", **facts})
    assert record is not None
    return Device(record, front, back)


def test_the_share_of_a_cpu_is_what_was_used_between_two_looks() -> None:
    rates = Rates()
    assert rates.take(sample(10, info(1, 5))) == {}
    assert rates.take(sample(12, info(1, 8), info(2, 1))) == {(1, "uuid-1"): 150.0}, "3 s in 2 s; 2 is new"
    assert rates.take(sample(14, info(1, 8), info(2, 2))) == {(1, "uuid-1"): 0.0, (2, "uuid-2"): 50.0}


def test_looks_too_near_to_each_other_keep_the_share() -> None:
    rates = Rates()
    rates.take(sample(10, info(1, 5)))
    rates.take(sample(11, info(1, 6)))
    assert rates.take(sample(11.1, info(1, 6))) == {(1, "uuid-1"): 100.0}
    assert rates.take(sample(12, info(1, 6.5))) == {(1, "uuid-1"): 50.0}, "from 11 on, not from 11.1"


def test_a_domid_that_is_given_out_again_starts_anew() -> None:
    rates = Rates()
    rates.take(sample(10, info(1, 5, "old")))
    assert rates.take(sample(12, info(1, 6, "new"))) == {}


def test_a_clock_that_goes_back_makes_no_share() -> None:
    rates = Rates()
    rates.take(sample(10, info(1, 5)))
    assert rates.take(sample(9, info(1, 6))) == {}


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 2**62)), max_size=6))
@settings(max_examples=60)
def test_no_share_is_negative_or_raises(looks: list[tuple[float, int]]) -> None:
    rates = Rates()
    for at, cpu in looks:
        assert all(share >= 0 for share in rates.take(sample(at, info(1).replace(cpu_time=cpu))).values())


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"running": True}, "running"),
        ({"blocked": True}, "blocked"),
        ({"paused": True, "running": True}, "paused"),
        ({"shutdown": True, "shutdown_code": 3, "paused": True}, "crash"),
        ({"shutdown": True, "shutdown_code": 77}, "shutdown"),
        ({"dying": True, "shutdown": True}, "dying"),
        ({}, "ready"),
    ],
)
def test_states(fields: dict[str, object], word: str) -> None:
    assert state_word(info(1, **fields)) == word  # type: ignore[arg-type]


def test_orders_and_filter() -> None:
    look = sample(0, info(0, tot_pages=1), info(1, tot_pages=9), info(2, tot_pages=5), d0="Domain-0", d1="b", d2="A1")
    found = rows(look, {(2, "uuid-2"): 50.0, (1, "uuid-1"): 2.0})

    def order(by: str, wanted: str = "") -> list[int]:
        return [row.info.domid for row in arranged(found, by, wanted)]

    assert order("id") == [0, 1, 2]
    assert order("name") == [2, 1, 0]
    assert order("cpu") == [2, 1, 0]
    assert order("memory") == [1, 2, 0]
    assert order("id", "a") == [0, 2]
    assert order("id", "1") == [1, 2], "a domid, or part of a name"
    assert order("id", "nobody") == []


def test_a_domain_without_a_name() -> None:
    (row,) = rows(Sample(0, (info(7),), {7: None}, {}), {})
    assert (row.name, row.raw_name, row.percent) == ("(null)", None, None)


def test_names_of_devices_and_their_states() -> None:
    assert device(dev="xvda").name == "xvda"
    assert device("vif", 0).name == "vif 0"
    assert device().states == "Connected"
    assert device(front=2, back=5).states == "front InitWait, back Closing"
    assert (
        summary([device(dev="xvda"), device("vif", 0, back=0)]) == "vif 0: front Connected, back Unknown; 1 Connected"
    )
    assert summary([]) == ""


def test_totals() -> None:
    found = rows(sample(0, info(0, running=True, tot_pages=256), info(1, paused=True)), {(0, "uuid-0"): 20.4})
    assert totals(found) == "2 domains, 1 alive, 1 paused; CPU 20%; memory 1 MiB"
    assert "CPU" not in totals(found, rates=False)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name", "plain name"),
        ("ünï 日本", "ünï 日本"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\u202ec", "a\\x0ab\\u202ec"),
        (b"\xff\x00".decode("utf-8", "surrogateescape"), "\\xff\\x00"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_names_do_a_terminal_no_harm(name: str, shown: str) -> None:
    assert escaped(name) == shown
    assert escaped(name).isprintable()
