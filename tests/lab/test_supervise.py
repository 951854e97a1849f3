"""What follows when guests go down by themselves: with a supervisor, without one, and with one that is killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0

LOG = "/root/supervise.log"
DUMPS = "/var/lib/xen/dump"

# Looks at the list of guests again and again until the file goes: how often, and how often this one was not in it.
_GAPS = """
import os, sys, time
from xenvm.host.open import open_host
from xenvm.ops.names import listed
looks = gaps = 0
with open_host("xen") as host:
    while os.path.exists("/root/looking"):
        looks += 1
        gaps += sys.argv[1] not in listed(host)[1].values()
        time.sleep(0.02)
print("looks", looks, "gaps", gaps)
"""
_LOOK = 'touch /root/looking; cd /mnt/xenvm; setsid python3 -c "$0" "$1" </dev/null >/root/gaps 2>&1 &'

# How many cores there are; of the first, how many pages it has, and whether the kernel's own log is in them.
_LOOK_INTO_CORE = """
import mmap, os, struct, sys
cores = os.listdir(sys.argv[1])
with open(os.path.join(sys.argv[1], cores[0]), 'rb') as file:
    core = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
headers, = struct.unpack_from('<Q', core, 40)
at, size = struct.unpack_from('<QQ', core, headers + 4 * 64 + 24)
print(len(cores), size // 4096, core.find(b'panic=1 guest.crash', at, at + size) > 0)
"""


class Supervisor:
    """`xenvm supervise` in dom0."""

    def __init__(self, dom0: Dom0) -> None:
        self.dom0 = dom0
        self.pid = ""

    def start(self) -> None:
        self.dom0.ok(f": >{LOG}")
        self.pid = self.dom0.ok(f"setsid nohup xenvm supervise </dev/null >>{LOG} 2>&1 & echo $!").strip()
        self.says("watching the guests")

    def says(self, pattern: str) -> str:
        return self.dom0.log(LOG, pattern)

    def kill(self) -> None:
        self.dom0.run(f"kill -9 {self.pid}")


@pytest.fixture
def supervisor(clean: Dom0) -> Iterator[Supervisor]:
    one = Supervisor(clean)
    try:
        yield one
    finally:
        one.kill()


def test_a_supervisor_that_dies_meanwhile(clean: Dom0, supervisor: Supervisor) -> None:
    """Guests that power off and reboot by themselves; the second is seen in the list all the time."""
    # Its own monitor lives, and is left to it; that of the other dies.
    own = clean.config("own", cmdline="console=hvc0 guest.poweroff")
    lost = clean.config("lost", cmdline="console=hvc0 guest.poweroff")
    for config in (own, lost):
        clean.xenvm("create", "-p", config)
    clean.ok("kill -9 $(pgrep -f '[c]reate -p /root/lost.cfg')")
    supervisor.start()
    disk = clean.disk("again")
    clean.xenvm("create", "-p", clean.config("again", cmdline="console=hvc0 guest.reboot"))
    clean.xenvm("block-attach", "again", f"{disk},raw,xvdb,rw")
    before = clean.domains()["again"]
    clean.ok(["bash", "-c", _LOOK, _GAPS, "again"])
    for name in ("own", "lost", "again"):
        clean.xenvm("unpause", name)
    supervisor.says("again is domain")
    clean.ok("rm /root/looking")
    clean.gone("own")
    clean.gone("lost")
    clean.log("/var/log/xen/xenvm-own.log", "reason 0: destroy")
    said = clean.ok(["cat", LOG])
    assert "reason 0: destroy" in said and said.count("reason 0") == 1, "only of the one that nobody else watched"
    supervisor.kill()
    after = clean.domains()["again"]
    assert after["uuid"] == before["uuid"] and after["domid"] != before["domid"]
    # With nobody there, it stays down; the next supervisor finds it so.
    clean.ok("until xl list again | grep -q -- ---sr; do sleep 0.5; done")
    supervisor.start()
    supervisor.says("again is domain")
    _, looks, _, gaps = clean.log("/root/gaps", "looks").split()
    assert int(looks) > 20 and gaps == "0"
    assert "51728" in clean.xenvm("block-list", "again")
    clean.xenvm("destroy", "again")


def test_a_panic_leaves_its_core_and_its_last_words(clean: Dom0) -> None:
    """Without a supervisor. A kernel on ARM tells Xen of a panic by a reboot, if it is to reboot then."""
    cmdline = "console=hvc0 panic=1 guest.crash"
    clean.ok(["rm", "-rf", DUMPS])
    try:
        clean.xenvm("create", clean.config("panic", cmdline=cmdline, on_reboot="coredump-destroy"))
        clean.log("/var/log/xen/xenvm-panic.log", "the core is in")
        clean.gone("panic")
        assert "Kernel panic - not syncing: sysrq triggered crash" in clean.xenvm("logs", "panic")
        found = clean.ok(["python3", "-c", _LOOK_INTO_CORE, DUMPS])
        assert found.split() == ["1", "65540", "True"], "one core, of all pages, and the kernel's memory in it"
    finally:
        clean.ok(["rm", "-rf", DUMPS])


def stopped(dom0: Dom0, name: str, reason: str, **settings: str) -> dict[str, object]:
    """A guest that Xen stops for this reason (SCHEDOP_remote_shutdown), before it has run; as it was before."""
    dom0.xenvm("create", "-p", dom0.config(name, memory=64, **settings))
    before = dom0.domains()[name]
    dom0.xenvm("trigger", name, reason)
    return before


def test_crash_and_watchdog_with_a_monitor(clean: Dom0) -> None:
    clean.ok(["rm", "-rf", DUMPS])
    try:
        before = stopped(clean, "crashed", "crash", on_crash="coredump-restart")
        stopped(clean, "bitten", "watchdog", on_watchdog="destroy")
        clean.log("/var/log/xen/xenvm-bitten.log", "reason 4: destroy")
        clean.log("/var/log/xen/xenvm-crashed.log", "crashed is domain")
        said = clean.ok(["cat", "/var/log/xen/xenvm-crashed.log"])
        assert "reason 3: coredump-restart" in said and "the core is in" in said
        assert len(clean.ok(["ls", DUMPS]).split()) == 1
        clean.gone("bitten")
        after = clean.domains()["crashed"]
        assert after["uuid"] == before["uuid"] and after["domid"] != before["domid"]
        clean.xenvm("destroy", "crashed")
    finally:
        clean.ok(["rm", "-rf", DUMPS])


def test_crash_and_watchdog_with_a_supervisor(clean: Dom0, supervisor: Supervisor) -> None:
    """The second death comes while there is no supervisor: the next one acts on it, and once."""
    supervisor.start()
    before = stopped(clean, "aside", "crash", on_crash="rename-restart", on_watchdog="destroy")
    clean.xenvm("create", "-p", clean.config("alone", memory=64, on_watchdog="preserve"))
    supervisor.says("aside is domain")
    ((old, dead),) = ((name, domain) for name, domain in clean.domains().items() if name.startswith("aside-"))
    assert dead["domid"] == before["domid"] and dead["shutdown_reason"] == "crash"
    supervisor.kill()
    clean.xenvm("trigger", "alone", "watchdog")
    supervisor.start()
    supervisor.says("reason 4: preserve")
    clean.xenvm("trigger", "aside", "watchdog")
    supervisor.says("reason 4: destroy")
    clean.gone("aside")
    assert clean.domains()["alone"]["shutdown_reason"] == "watchdog"
    assert clean.ok(["grep", "-c", "has shut down", LOG]).strip() == "2", "nobody acts on one death twice"
    for name in (old, "alone"):
        clean.xenvm("destroy", name)


def test_suspend_and_resume(clean: Dom0) -> None:
    """The guest sleeps, and goes on with its disk and its console; what follows its end is not forgotten."""
    config = clean.config(
        "sleepy", disk=[f"{clean.disk('sleepy')},raw,xvda,rw"], cmdline="console=hvc0 xenvm.disk=xvda"
    )
    clean.xenvm("create", config)
    clean.console("sleepy", "xenvm-guest: ready")
    clean.xenvm("suspend", "sleepy")
    asleep = clean.domains()["sleepy"]
    assert asleep["shutdown_reason"] == "suspend"
    clean.xenvm("resume", "sleepy")
    assert clean.domains()["sleepy"]["domid"] == asleep["domid"]
    assert "\nawake-again" in clean.talk("xenvm", "sleepy", "awake-again")
    clean.xenvm("shutdown", "-w", "-w", "sleepy")
    clean.gone("sleepy")
