"""list, domid, domname and rename: xl's columns byte for byte, JSON, and words for what is not there."""

from __future__ import annotations

import json

import pytest

from tests.support.fakehost import UUID, FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.cli.domains import live_names, state_letters
from xenvm.host.hyper import DomainInfo
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"


@pytest.fixture
def guests(world: FakeHost) -> FakeHost:
    """A guest that runs, and one that crashed."""
    first, second = world.hyper.add(UUID, mib=64, vcpus=2), world.hyper.add(OTHER, mib=1024)
    first.cpu_time, first.blocked = 1234567890123, True
    second.code = 3
    world.hyper.all[Domid(0)].cpu_time = 49_960_000_000
    world.store.put("/local/domain/1/name", "alpha")
    world.store.put("/local/domain/2/name", "a-name-of-more-than-forty-characters-indeed")
    return world


# fmt: off
HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
ROWS = [
    "Domain-0                                     0     4     4     r-----      50.0",
    "alpha                                        1    64     2     -b----    1234.6",
    "a-name-of-more-than-forty-characters-indeed     2  1024     1     ---sc-       0.0",
]
# fmt: on


def test_list(guests: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("list") == (0, "\n".join([HEADER, *ROWS]) + "\n", "")


@pytest.mark.parametrize("who", ["alpha", "1"])
def test_list_one(guests: FakeHost, xenvm: Xenvm, who: str) -> None:
    assert xenvm("list", who) == (0, f"{HEADER}\n{ROWS[1]}\n", "")


def test_list_verbose(guests: FakeHost, xenvm: Xenvm) -> None:
    _, out, _ = xenvm("list", "-v")
    head, _, alpha, long = out.splitlines()
    assert head == HEADER + "   UUID                            Reason-Code\tSecurity Label"
    assert alpha == ROWS[1] + f" {UUID}        -                -"
    assert long == ROWS[2] + f" {OTHER}        3                -"


def test_list_with_labels_and_pools(guests: FakeHost, xenvm: Xenvm) -> None:
    out = xenvm("list", "-Z", "alpha")[1].splitlines()
    assert out == [HEADER + "   Security Label", ROWS[1] + "                -"]
    out = xenvm("list", "-c", "alpha")[1].splitlines()
    assert out == [HEADER + "         Cpupool", ROWS[1] + "          Pool-0"]
    out = xenvm("list", "-v", "-Z", "-c", "alpha")[1].splitlines()
    assert out == [
        HEADER + "   UUID                            Reason-Code\tSecurity Label         Cpupool",
        ROWS[1] + f" {UUID}        -                -          Pool-0",
    ]


def test_a_domain_without_a_name(guests: FakeHost, xenvm: Xenvm) -> None:
    guests.store.drop("/local/domain/1")
    guests.hyper.all[Domid(1)].dying = True
    assert xenvm("list")[1].splitlines()[2].startswith("(null)                                       1    64")
    assert '"name": null' in xenvm("list", "--json")[1]


@pytest.mark.parametrize(("raw", "shown"), [("café", "café"), (b"\xffx", "\ufffdx")])
def test_columns_count_bytes_as_c_does(guests: FakeHost, xenvm: Xenvm, raw: str | bytes, shown: str) -> None:
    guests.store.put("/local/domain/1/name", raw)
    row = xenvm("list")[1].splitlines()[2]
    assert row.startswith(shown) and len(row.encode()) == len(ROWS[1])
    assert xenvm("domname", "1") == (0, f"{shown}\n", "")


@pytest.mark.parametrize(
    ("fields", "letters"),
    [
        ({}, "------"),
        ({"running": True}, "r-----"),
        ({"blocked": True, "paused": True}, "-bp---"),
        *(({"shutdown": True, "shutdown_code": code}, f"---s{letter}-") for code, letter in enumerate("-rscwS?")),
        ({"dying": True}, "-----d"),
        ({"dying": True, "shutdown": True, "shutdown_code": 255}, "---s?d"),
    ],
)
def test_state_letters(fields: dict[str, object], letters: str) -> None:
    assert state_letters(DomainInfo(Domid(1), UUID, **fields)) == letters  # type: ignore[arg-type]


def test_json(guests: FakeHost, xenvm: Xenvm) -> None:
    code, out, err = xenvm("list", "--json")
    found = json.loads(out)
    assert (code, err, found["version"]) == (0, "", 1)
    assert found["domains"][1] == {
        "domid": 1,
        "name": "alpha",
        "uuid": UUID,
        "state": ["blocked"],
        "shutdown_reason": None,
        "memory_kib": 65536,
        "max_memory_kib": 66560,
        "vcpus_online": 2,
        "vcpus_max": 2,
        "cpu_time_ns": 1234567890123,
        "cpupool": 0,
    }
    assert (found["domains"][2]["state"], found["domains"][2]["shutdown_reason"]) == (["shutdown"], "crash")
    assert [domain["name"] for domain in json.loads(xenvm("list", "--json", "1")[1])["domains"]] == ["alpha"]


def test_json_of_a_reason_without_a_name(guests: FakeHost, xenvm: Xenvm) -> None:
    guests.hyper.all[Domid(2)].code = 200
    assert json.loads(xenvm("list", "--json")[1])["domains"][2]["shutdown_reason"] == 200


def test_domid_and_domname(guests: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("domid", "alpha") == (0, "1\n", "")
    assert xenvm("domid", "Domain-0") == (0, "0\n", "")
    assert xenvm("domname", "1") == (0, "alpha\n", "")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["list", "beta"], 3, "beta is an invalid domain identifier"),
        (["list", "77"], 3, "77 is an invalid domain identifier"),
        (["domid", "beta"], 3, "beta is an invalid domain identifier"),
        (["domname", "77"], 3, "77 is an invalid domain identifier"),
        (["domname", "alpha"], 1, "'alpha' is not a domid"),
        (["rename", "beta", "gamma"], 3, "beta is an invalid domain identifier"),
        (["rename", "alpha", "Domain-0"], 4, "a domain named 'Domain-0' exists already: domid 0"),
        (["rename", "alpha", "7"], 1, "'7' cannot name a domain: it would be taken for a domid"),
    ],
)
def test_what_is_not_there(guests: FakeHost, xenvm: Xenvm, words: list[str], code: int, message: str) -> None:
    assert xenvm(*words) == (code, "", f"xenvm: {message}\n")


def test_rename(guests: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("rename", "alpha", "beta") == (0, "", "")
    assert xenvm("domid", "beta") == (0, "1\n", "")


def test_completion_offers_names_and_never_fails(guests: FakeHost) -> None:
    assert list(live_names())[:2] == ["Domain-0", "alpha"]
    guests.patch.setenv("XENSTORED_PATH", "/no/such")
    assert list(live_names()) == []
