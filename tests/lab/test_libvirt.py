"""libvirt's own driver for Xen in dom0: xenvm's commands through it, and guests that both see."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0

URI = "xen:///system"
START, STOP = "libvirtd -d -p /run/libvirtd.pid", "kill $(cat /run/libvirtd.pid)"


@pytest.fixture
def virt(clean: Dom0) -> Iterator[Dom0]:
    clean.ok(START)
    clean.ok(["virsh", "-c", URI, "version"], timeout=180)
    yield clean
    clean.ok(STOP)


def ours(dom0: Dom0, *words: str) -> str:
    return dom0.xenvm("--host", f"libvirt:{URI}", *words)


def test_a_guest_of_libvirt_is_everybodys(virt: Dom0) -> None:
    config = virt.config("shared", memory=128, vif=["bridge=xenbr0,mac=00:16:3e:7a:00:01"])
    ours(virt, "create", config)
    virt.console("shared", "xenvm-guest: ready")
    assert virt.ok(["virsh", "-c", URI, "domstate", "shared"]).strip() == "running"
    found = {one["name"]: one for one in json.loads(ours(virt, "list", "--json"))["domains"]}
    assert found["shared"]["uuid"] == virt.domains()["shared"]["uuid"]
    domid = virt.domains()["shared"]["domid"]
    tty = virt.ok(["xenstore-read", f"/local/domain/{domid}/console/tty"])
    assert ours(virt, "console", "--tty", "shared") == tty
    virt.ok(["virsh", "-c", URI, "shutdown", "shared"])
    virt.gone("shared")


def test_libvirt_knows_only_its_own(virt: Dom0) -> None:
    """Its driver never looks at domains that it has not started; said in docs/libvirt.md."""
    virt.xenvm("create", "-p", virt.config("alone", memory=64))
    assert "alone" not in virt.ok(["virsh", "-c", URI, "list", "--all"])
    assert virt.xl("domid", "alone").strip().isdigit()
    virt.xenvm("destroy", "alone")
