"""Lists of host CPUs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError
from xenvm.guest.cpus import MAX_CPUS, format_cpus, parse_affinity, parse_cpus

HOST = 16
NODES = {0: frozenset(range(8)), 1: frozenset(range(8, 16))}

GOOD = {
    "": "none", ",": "none", "0": "0", "9": "9", "15": "15", "16": "none", "99999999999999": "none", "007": "7",
    "0,1,2": "0-2", "2,1,0": "0-2", "0,2,4": "0,2,4", "3-5": "3-5", "7-7": "7", "13-99": "13-15", "0-15": "all",
    "0-999999999999": "all", "all": "all", "all,": "all", ",,all": "all", "nodes:all": "all", "node:all": "all",
    "all,nodes:all": "all", "all,^nodes:0,all": "all", "^0": "none", "^0,0": "0", "^2,0-3": "0-3", "0-3,^2": "0-1,3",
    "0-7,^2-4": "0-1,5-7", "all,^12": "0-11,13-15", "all,^0-14": "15", "all,^0-15": "none", "nodes:1": "8-15",
    "node:1": "8-15", "nodes:0-1": "all", "nodes:1-9": "8-15", "node:7": "none", "all,^nodes:0": "8-15",
    "all,^node:1": "0-7", "nodes:1,^8": "9-15", "nodes:1,^9": "8,10-15", "nodes:0,^5": "0-4,6-7", "0, 1": "0-1",
    "0,\t2- 3": "0,2-3", "nodes: 1": "8-15", "^ 1,0": "0", "0,node:1": "0,8-15",
}  # fmt: skip


@pytest.mark.parametrize(("text", "printed"), GOOD.items())
def test_good(text: str, printed: str) -> None:
    assert format_cpus(parse_cpus(text, HOST, NODES), HOST) == printed


BAD = [
    "foo", "x", "1x", "1-", "-1", "-", "3-1", "1-2-3", "^", "^all", "^nodes:all", "all,^all", "nodes:", "node:^1",
    "0, ^1", "0, node:1", "0, all", "1 ", "1 -2", "all ", "0x1", "+1", "1_0", "ALL", "nodes:1-", "1;2", "none",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_bad(text: str) -> None:
    with pytest.raises(ConfigError, match="in a CPU list"):
        parse_cpus(text, HOST, NODES)


def test_without_a_host_all_is_the_widest_one() -> None:
    assert parse_cpus("all,^0") == frozenset(range(1, MAX_CPUS))
    assert parse_cpus("node:0,^3") == frozenset(range(MAX_CPUS)) - {3}
    assert parse_cpus("node:1") == frozenset()


def test_without_nodes_the_host_is_one_node() -> None:
    assert parse_cpus("node:0", 4) == {0, 1, 2, 3}


@pytest.mark.parametrize("text", ["all", "0-4095", "nodes:all", "node:0"])
def test_affinity_to_all_is_none(text: str) -> None:
    assert parse_affinity(text) is None


def test_affinity() -> None:
    assert parse_affinity("0-3,^2") == {0, 1, 3}
    assert parse_affinity("0-3", 4) is None


@pytest.mark.parametrize("text", ["", "^1", "node:9", "all,^0-9999"])
def test_affinity_to_nothing(text: str) -> None:
    with pytest.raises(ConfigError, match="selects no CPU"):
        parse_affinity(text)


@pytest.mark.parametrize(
    ("cpus", "host", "printed"),
    [(None, 4, "all"), (frozenset({0}), 1, "all"), (frozenset({0, 9}), 4, "0"), (frozenset({0, 1, 2, 3, 9}), 4, "all")],
)
def test_format(cpus: frozenset[int] | None, host: int, printed: str) -> None:
    assert format_cpus(cpus, host) == printed


@settings(max_examples=100)
@given(st.frozensets(st.integers(0, 31), min_size=1))
def test_round_trip(cpus: frozenset[int]) -> None:
    assert parse_cpus(format_cpus(cpus, 32), 32) == cpus


@settings(max_examples=100)
@given(st.text("0123456789-^,nodes:al \t", max_size=16))
def test_arbitrary(text: str) -> None:
    try:
        assert all(cpu < HOST for cpu in parse_cpus(text, HOST, NODES))
    except ConfigError:
        pass
