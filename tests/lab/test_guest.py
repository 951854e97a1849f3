"""A guest that xenvm created, from its first boot message to its end; and xl beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Dom0

NAME = "slice"


@pytest.fixture(scope="module")
def guest(dom0: Dom0) -> Iterator[Dom0]:
    """A running guest with two vCPUs, a file disk and a vif; every test may look, the last one destroys it."""
    before = dom0.traces()
    disk = dom0.disk(NAME)
    config = dom0.config(
        NAME,
        vcpus=2,
        disk=[f"{disk},raw,xvda,rw"],
        vif=["bridge=xenbr0,mac=00:16:3e:11:22:33"],
        cmdline="console=hvc0 xenvm.disk=xvda guest.write=hello-from-the-guest"
        " guest.ip=10.0.0.2/24 guest.ping=10.0.0.1",
    )
    try:
        dom0.xenvm("create", config)
        dom0.console(NAME, "xenvm-guest: ready")
        yield dom0
        dom0.xenvm("destroy", NAME)
        assert dom0.settled(before) == before
    finally:
        dom0.destroy_all()


def test_it_boots_with_all_vcpus(guest: Dom0) -> None:
    assert "cpus=2" in guest.console(NAME, "xenvm-guest: up")
    listed = guest.domains()[NAME]
    assert listed["vcpus_online"] == 2
    assert listed["memory_kib"] >= 256 * 1024


def test_its_disk_is_the_file(guest: Dom0) -> None:
    guest.console(NAME, "xenvm-guest: wrote hello-from-the-guest")
    content = guest.ok(["head", "-c", "20", f"/srv/disks/{NAME}.img"])
    assert content == "hello-from-the-guest"


def test_guest_and_host_ping_each_other(guest: Dom0) -> None:
    guest.console(NAME, "xenvm-guest: ping 10.0.0.1 ok")
    guest.ok(["ping", "-c", "3", "-w", "60", "10.0.0.2"])


@pytest.mark.parametrize("tool", ["xenvm", "xl"])
def test_the_console_talks(guest: Dom0, tool: str) -> None:
    mark = f"answer-to-{tool}"
    assert f"\n{mark}" in guest.talk(tool, NAME, mark)


def test_xl_sees_it(guest: Dom0) -> None:
    assert NAME in guest.xl("list")
    assert guest.xl("domid", NAME) == guest.xenvm("domid", NAME)
    vcpus = guest.xl("vcpu-list", NAME).splitlines()
    assert len(vcpus) == 3
    blocks = guest.xl("block-list", NAME).splitlines()
    assert blocks[1].split()[0] == "51712" and blocks[1].split()[3] == "4"
    vifs = guest.xl("network-list", NAME).splitlines()
    assert "00:16:3e:11:22:33" in vifs[1] and vifs[1].split()[4] == "4"


def test_names(guest: Dom0) -> None:
    domid = guest.xenvm("domid", NAME).strip()
    assert guest.xenvm("domname", domid).strip() == NAME
    guest.xenvm("rename", NAME, "renamed")
    assert guest.xl("domname", domid).strip() == "renamed"
    guest.xl("rename", "renamed", NAME)
    assert guest.xenvm("domid", NAME).strip() == domid


def test_pause_and_unpause(guest: Dom0) -> None:
    guest.xenvm("pause", NAME)
    assert "paused" in guest.domains()[NAME]["state"]
    guest.xenvm("unpause", NAME)
    assert "paused" not in guest.domains()[NAME]["state"]


def test_info_is_that_of_xl(guest: Dom0) -> None:
    changing = ("free_memory", "hw_caps", "cpu_mhz", "version")
    ours = [line for line in guest.xenvm("info").splitlines() if not line.startswith(changing)]
    theirs = [line for line in guest.xl("info").splitlines() if not line.startswith(changing)]
    assert ours == theirs


def test_list_is_that_of_xl(guest: Dom0) -> None:
    ours, theirs = guest.xenvm("list"), guest.xl("list")
    assert [line[:58] for line in ours.splitlines()] == [line[:58] for line in theirs.splitlines()]


def test_a_name_in_use_is_refused(guest: Dom0) -> None:
    error = guest.fails("create", guest.config(NAME, memory=64), code=4)
    assert NAME in error and "exists" in error
