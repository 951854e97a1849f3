"""config-update, the dry run of vcpu-pin, and the tables of NUMA nodes."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.xl.conftest import Xl

WARNING = (
    "WARNING: xl now has better capability to manage domain configuration, avoid using this command when possible\n"
)


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        ("h {config}", 1, "h is an invalid domain identifier (rc=-6)\n"),
        ("g", 1, "Config file not specified\n"),
        ("g memory=64", 1, "Config file not specified\n"),
        ("g /no/such", 253, "Failed to read config file: /no/such: No such file or directory\n"),
        ("0 {config}", 1, "xl: domain 0 is this host: the command is for guests\n"),
        ("g {config}", 0, ""),
        ("g -d -f {config} vcpus=2", 0, ""),
    ],
)
def test_config_update(guest: Xl, words: str, code: int, err: str) -> None:
    found = guest("config-update " + words.format(config=guest.config))
    assert found == (code, "", WARNING + err)


def test_without_a_domain(xl: Xl) -> None:
    code, out, err = xl("config-update")
    assert (code, err) == (1, "xl config-update requires a domain argument\n") and out.startswith("Usage: xl ")


def test_a_dry_run(guest: Xl) -> None:
    code, out, _ = guest(f"-N config-update g {guest.config} memory=82")
    found = json.loads(out)
    assert (code, found["domid"], found["config"]["b_info"]["max_memkb"]) == (0, None, 82 * 1024)


def test_the_next_start_is_another(guest: Xl) -> None:
    assert guest(f"config-update g {guest.config} memory=48 name='other'")[0] == 0
    assert guest("list g")[1].splitlines()[1].split()[2] == "64"
    assert guest("reboot g")[0] == 0
    assert guest.out("list g").splitlines()[1].split()[1:3] == ["2", "48"]
    assert guest("reboot g")[0] == 0
    assert guest.out("list g").splitlines()[1].split()[1:3] == ["3", "48"]


@pytest.mark.parametrize(
    ("lists", "said"), [("0 0", "0"), ("all 0 1", "0 1"), ("0 all -", "all"), ("0 - 0-2", "- 0-2")]
)
def test_a_dry_pinning(guest: Xl, lists: str, said: str) -> None:
    assert guest.out(f"-N vcpu-pin g {lists}") == f"cpumap: {said}\n"


def test_nodes(guest: Xl) -> None:
    head, *rows = guest.out("list -n").splitlines()
    assert head.endswith("\tTime(s) NODE Affinity") and all(row.endswith(" all") for row in rows)
    assert guest.out("list -vcnZ").splitlines()[2].endswith("        -                -          Pool-0 all")
    lines = guest.out("info -n").splitlines()
    at = lines.index("cpu_topology           :")
    assert lines[at - 1].startswith("free_cpus ") and lines[at + 1 : at + 3] == [
        "cpu:    core    socket     node",
        "  0:       0        0        0",
    ]
    assert lines[at + 6 : at + 8] == ["numa_info              :", "node:    memsize    memfree    distances"]
    assert lines[at + 8].startswith("   0:     66560 ") and lines[at + 8].endswith("          20")
    assert lines[at + 9].startswith("xen_major ")
    assert guest.out("info -n nr_nodes").splitlines() == lines
    assert guest.xenvm("info", "-n", "nr_nodes")[1] == "1\n"
