"""A libvirt connection: libvirt's own test driver, in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from xenvm.errors import DomainError, DomainExists, HostError, NoSuchDomain
from xenvm.interop.libvirt import Events, LibvirtHost
from xenvm.interop.to_xml import to_xml

pytest.importorskip("libvirt")
XML = to_xml('name = "g"\nkernel = "/k"\nmemory = 64\nvcpus = 2\n', "g.cfg")[0].text


@pytest.fixture
def host() -> Iterator[LibvirtHost]:
    with LibvirtHost("test:///default") as host:
        for name, _ in host.domains():
            if name != "test":
                host.destroy(name)
        yield host
        if host.find("test")[1].shutdown:
            host.start("test")


def test_a_guest_comes_and_goes(host: LibvirtHost) -> None:
    domid = host.create(XML)
    name, info = host.find(str(domid))
    assert (name, info.domid, info.nr_online_vcpus, info.tot_pages * 4) == ("g", domid, 2, 64 * 1024)
    assert info.running and not info.paused and not info.shutdown
    assert [name for name, _ in host.domains()] == ["test", "g"]
    host.destroy("g")
    with pytest.raises(NoSuchDomain, match=r"^g is an invalid domain identifier"):
        host.find("g")


def test_paused(host: LibvirtHost) -> None:
    host.create(XML)
    host.pause("g")
    assert host.find("g")[1].paused
    host.unpause("g")
    assert not host.find("g")[1].paused
    host.destroy("g")


def test_events(host: LibvirtHost) -> None:
    with Events(host) as events:
        host.create(XML)
        host.pause("g")
        host.destroy("g")
        told = iter(events)
        found = [next(told).what for _ in range(3)]
    assert found == ["started", "suspended", "stopped"]


def test_shutdown_and_reboot(host: LibvirtHost) -> None:
    host.reboot("test")
    assert host.find("test")[1].running
    host.shutdown("test")
    host.wait_down(["test"])
    found = host.find("test")[1]
    assert (found.domid, found.shutdown, found.shutdown_code) == (-1, True, 0)


def test_errors(host: LibvirtHost) -> None:
    with pytest.raises(NoSuchDomain):
        host.destroy("nobody")
    with pytest.raises(DomainError, match="has no console"):
        host.console("test")
    host.create(XML)
    with pytest.raises((DomainExists, DomainError), match="libvirt: "):
        host.create(XML)
    with pytest.raises(HostError, match=r"libvirt: .*not paused"):
        host.unpause("g")
    host.destroy("g")
    with pytest.raises(HostError, match="libvirt: "):
        host.create("<domain/>")


def test_a_uri_that_is_none() -> None:
    with pytest.raises(HostError, match="libvirt: "):
        LibvirtHost("nothing:///")


def test_without_libvirt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    with pytest.raises(HostError, match=r"xenvm\[libvirt\]"):
        LibvirtHost("test:///default")


def test_facts(host: LibvirtHost) -> None:
    facts = host.facts()
    assert facts["libvirt_driver"] == "TEST" and facts["total_memory"].isdigit()
