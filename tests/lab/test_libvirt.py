"""libvirt's own driver for Xen in dom0: xenvm's commands through it, and guests that both see."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0

URI = "xen:///system"
START = "mkdir -p /var/log/libvirt; libvirtd -d -p /run/libvirtd.pid"
STOP = "kill $(cat /run/libvirtd.pid)"


@pytest.fixture
def virt(clean: Dom0) -> Iterator[Dom0]:
    clean.ok(START)
    clean.ok(["virsh", "-c", URI, "version"], timeout=180)
    yield clean
    clean.ok(STOP)


def ours(dom0: Dom0, *words: str) -> str:
    # With Debian's site, which has libvirt-python; the lab's own xenvm starts without.
    return dom0.ok(["python3", "-m", "xenvm", "--host", f"libvirt:{URI}", *words])


def test_a_guest_of_libvirt_is_everybodys(virt: Dom0) -> None:
    """And one that libvirt has not started is not its: its driver never looks at those, as docs/libvirt.md says."""
    virt.xenvm("create", "-p", virt.config("alone", memory=64))
    config = virt.config("shared", memory=128, vif=["bridge=xenbr0,mac=00:16:3e:7a:00:01"])
    ours(virt, "create", config)
    virt.console("shared", "xenvm-guest: ready")
    assert virt.ok(["virsh", "-c", URI, "domstate", "shared"]).strip() == "running"
    found = {one["name"]: one for one in json.loads(ours(virt, "list", "--json"))["domains"]}
    assert found["shared"]["uuid"] == virt.domains()["shared"]["uuid"]
    domid = virt.domains()["shared"]["domid"]
    tty = virt.ok(["xenstore-read", f"/local/domain/{domid}/console/tty"])
    assert ours(virt, "console", "--tty", "shared") == tty
    assert "alone" not in virt.ok(["virsh", "-c", URI, "list", "--all"])
    virt.xenvm("destroy", "alone")
    virt.ok(["virsh", "-c", URI, "shutdown", "shared"])
    virt.gone("shared")
