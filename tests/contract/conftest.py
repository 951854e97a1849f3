"""The hypervisors that must all behave alike: the simulated one as several releases of Xen, and the real one in dom0.

XENVM_CONTRACT=xen, in a dom0, runs the same tests on the Xen of that host, as root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import ESRCH

import pytest

from xenvm.errors import HypercallError
from xenvm.guest.blueprint import random_uuid
from xenvm.host.hyper import CreateRequest, Hypervisor
from xenvm.host.sim.hypervisor import SimHypervisor
from xenvm.host.sim.machine import DEFAULT, RELEASES
from xenvm.types import Domid, Gfn, KiB

REAL = os.environ.get("XENVM_CONTRACT") == "xen"
HOSTS = ["xen"] if REAL else [f"{major}.{minor}" for major, minor in RELEASES] + ["gicv2"]
MIB = 256  # pages
RAM = Gfn(0x40000)


def _open(name: str) -> Hypervisor:
    if name == "xen":
        from xenvm.host.xen.hypervisor import XenHypervisor

        return XenHypervisor.open()
    if name == "gicv2":
        return SimHypervisor(DEFAULT.replace(gic=2))
    major, minor = name.split(".")
    return SimHypervisor(DEFAULT.replace(xen=(int(major), int(minor))))


class Guests:
    """Makes domains, and ends those that a test leaves."""

    def __init__(self, hyper: Hypervisor) -> None:
        self.hyper, self.made = hyper, list[Domid]()

    def create(self, **fields: object) -> Domid:
        """A domain as createdomain makes it."""
        request = CreateRequest(**{"uuid": random_uuid(), "max_vcpus": 1, **fields})  # type: ignore[arg-type]
        self.made.append(self.hyper.create(request).domid)
        return self.made[-1]

    def prepare(self, mib: int = 8, **fields: object) -> Domid:
        """One with vCPUs and limits, and no memory yet."""
        domid = self.create(**fields)
        self.hyper.set_max_vcpus(domid, int(str(fields.get("max_vcpus", 1))))
        self.hyper.set_address_size(domid, 64)
        self.hyper.set_max_mem(domid, KiB(mib * 1024 + 64))
        self.hyper.set_paging_pool(domid, 1 << 20)
        return domid

    def build(self, mib: int = 8, **fields: object) -> Domid:
        """One with memory."""
        domid = self.prepare(mib, **fields)
        assert self.hyper.populate(domid, RAM, 9, mib // 2) == mib // 2
        return domid

    def end(self) -> None:
        """Destroys all that are left."""
        for domid in self.made:
            try:
                self.hyper.destroy(domid)
            except HypercallError as error:
                assert error.errno == ESRCH


@pytest.fixture(params=HOSTS)
def hyper(request: pytest.FixtureRequest) -> Iterator[Hypervisor]:
    """A hypervisor that has all its memory and domains back after the test."""
    hyper = _open(request.param)
    before = hyper.domains(), hyper.physinfo().free_kib
    guests = Guests(hyper)
    request.node.guests = guests
    yield hyper
    guests.end()
    if not REAL:  # a real host's dom0 lives on, and Xen scrubs in its own time
        assert (hyper.domains(), hyper.physinfo().free_kib) == before
    hyper.close()


@pytest.fixture
def guests(request: pytest.FixtureRequest, hyper: Hypervisor) -> Guests:
    """Makes guests on it."""
    made: Guests = request.node.guests
    return made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a real host they belong to the lab."""
    for item in items:
        if REAL and "tests/contract" in item.path.as_posix():
            item.add_marker(pytest.mark.lab)
