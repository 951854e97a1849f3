"""One script of many commands through xl and through our shim, on the same guests: output and exit codes."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from tests.lab.dom0 import Dom0
from xenvm.cli.xl.table import find

LINES = """
list
list -v shim
list -c 0
list no-such
list 999
list -q
vm-list
domid shim
domid no-such
domname shim
domname 999
info no-such
uptime shim
claims
cpupool-list
cpupool-list -c
vcpu-list shim
vcpu-list no-such
vcpu-pin shim 0 0 -
block-list shim
block-list no-such
network-list shim
network-list no-such
pause shim
list shim
unpause shim
pause 999
mem-set no-such 64
vcpu-set shim
rename no-such other
sysrq shim hh
debug-keys h
destroy 999
shutdown
network-detach shim 7
mem
-N list
create
create /no/such.cfg
info -n nr_nodes
list -vcnZ shim
-N vcpu-pin shim 0 0 -
-N vcpu-pin shim all - 1
config-update
config-update shim /no/such
sched-credit2
sched-credit2 -d shim -w 512 -c 50
sched-credit2 -d shim
sched-credit2 -d shim -c 101
sched-credit2 -d shim -p Pool-0
sched-credit -s
sched-credit -d shim
sched-rtds -d shim -p 1000 -b 500
cpupool-create name="x" cpus="0"
-N cpupool-create name="x"
cpupool-migrate no-such Pool-0
cpupool-destroy Pool-0
cpupool-cpu-remove Pool-0 0
cpupool-cpu-remove Pool-0 x
cpupool-cpu-add Pool-0 77
vcpu-set shim abc
vcpu-set shim 99
mem-set shim abc
block-detach shim xvdz
network-detach shim 00:16:3e:00:00:99
-N network-attach shim mac=00:16:3e:00:00:01
vkb-detach shim 3
getenforce
setenforce 1
setenforce bogus
sched-rtds -d shim -v 0 -p 1000 -v 1 -p 2000 -b 1000
console -t bogus shim
pci-list shim
vtpm-list shim
create -q /no/such
reboot no-such
dump-core no-such /tmp/x
mem-max shim 64m
dmesg -x
channel-list shim
block-attach shim
loadpolicy /no/such
usb-list shim
pci-assignable-list
vkb-attach no-such backend-type=linux
vkb-list shim
vdispl-attach
vdispl-list shim
vdispl-detach shim
vsnd-attach
vsnd-list shim
vsnd-detach shim
"""
NOT_COMPARED = {
    "suspend": "xl lacks it",
    "resume": "xl lacks it",
    "top": "it needs a terminal",
    "devd": "it is for driver domains",
    "dt-overlay": "xl of 4.17 lacks it",
    "xenstore-quota-get": "xl lacks it",
    "xenstore-quota-set": "xl lacks it",
}
"""Subcommands that this script leaves out, and why."""

POOLS = """
cpupool-cpu-remove Pool-0 1
cpupool-create name="spare" sched="credit" cpus="1"
cpupool-list
cpupool-migrate shim spare
list -c shim
sched-credit
sched-credit2
sched-credit -d shim -w 300 -c 40
sched-credit -d shim
sched-credit -s -p spare -t 20 -r 2000 -m 50
sched-credit -s -p spare
cpupool-cpu-remove spare 1
cpupool-destroy spare
cpupool-rename spare other
cpupool-migrate shim Pool-0
cpupool-destroy other
cpupool-cpu-add Pool-0 1
cpupool-list -c
"""
"""What changes the host, so that it is all done by the one, and then by the other."""

BOTH = """
while read -r line; do
    for tool in "$@"; do
        $tool $line </dev/null >/tmp/shim.out 2>/tmp/shim.err
        printf '%s\\0%s\\0%s\\0%s\\0' "$line" "$?" "$(cat /tmp/shim.out)" "$(cat /tmp/shim.err)"
    done
done
rm -f /tmp/shim.out /tmp/shim.err
"""

SPOKEN = ("invalid domain identifier", "requires at least", "not implemented", "not supported", "Can't get dom",
          "You must specify", "Invalid ", "unknown ", "ust specify", "Specifying", "Missing param", "already exists",
          "Can't destroy", "Some cpus", "some cpus", "WARNING: ", "Unknown device", "not connected", "Flask",
          "invalid memory", "overcommmitting", "Incorrect number", "console type", "Failed to read")  # fmt: skip
"""What the messages are compared by, where xl has one of them: its other words are libxl's log."""
HELP = re.compile(r"^Usage:? xl .*", re.DOTALL | re.MULTILINE)


def compared() -> set[str]:
    """The subcommands that both are given."""
    words = [line.removeprefix("-N ").split()[0] for line in (LINES + POOLS).splitlines() if line]
    return {row.name for row in map(find, words) if row is not None}


def normal(line: str, text: str) -> str:
    """Output without times, states and CPUs that change from moment to moment; of a help only that there is one."""
    text = HELP.sub("HELP", text)
    text = re.sub(r"\d+:\d\d(:\d\d)?", "TIME", text)
    if line.startswith(("list", "claims")):
        text = re.sub(r"[-r][-b]([-p]---)\s+\d+\.\d", r"..\1 SECONDS", text)
    if line.startswith("vcpu-list"):
        text = re.sub(r"\d+ +[-r][-b]- +\d+\.\d", "CPU ... SECONDS", text)
    return re.sub(r" +", " ", text)


def spoken(text: str) -> list[str]:
    """Those lines of the standard error that scripts look for."""
    lines = (line for line in text.splitlines() if not line.startswith("libxl: "))
    return [line for line in lines if any(words in line for words in SPOKEN)]


def said(dom0: Dom0, lines: str, *tools: str) -> list[tuple[str, ...]]:
    """Each line by each tool in turn: line, exit code, standard output and error."""
    found = dom0.ok(["bash", "-c", BOTH, "both", *tools], stdin=lines.strip().encode() + b"\n", timeout=900)
    fields = found.split("\0")
    answers = [tuple(fields[at : at + 4]) for at in range(0, len(fields) - 3, 4)]
    assert len(answers) == len(lines.strip().split("\n")) * len(tools)
    return answers


def differences(theirs: list[tuple[str, ...]], ours: list[tuple[str, ...]]) -> list[str]:
    """Where our answers are not xl's."""
    wrong = []
    for (line, code, out, err), (_, our_code, our_out, our_err) in zip(theirs, ours, strict=True):
        its, mine = (code, normal(line, out), spoken(err)), (our_code, normal(line, our_out), spoken(our_err))
        if its != mine:
            wrong.append(f"{shlex.quote(line)}:\n  xl    {its} {err!r}\n  xenvm {mine} {our_err!r}")
    return wrong


@pytest.mark.usefixtures("clean")
def test_one_script_by_both(clean: Dom0) -> None:
    disk = clean.disk("shim")
    config = clean.config("shim", memory=64, disk=[f"{disk},raw,xvda,rw"], vif=["mac=00:16:3e:11:22:44,bridge=xenbr0"])
    clean.xenvm("create", "-q", "-p", config)
    clean.xenvm("unpause", "shim")
    clean.console("shim", "xenvm-guest: ready")
    answers = said(clean, LINES, "xl", "xenvm xl")
    wrong = differences(answers[0::2], answers[1::2])
    wrong += differences(said(clean, POOLS, "xl"), said(clean, POOLS, "xenvm xl"))
    assert not wrong, "\n".join(wrong)
    clean.ok(["xenvm", "xl", "rename", "shim", "other"])
    (guest,) = json.loads(clean.ok(["xenvm", "xl", "list", "-l", "other"]))
    (same,) = json.loads(clean.xl("list", "-l", "other"))
    assert guest["domid"] == same["domid"] and guest["config"]["nics"] == same["config"]["nics"]
    clean.ok(["xenvm", "xl", "destroy", "other"])
