"""Back ends in user space, written on the library: a guest's own Linux uses what Python programs in dom0 serve."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0
from tests.lab.test_hotplug import VIF_IS_THERE, ask

NAME = "served"
MAC = "00:16:3e:00:00:07"
PROGRAMS = {
    "qdisk": ["examples/ramdisk.py", "serve"],
    "qnic": ["examples/pingnet.py"],
    "channels": ["-m", "xenvm", "serve"],
}

# Starts a program that outlives the command, and waits until it says that it serves.
_START = """
cd /mnt/xenvm; log=$1; shift
PYTHONPATH=/mnt/xenvm:/mnt/deps setsid python3 "$@" >"$log" 2>&1 </dev/null &
echo $!
exec >&-; until grep -q serving "$log"; do kill -0 $! || exit 1; sleep 0.2; done
"""


# A guest that writes, by packets of its own, whatever it likes into its front ends, for as long as it lives.
_HOSTILE = r"""
H="\013\0\0\0\001\0\0\0\0\0\0\0"
w() { n=$((${#1} + ${#2} + 1)); printf "$H$(printf '\\%03o\\%03o' $((n & 255)) $((n >> 8)))\0\0%s\0%s" "$1" "$2" >&3; }
exec 3<>/dev/xen/xenbus
cat <&3 >/dev/null &
B=$(printf %2000s | tr ' ' A)
K="backend backend-id state event-channel ring-ref mac frontend wild"
V="VICTIM /libxl/0 -1 6 99999999999999999999 $B"
D="vbd/51712 vbd/51728 vif/0 vif/1 vbd/1 x/y"
while :; do for d in $D; do for v in $V; do for k in $K; do w device/$d/$k $v; usleep 30000; done; done; done; done &
"""

# Waits until the guest has written a node that no driver has.
_REWRITTEN = 'for n in $(seq 300); do xenstore-ls "$1" | grep -q wild && exit; sleep 0.2; done; exit 1'


@pytest.fixture(scope="module")
def guest(dom0: Dom0) -> Iterator[Dom0]:
    """A running guest, and the programs that serve it."""
    before, pids = dom0.traces(), []
    dom0.run(["pkill", "-f", "ops.serving import"])  # An earlier guest's, which stays: there is one for a host.
    try:
        for kind, words in PROGRAMS.items():
            pids.append(dom0.ok(["bash", "-c", _START, "start", f"/root/{kind}.log", *words]).strip())
        dom0.xenvm("create", dom0.config(NAME))
        dom0.console(NAME, "xenvm-guest: ready")
        yield dom0
        dom0.xenvm("destroy", NAME)
        assert dom0.settled(before) == before
    finally:
        dom0.destroy_all()
        dom0.run(["kill", *pids])


def states(dom0: Dom0) -> dict[str, tuple[int, int]]:
    """States of guest's end and back end by class, without the console."""
    found = json.loads(dom0.xenvm("device-list", "--json", NAME))["devices"]
    return {row["class"]: (row["frontend_state"], row["backend_state"]) for row in found if row["class"] != "console"}


def test_a_disk_of_a_program(guest: Dom0) -> None:
    before = guest.traces()
    guest.xenvm(
        *("device-attach", NAME, "vbd", "devid=51760", "backend-kind=qdisk"),
        *("virtual-device=51760", "device-type=disk"),
    )
    copy = (
        "until [ -e /dev/xvdd ]; do usleep 100000; done; dd if=/dev/urandom of=/tmp/r bs=1024 count=300 2>/dev/null;"
        " dd if=/tmp/r of=/dev/xvdd bs=1024 conv=fsync 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches;"
        " dd if=/dev/xvdd bs=1024 count=300 2>/dev/null | cmp - /tmp/r && echo same-$((1 + 1))"
    )
    ask(guest, copy, "^same-2", name=NAME)
    assert states(guest) == {"vbd": (4, 4)}
    guest.xenvm("device-detach", NAME, "vbd", "51760")
    ask(guest, "echo gone-$(ls /sys/block | grep -c xvdd)", "^gone-0", name=NAME)
    assert guest.settled(before) == before


def test_a_network_of_a_program(guest: Dom0) -> None:
    before = guest.traces()
    guest.xenvm("device-attach", NAME, "vif", "backend-kind=qnic", "handle=0", f"mac={MAC}")
    ping = (
        f"{VIF_IS_THERE}; ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up;"
        " ping -c 4 -s 1400 -w 60 10.9.0.1 && echo pong-$((1 + 1))"
    )
    ask(guest, ping, "^pong-2", name=NAME)
    assert states(guest) == {"vif": (4, 4)}
    guest.xenvm("device-detach", NAME, "vif", "0")
    ask(guest, "echo gone-$(ls /sys/class/net | grep -c eth0)", "^gone-0", name=NAME)
    assert guest.settled(before) == before


def test_a_channel(guest: Dom0) -> None:
    """What is said at one end is heard at the other, both ways; xl lists it as we do."""
    before = guest.traces()
    guest.xenvm("device-attach", NAME, "console", "name=talk", "connection=pty", "type=ioemu", "output=pty")
    ask(guest, "until [ -e /dev/hvc1 ]; do usleep 100000; done; echo there-$((1 + 1))", "^there-2", name=NAME)
    (row,) = json.loads(guest.xenvm("channel-list", "--json", NAME))["devices"]
    tty = f"{row['frontend']}/tty"
    ask(
        guest,
        "stty -F /dev/hvc1 raw -echo; (read l </dev/hvc1; echo heard-$l >/dev/hvc1) & echo on-$$",
        "^on-",
        name=NAME,
    )
    talk = f'exec 3<>"$(xenstore-read {tty})"; echo hello >&3; timeout --foreground 60 grep -a -m 1 -o heard-hello <&3'
    assert guest.ok(["bash", "-c", talk]).strip() == "heard-hello"
    assert guest.xenvm("channel-list", NAME) == guest.xl("channel-list", NAME)
    guest.xenvm("device-detach", NAME, "console", "1")
    assert guest.settled(before) == before


def test_a_guest_that_rewrites_its_nodes(guest: Dom0) -> None:
    """Whatever it says in its front ends, its neighbour's devices, and all other nodes, stay as they are."""
    before, disks = guest.traces(), [guest.disk("mine"), guest.disk("theirs")]
    guest.xenvm("create", "-p", guest.config("quiet", disk=[f"{disks[1]},raw,xvda,rw"], vif=["bridge=xenbr0"]))
    domid = guest.domains()[NAME]["domid"]
    victim = f"/local/domain/0/backend/vbd/{guest.domains()['quiet']['domid']}/51712"
    between, quiet = guest.traces(), others(guest)
    for line in _HOSTILE.strip().replace("VICTIM", victim).splitlines():
        ask(
            guest,
            f"{line} echo next-$((1 + 1))" if line.endswith("&") else f"{line}; echo next-$((1 + 1))",
            "^next-2",
            name=NAME,
        )
    for kind, device, value in (
        ("block", "xvdb", f"{disks[0]},raw,xvdb,rw"),
        ("network", "0", "bridge=xenbr0"),
    ):
        guest.xenvm(f"{kind}-attach", NAME, value)
        guest.ok(["bash", "-c", _REWRITTEN, "wait", f"/local/domain/{domid}/device"])
        rows = json.loads(guest.xenvm(f"{kind}-list", "--json", NAME))["devices"]
        assert [row["backend"].split("/")[6] for row in rows] == [str(guest.domains()[NAME]["domid"])]
        guest.run(["xenvm", f"{kind}-detach", NAME, device])
        guest.run(["xenvm", f"{kind}-detach", "--force", NAME, device])
        assert others(guest) == quiet
    assert without_home(guest.traces(), domid) == without_home(between, domid)
    guest.xenvm("destroy", "quiet")
    assert without_home(guest.traces(), domid) == without_home(before, domid)


def without_home(traces: dict[str, list[str]], domid: int) -> dict[str, list[str]]:
    """What a guest could leave behind, but not what it writes in its own directory while it lives."""
    nodes = [node for node in traces["nodes"] if not node.startswith(f"/local/domain/{domid}/")]
    return {**traces, "nodes": nodes}


def others(dom0: Dom0) -> list[str]:
    """All nodes with their values and permissions, but those of the guest that is hostile, and but what the drivers in
    dom0 say about its devices."""
    found = dom0.domains()[NAME]
    domid = found["domid"]
    own = (f"/local/domain/{domid}", f"/libxl/{domid}/", f"/vm/{found['uuid']}", "/local/domain/0/error")
    lines = dom0.store("/").splitlines()
    return [line for line in lines if not line.startswith(own) and f"/{domid}" not in line.split(" = ")[0]]
