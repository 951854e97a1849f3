"""Shared folders (9pfs): Xen's own daemon serves them to a real guest; Xen before 4.19 has none, which is said.

As far as both ends go: no Linux can mount the folder of a daemon of Xen 4.20, see docs/hotplug.md.
"""

from __future__ import annotations

import re

import pytest

from tests.lab.dom0 import Dom0
from tests.lab.test_hotplug import ask

FOLDER = "/srv/shared"
HOME = "/local/domain/0/libxl/xen-9pfs"
VALUES = {"path": FOLDER, "security_model": "none", "max-files": "8"}
CONNECTED = "until grep -q Connected /sys/bus/xen/devices/9pfs-{0}/state; do usleep 100000; done; echo up-$((40 + {0}))"


@pytest.fixture
def config(clean: Dom0) -> str:
    p9 = ",".join(f"{key}={value}" for key, value in VALUES.items())
    return clean.config("folder", cmdline="console=hvc0 guest.load=9p", p9=[f"type=xen_9pfsd,tag=share,{p9}"])


def end_daemon(dom0: Dom0) -> None:
    """It takes its nodes away, unless it is dead: 4.20's dies of a device that goes while it first sees it."""
    dom0.run("pkill -HUP -x xen-9pfsd; while pgrep -x xen-9pfsd; do sleep 0.2; done", timeout=60)
    dom0.run(["xenstore-rm", HOME])


def test_a_folder_reaches_the_guest(clean: Dom0, config: str) -> None:
    if clean.suite == "bookworm":
        error = clean.fails("create", config)
        assert "this host has no xen-9pfsd, which came with Xen 4.19 (this is 4.17)" in error
        return
    clean.xenvm("create", config)
    try:
        clean.console("folder", "xenvm-guest: ready")
        ask(clean, CONNECTED.format(0), "^up-40", name="folder")
        pid = clean.ok(["xenstore-read", f"{HOME}/pid"]).strip()
        assert clean.ok(["cat", f"/proc/{pid}/comm"]) == "xen-9pfsd\n"
        domid = clean.xenvm("domid", "folder").strip()
        shown = clean.store(f"/local/domain/0/backend/xen_9pfs/{domid}/0")
        assert re.search(rf'/max-files = "8" +\(n0,r{domid}\)', shown) and re.search(r'/state = "4"', shown)
        # A second one for a guest that runs, by the same daemon.
        values = [f"{key}={value}" for key, value in VALUES.items()]
        clean.xenvm("device-attach", "folder", "9pfs", "backend-kind=xen_9pfs", "tag=more", *values)
        ask(clean, CONNECTED.format(1), "^up-41", name="folder")
        clean.xenvm("device-detach", "folder", "9pfs", "1")
        assert clean.ok(["pgrep", "-x", "xen-9pfsd"]).split() == [pid]
        # The folder was made by the daemon. One that was killed is missed by the next guest, and started again.
        clean.ok(["test", "-d", FOLDER])
        clean.xenvm("destroy", "folder")
        clean.ok(f"kill -KILL {pid}; while pgrep -x xen-9pfsd; do sleep 0.2; done")
        clean.xenvm("create", "-p", config)
        assert (
            clean.ok(["xenstore-read", f"{HOME}/pid"]).split()
            == clean.ok(["pgrep", "-x", "xen-9pfsd"]).split()
            != [pid]
        )
        clean.xenvm("destroy", "folder")
    finally:
        end_daemon(clean)
