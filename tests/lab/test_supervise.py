"""What follows when guests go down by themselves: with a supervisor, without one, and with one that is killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0

LOG = "/root/supervise.log"
DUMPS = "/var/lib/xen/dump"

# One line for each look at the list that has no guest of this name, until the file goes.
_GAPS = """
touch /root/looking
n=0
while [ -e /root/looking ]; do
    xenvm list | grep -q "^$1 " || echo gap
    n=$((n+1))
done
echo "looks $n"
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
    clean.ok("kill -9 $(pgrep -f 'create -p /root/lost.cfg')")
    supervisor.start()
    disk = clean.disk("again")
    clean.xenvm("create", "-p", clean.config("again", cmdline="console=hvc0 guest.reboot"))
    clean.xenvm("block-attach", "again", f"{disk},raw,xvdb,rw")
    before = clean.domains()["again"]
    gaps = clean.lab.start(["bash", "-c", _GAPS, "gaps", "again"])
    for name in ("own", "lost", "again"):
        clean.xenvm("unpause", name)
    supervisor.says("again is domain")
    clean.gone("own")
    clean.gone("lost")
    clean.log("/var/log/xen/xenvm-own.log", "reason 0: destroy")
    said = clean.ok(["cat", LOG])
    assert f"reason 0: destroy" in said and said.count("reason 0") == 1, "only of the one that nobody else watched"
    supervisor.kill()
    after = clean.domains()["again"]
    assert after["uuid"] == before["uuid"] and after["domid"] != before["domid"]
    # With nobody there, it stays down; the next supervisor finds it so.
    clean.log("/var/log/xen/console/guest-again.log", "reboot: Restarting system")
    supervisor.start()
    supervisor.says("again is domain")
    clean.ok("rm /root/looking")
    assert "51728" in clean.xenvm("block-list", "again")
    clean.xenvm("destroy", "again")
