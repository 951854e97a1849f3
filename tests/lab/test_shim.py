"""One script of many commands through xl and through our shim, on the same guests: output and exit codes."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from tests.lab.dom0 import Dom0

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
"""

BOTH = """
while read -r line; do
    for tool in xl "xenvm xl"; do
        $tool $line </dev/null >/tmp/shim.out 2>/tmp/shim.err
        printf '%s\\0%s\\0%s\\0%s\\0' "$line" "$?" "$(cat /tmp/shim.out)" "$(cat /tmp/shim.err)"
    done
done
rm -f /tmp/shim.out /tmp/shim.err
"""

SPOKEN = ("invalid domain identifier", "requires at least", "not implemented", "not supported", "Can't get dom",
          "You must specify", "Invalid ")  # fmt: skip
"""What the messages are compared by, where xl has one of them: its other words are libxl's log."""
HELP = re.compile(r"^Usage:? xl .*", re.DOTALL | re.MULTILINE)


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
    return [line for line in text.splitlines() if any(words in line for words in SPOKEN)]


@pytest.mark.usefixtures("clean")
def test_one_script_by_both(clean: Dom0) -> None:
    disk = clean.disk("shim")
    config = clean.config("shim", memory=64, disk=[f"{disk},raw,xvda,rw"], vif=["mac=00:16:3e:11:22:44,bridge=xenbr0"])
    clean.xenvm("create", "-q", "-p", config)
    clean.xenvm("unpause", "shim")
    clean.console("shim", "xenvm-guest: ready")
    fields = clean.ok(["bash", "-c", BOTH], stdin=LINES.strip().encode() + b"\n", timeout=600).split("\0")
    found = [tuple(fields[at : at + 8]) for at in range(0, len(fields) - 7, 8)]
    assert len(found) == len(LINES.split("\n")) - 2
    wrong = []
    for line, code, out, err, _, our_code, our_out, our_err in found:
        theirs, ours = (code, normal(line, out), spoken(err)), (our_code, normal(line, our_out), spoken(our_err))
        if theirs != ours:
            wrong.append(f"{shlex.quote(line)}:\n  xl    {theirs} {err!r}\n  xenvm {ours} {our_err!r}")
    assert not wrong, "\n".join(wrong)
    clean.ok(["xenvm", "xl", "rename", "shim", "other"])
    (guest,) = json.loads(clean.ok(["xenvm", "xl", "list", "-l", "other"]))
    (same,) = json.loads(clean.xl("list", "-l", "other"))
    assert guest["domid"] == same["domid"] and guest["config"]["nics"] == same["config"]["nics"]
    clean.ok(["xenvm", "xl", "destroy", "other"])
