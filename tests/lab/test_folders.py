"""Shared folders (9pfs): a real guest mounts those that our own server has; Xen's daemon is started for the others.

Of those only as far as both ends go: no Linux can mount the folder of a daemon of Xen 4.20, see docs/folders.md.
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


OURS = "/srv/ours"
MOUNT = "mkdir -p /a /b; mount -t 9p -o {0} share /a; mount -t 9p -o {0} more /b; cd /a; exec 3>>log".format(
    "trans=xen,version=9p2000.L"
)
WORK = (
    "mkdir d; mv hello d/g; ln -s g d/l; chmod 640 d/g; seq 9 >d/n; rm d/n; dd if=/dev/zero of=/b/big bs=60000 count=5"
)
SAY = "; ".join(
    (
        *("out=$(cat out 2>/dev/null || echo kept)", "fifo=$(mkfifo p 2>/dev/null || echo none)"),
        'echo "did-$(cat d/l)-$out-$(ls | wc -l)-$(wc -c </b/big)-$fifo"',
    )
)


def test_a_guest_mounts_folders(clean: Dom0) -> None:
    clean.ok(
        f"rm -rf {OURS} && mkdir -p {OURS}/one {OURS}/two && cd {OURS} && echo secret >secret && echo hello >one/hello"
    )
    clean.ok(["ln", "-s", f"{OURS}/secret", f"{OURS}/one/out"])
    p9 = [f"tag={tag},path={OURS}/{name},security_model=none" for tag, name in (("share", "one"), ("more", "two"))]
    config = clean.config("folder", cmdline="console=hvc0 guest.load=9p", p9=p9)
    clean.xenvm("create", config)
    clean.console("folder", "xenvm-guest: ready")
    assert ask(clean, f"{MOUNT}; {WORK}; {SAY}", "^did-", name="folder") == "did-hello-kept-3-300000-none"
    listed = clean.ok(["find", OURS, "-printf", "%P %y %m %s\\n"]).splitlines()
    expected = {"one/d/g f 640 6", "one/d/l l 777 1", "one/log f 644 0", "two/big f 644 300000", "secret f 644 7"}
    assert expected <= set(listed) and len(listed) == 10, listed
    pid = clean.ok(["pgrep", "-f", "ops.serving import"]).split()[0]
    assert OURS in clean.ok(f"readlink /proc/{pid}/fd/*")
    ask(clean, "cd /; umount /b && echo gone", "^gone", name="folder")
    clean.xenvm("device-detach", "folder", "9pfs", "1")
    assert ask(clean, "echo more >&3; cat /a/log", "^more", name="folder") == "more"
    # It dies with the other folder mounted, and a file of it open.
    clean.xenvm("destroy", "folder")
    clean.ok(f"while readlink /proc/{pid}/fd/* | grep {OURS}; do sleep 0.2; done", timeout=60)
    assert clean.ok(["cat", f"{OURS}/one/log"]) == "more\n"
    clean.ok(["rm", "-r", OURS])


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
