"""cpupools and schedulers in xl's words; what is expected here, xl 4.17 printed."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.xl.conftest import Xl

HEADER = "Name                                ID Weight  Cap\n"
RTDS = "Name                                ID VCPU    Period    Budget  Extratime\n"


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("sched-credit2 -s", 0, "Cpupool Pool-0: ratelimit=1000us\n", ""),
        ("sched-credit -s", 0, "Cpupool Pool-0: [sched params unavailable]\n", ""),
        ("sched-credit", 0, "", ""),
        ("sched-rtds", 0, "", ""),
        ("sched-rtds -v all", 0, "", ""),
        ("sched-credit2 -d 0", 0, HEADER + "Domain-0                             0    256    0\n", ""),
        ("sched-credit2 -d h", 1, "", "h is an invalid domain identifier (rc=-6)\n"),
        ("sched-credit2 -w 10", 1, "", "Must specify a domain.\n"),
        ("sched-credit2 -d 0 -p Pool-0", 1, "", "Specifying a cpupool is not allowed with other options.\n"),
        ("sched-credit2 -p none", 1, "", "unknown cpupool 'none'\n"),
        ("sched-credit2 -s -p none", 1, "", "unknown cpupool 'none'\n"),
        ("sched-credit2 -q", 2, "", "option `q' not supported.\n"),
        ("sched-credit2 -d", 2, "", "option `d' not supported.\n"),
        ("sched-rtds -v 0", 1, "", "Missing parameters.\n"),
        ("sched-rtds -d 0 -p 1000 -b 500", 1, "", "Must specify VCPU.\n"),
        ("sched-rtds -d 0 -v 0 -v 1", 1, RTDS, "xl: domain 0 is in a cpupool with the scheduler credit2, not rtds\n"),
        ("cpupool-list none", 1, "", "xl: Pool 'none' does not exist\n"),
        ("cpupool-cpu-remove Pool-0 a", 1, "", "Invalid pcpu range: a.\n"),
        ("cpupool-cpu-add none 1", 1, "", "unknown cpupool 'none'\n"),
        ("cpupool-cpu-add Pool-0 77", 0, "", ""),
        ("cpupool-rename none x", 1, "", "unknown cpupool 'none'\n"),
        ("cpupool-migrate none Pool-0", 1, "", "unknown domain 'none'\n"),
        ("cpupool-migrate 99 Pool-0", 1, "", "unknown domain '99'\n"),
        ("cpupool-migrate 0 none", 1, "", "unknown cpupool 'none'\n"),
        ("cpupool-create name='Pool-0'", 1, "", 'Pool name "Pool-0" already exists\n'),
        ("cpupool-create name='x' cpus='0'", 6, "", "xl: CPU 0 is not free: it belongs to a cpupool\n"),
        ("cpupool-create name='x' sched='credit' cpus='0'", 1, "", "xl: CPU 0 is not free: it belongs to a cpupool\n"),
    ],
)
def test_words_and_codes(xl: Xl, line: str, code: int, out: str, err: str) -> None:
    assert xl(line) == (code, out, err)


@pytest.mark.parametrize("option", ["-w 0", "-w 65536", "-w x", "-c 101", "-c -1"])
def test_numbers_out_of_range(guest: Xl, option: str) -> None:
    code, out, err = guest(f"sched-credit2 -d g {option}")
    assert (code, out, len(err.splitlines())) == (1, "", 1)


def test_weights(guest: Xl) -> None:
    assert guest.out("sched-credit2 --domain=g --weight=512 -c 50") == ""
    rows = "Domain-0                             0    256    0\ng                                    1    512   50\n"
    assert guest.out("sched-credit2 ignored") == "Cpupool Pool-0: ratelimit=1000us\n" + HEADER + rows
    assert guest("sched-credit -d g")[:2] == (1, HEADER)
    assert guest("sched-credit -d g -w 3")[0] == 1
    (pool,) = json.loads(guest.xenvm("sched-credit2", "--json")[1])["cpupools"]
    assert (pool["ratelimit_us"], pool["domains"][1]) == (1000, {"domid": 1, "name": "g", "weight": 512, "cap": 50})
    (found,) = json.loads(guest.xenvm("sched-credit2", "--json", "-d", "g")[1])["domains"]
    assert found["weight"] == 512


def test_a_rate_limit(xl: Xl) -> None:
    assert xl.out("sched-credit2 -s -r 500") == ""
    assert xl.out("sched-credit2 -s") == "Cpupool Pool-0: ratelimit=500us\n"
    assert xl("sched-credit2 -s -r 50")[0] == 1 and xl("sched-credit -s -t 10")[0] == 1


def test_a_pools_life(guest: Xl) -> None:
    assert guest.out("cpupool-cpu-remove Pool-0 3") == ""
    said = 'Using config file "command line"\ncpupool name:   p\nscheduler:      credit\nnumber of cpus: 1\n'
    made = "cpupool-create name='p' sched='credit' cpus='3'"
    assert guest.out(f"-N {made}") == guest.out(f"{made} -n") == guest.out(made) == said
    assert guest.out("cpupool-list").splitlines()[1:] == [
        "Pool-0               3   credit2       y          2",
        "p                    1    credit       y          0",
    ]
    assert guest.out("cpupool-migrate g p") == ""
    assert guest.out("list -c g").splitlines()[1].endswith("0.0               p")
    assert guest.out("sched-credit -s -p p -t 20 -r 2000 -m 5") == ""
    assert guest.out("sched-credit").splitlines() == [
        "Cpupool p: tslice=20ms ratelimit=2000us migration-delay=5us",
        HEADER.rstrip("\n"),
        "g                                    1    256    0",
    ]
    assert guest("cpupool-destroy p")[0::2] == (
        1,
        "xl: cpupool_destroy: EBUSY (it still has CPUs or domains)\nCan't destroy cpupool 'p'\n",
    )
    assert guest.out("cpupool-rename p q") == guest.out("cpupool-migrate g 0") == ""
    assert guest.out("cpupool-destroy q") == ""
    assert guest("cpupool-cpu-add Pool-0 all")[2].endswith("some cpus may not have been added to Pool-0\n")
    assert guest.out("cpupool-list -c").splitlines()[1:] == ["Pool-0             0,1,2,3"]


def test_a_pool_of_a_file(xl: Xl) -> None:
    (xl.folder / "p.cfg").write_text('name = "p"\nsched = "CREDIT"\n')
    assert xl.out(f"cpupool-create -f {xl.folder}/p.cfg").startswith(f'Using config file "{xl.folder}/p.cfg"\n')
    (xl.folder / "q.cfg").write_text('name = "q"\nnodes = ["0"]\nfrob = 1\n')
    assert "q.cfg:3" in xl(f"cpupool-create {xl.folder}/q.cfg")[2]
    assert xl("cpupool-create /no/such")[0] == 1


def test_what_cannot_be_removed(xl: Xl) -> None:
    code, out, err = xl("cpupool-cpu-remove Pool-0 0")
    assert (code, out, err.splitlines()[1:]) == (
        0,
        "",
        [
            "Some cpus may have not or only partially been removed from 'Pool-0'.",
            "If a cpu can't be added to another cpupool, add it to 'Pool-0' again and retry.",
        ],
    )
