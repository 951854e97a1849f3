"""A script's xl on a simulated host: codes, messages, columns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.xl.conftest import Xl
from xenvm import cli
from xenvm.host.open import VARIABLE


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        ("no-such", 1, "command not implemented\n"),
        ("mem", 1, "command not implemented\n"),
        ("-q list", 1, "unknown global option\n"),
        ("-N list", 1, "command does not implement -N (dryrun) option\n"),
        ("list -q", 2, "option `q' not supported.\n"),
        ("console 1 -n", 2, "option `n' not supported.\n"),
        ("vcpu-set g", 2, "'xl vcpu-set' requires at least 2 arguments.\n\n"),
        ("domid", 2, "'xl domid' requires at least 1 argument.\n\n"),
        ("migrate g there", 1, "migrate: Xen on ARM cannot save the state of a guest\n"),
        ("psr-hwinfo -h", 1, "psr-hwinfo: it is for x86 only: Xen has nothing of the kind on ARM\n"),
        ("create name=x", 6, "Config file not specified and none in save file\n"),
        ("console -t tty g", 1, "console type supported are: pv, serial, vuart\n"),
        ("mem-set g much", 1, "invalid memory size: much\n"),
        ("vcpu-set g many", 1, "Error: Invalid argument.\n"),
        ("channel-list 77", 0, "Error: Domain '77' does not exist.\n"),
        ("shutdown 77", 1, "Shutting down domain 77\nError: Domain '77' does not exist.\nshutdown failed (rc=-3)\n"),
        ("-N block-attach h /x,raw,xvda", 1, "h is an invalid domain identifier (rc=-6)\n"),
        ("-N block-attach 0 x", 1, "xl: block-attach: no vdev in the disk `x'\n"),
        ("cpupool-create", 1, "xl: command line: a cpupool needs a name\nMissing cpupool name!\n"),
        ("sched-rtds -v 0 -p 1 -b 1 -e 1 -v 1 -p 2 -b 2 -e 1", 1, "Missing parameters.\n"),
        ("sched-rtds -d 0 -v 0 -p 1 -v 1 -p 2", 1, "Incorrect number of period, budget and extratime\n"),
        ("sched-rtds -d 0 -v 0 -v all", 1, "Incorrect VCPU IDs.\n"),
        ("sched-rtds -d 0 -v 0 -e 2", 1, "Invalid extratime.\n"),
        ("sched-rtds -d 0 -p 1 -b 1 -e 1", 1, "Must specify VCPU.\n"),
        ("sched-rtds -c Pool-0 -v all", 1, "Specifying a cpupool is not allowed with other options.\n"),
        ("cpupool-numa-split", 1, "cpupool-numa-split: Xen on ARM has one NUMA node, so there is nothing to split\n"),
        ("list 77", 1, "Error: Domain '77' does not exist.\n"),
        ("list g h", 1, ""),
        ("domname g", 1, "Invalid domain id.\n\n"),
        ("domname 77", 1, "Can't get domain name of domain id '77', maybe this domain does not exist.\n"),
        ("domid h", 1, "Can't get domid of domain name 'h', maybe this domain does not exist.\n"),
        ("domid 0", 1, "Can't get domid of domain name '0', maybe this domain does not exist.\n"),
        ("destroy 77", 1, "Error: Domain '77' does not exist.\ndestroy failed (rc=-3)\n"),
        ("shutdown", 1, "You must specify -a or a domain id.\n\n"),
        ("block-list 77", 0, ""),
        ("block-list h", 0, "h is an invalid domain identifier\n"),
        ("network-list h", 1, "h is an invalid domain identifier (rc=-6)\n"),
        ("sysrq 1 hh", 1, "Invalid sysrq.\n\n"),
        ("info no-such", 0, ""),
        ("create", 6, "Config file not specified and none in save file\n"),
        (
            "create -q /no/x",
            3,
            "xl: /no/x: cannot read the configuration: No such file or directory\n"
            "Failed to read config file: /no/x: No such file or directory\n",
        ),
    ],
)
def test_codes_and_messages(xl: Xl, line: str, code: int, err: str) -> None:
    found = xl(line)
    assert (found[0], found[2]) == (code, err)


@pytest.mark.parametrize("line", ["block-list", "network-list", "vcpu-list", "channel-list", "vkb-list"])
def test_headers_come_first(xl: Xl, line: str) -> None:
    assert xl(f"{line} h")[1] == xl(f"{line} 0")[1].splitlines(keepends=True)[0]


@pytest.mark.parametrize("line", ["pause", "unpause", "resume", "uptime"])
def test_numbers_that_xl_lets_pass(xl: Xl, line: str) -> None:
    assert xl(f"{line} 77")[0] == 0
    assert xl(f"{line} h") == (1, "", "h is an invalid domain identifier (rc=-6)\n")


@pytest.mark.parametrize("who", ["g", "77"])
@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("block-detach {} xvdz", 1, "Error: Device xvdz not connected."),
        ("network-detach {} 00:16:3e:00:00:99", 1, "Unknown device 00:16:3e:00:00:99."),
        ("vkb-detach {} 3", 253, "Error: Device 3 not connected."),
    ],
)
def test_devices_that_are_not_there(guest: Xl, line: str, code: int, says: str, who: str) -> None:
    found = guest(line.format(who))
    assert found[0] == code and found[2].splitlines()[-1] == says


def test_lists_of_nothing(guest: Xl) -> None:
    assert guest("vdispl-list g") == guest("vsnd-list g") == guest("vsnd-list 77") == (0, "", "")
    assert guest("vdispl-list h g") == (0, "", "h is an invalid domain identifier\n")
    assert guest("vsnd-attach g")[0] == 2
    assert len(guest.out("claims of nobody").splitlines()) == 3
    assert guest("uptime 77")[1] == "Name                                ID Uptime\n"


def test_lists_of_what_no_guest_has(guest: Xl) -> None:
    assert guest("pci-list g") == guest("usb-list 1") == guest("pci-assignable-list") == (0, "", "")
    assert guest.out("vtpm-list g").startswith("Idx BE Uuid ") and guest("vtpm-list g h")[0] == 1
    assert guest("pci-list h") == (1, "", "h is an invalid domain identifier (rc=-6)\n")
    assert guest("pci-list")[0] == 2


def test_a_list_does_not_hide_what_another_toolstack_gave(guest: Xl) -> None:
    for node in ("backend /local/domain/0/backend/pci/1/0", "frontend /local/domain/1/device/pci/0"):
        assert guest.xenvm("store", "write", *f"/libxl/1/device/pci/0/{node}".split())[0] == 0
    assert guest("pci-list g") == (1, "", "xl: g has a device of the class pci, which xenvm does not know\n")


def test_a_dry_run_shows_what_was_said(xl: Xl) -> None:
    found = xl.out("-N network-attach 77 mac=00:16:3e:00:00:01")
    assert json.loads(found.removeprefix("vif: ")) == {"mac": "00:16:3e:00:00:01"}
    found = xl.out("-N network-attach 77 type=vif,devid=3,mac=00:16:3e:00:00:01")
    said = json.loads(found.removeprefix("vif: "))
    assert said == {"devid": 3, "mac": "00:16:3e:00:00:01", "nictype": "vif"}


def test_more_vcpus_than_cpus(guest: Xl) -> None:
    code, _, err = guest("vcpu-set g 99")
    assert code == 1 and err.startswith("You are overcommmitting! You have 4 physical CPUs and want 99 vCPUs! Aborting")
    assert guest("vcpu-set -i g 1")[0] == 0


def test_help(xl: Xl) -> None:
    assert xl("list -h")[1].startswith("Usage: xl [-vtT] list [-l] [-v] [-Z] [-c] [-n] [DOMAIN]\n\n")
    assert xl("help list") == xl("lis --help")
    assert xl("help no-such") == (0, 'command "no-such" not implemented\n', "")
    everything = xl("help")
    assert everything[0] == 0 and "\n create " in everything[1] and "\n migrate " not in everything[1]
    assert xl("") == (1, everything[1], "")


def test_create_ends_as_xl_does(guest: Xl) -> None:
    assert guest(f"create -q {guest.config}")[0] == 3
    assert guest("create -q /no/such")[0] == 3
    bad = guest.folder / "bad.cfg"
    bad.write_text("name = \n")
    assert guest(f"create -q {bad}")[0] == 1
    assert guest("create a b")[0] == 2


@pytest.mark.parametrize("line", ["-N create -q", "create -qn", "create -q --dryrun -f"])
def test_a_dry_run_is_libxls_json(xl: Xl, line: str) -> None:
    config = json.loads(xl.out(f"{line} {xl.config} vcpus=3"))
    assert config["c_info"]["name"] == "g" and config["b_info"]["max_vcpus"] == 3
    assert len(xl.out("list").splitlines()) == 2


def test_a_list_in_full(guest: Xl) -> None:
    assert guest("rename g h")[0] == 0
    (found,) = json.loads(guest.out("list -l"))
    assert found["domid"] == 1 and found["config"]["c_info"]["name"] == "h"
    assert found["config"]["disks"][0]["vdev"] == "xvda"
    assert json.loads(guest.out("list -l 0")) == []


def test_tables(guest: Xl) -> None:
    assert guest.out("vm-list").splitlines() == [
        "UUID                                  ID    name",
        "00000000-0000-0000-0000-000000000000  0    Domain-0" + " " * 22,
        "11111111-2222-3333-4444-555555555555  1    g" + " " * 29,
    ]
    head, _, row = guest.out("uptime").splitlines()
    assert head == "Name                                ID Uptime"
    assert re.fullmatch(r"g {32}    1  0:0\d:\d\d", row)
    assert re.fullmatch(r" \d\d:\d\d:\d\d up  0:0\d, g \(1\)\n", guest.out("uptime -s g"))
    assert guest.out("claims").splitlines()[2].endswith("0.0     0")
    assert guest.out("cpupool-list Pool-0").splitlines() == [
        "Name               CPUs   Sched     Active   Domain count",
        "Pool-0               4   credit2       y          2",
    ]
    assert guest.out("cpupool-list -c").splitlines()[1] == "Pool-0             0,1,2,3"
    assert guest("cpupool-list no-such")[0] == 1
    assert guest.out("dmesg").startswith("(XEN) ")
    assert guest.out("debug-keys h") == ""


def test_dry_runs_of_devices(xl: Xl) -> None:
    title, text = xl.out("-N block-attach 1 /tmp/x,raw,xvdb,rw").split(": ", 1)
    assert (title, json.loads(text)["vdev"]) == ("disk", "xvdb")
    title, text = xl.out("-N network-attach 1 mac=00:16:3e:00:00:01").split(": ", 1)
    assert (title, json.loads(text)["mac"]) == ("vif", "00:16:3e:00:00:01")


def test_a_life(guest: Xl) -> None:
    for line in ("pause g", "unpause 1", "vcpu-pin g all all -i", "mem-set g 48m"):
        assert guest(line)[0] == 0, line
    assert guest("shutdown -F -a ignored -w") == (0, "", "Shutting down domain 1\n")
    assert guest("domid g")[0] == 1


def test_a_link_named_xl(monkeypatch: pytest.MonkeyPatch, xl: Xl, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/sbin/xl", "domname", "0"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert (caught.value.code, capsys.readouterr().out) == (0, "Domain-0\n")


def test_other_commands_know_nothing_of_it(tmp_path: Path) -> None:
    code = "import sys, xenvm.cli, xenvm.cli.run as r; r.leave = sys.exit\ntry: xenvm.cli.main(['list'])\n"
    code += "finally: print([name for name in sys.modules if name.startswith(('xenvm.cli.xl', 'xenvm.cli.facts'))])"
    environment = {**os.environ, VARIABLE: f"sim:{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == "[]"
