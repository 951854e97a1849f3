"""Every operation, for a domain that is not there, and for one that is dead and held by a mapping."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.conftest import MIB, RAM, Guests
from tests.contract.refusals import outcome
from xenvm.host.hyper import PARAM_STORE_PFN, Hypervisor, VcpuContext
from xenvm.types import DOM0, Domid, Gfn, KiB

NOBODY = Domid(0x7000)
ENTRY = VcpuContext(64, 0x40080000, 0x48000000)

Operation = Callable[[Hypervisor, Domid], object]
OPERATIONS: dict[str, Operation] = {
    "destroy": lambda hyper, domid: hyper.destroy(domid),
    "pause": lambda hyper, domid: hyper.pause(domid),
    "unpause": lambda hyper, domid: hyper.unpause(domid),
    "shutdown": lambda hyper, domid: hyper.shutdown(domid, 0),
    "resume": lambda hyper, domid: hyper.resume(domid),
    "vcpus": lambda hyper, domid: hyper.vcpus(domid),
    "set_max_vcpus": lambda hyper, domid: hyper.set_max_vcpus(domid, 1),
    "set_max_mem": lambda hyper, domid: hyper.set_max_mem(domid, KiB(1024)),
    "set_paging_pool": lambda hyper, domid: hyper.set_paging_pool(domid, 1 << 20),
    "set_affinity": lambda hyper, domid: hyper.set_affinity(domid, 0, frozenset({0}), None),
    "map_foreign": lambda hyper, domid: hyper.map_foreign(domid, RAM, 1),
    "fill": lambda hyper, domid: hyper.fill(domid, RAM, 4096, lambda view: None),
    "cache_flush": lambda hyper, domid: hyper.cache_flush(domid, RAM, 1),
    "alloc_unbound": lambda hyper, domid: hyper.alloc_unbound(domid, DOM0),
    "set_params": lambda hyper, domid: hyper.set_params(domid, {PARAM_STORE_PFN: 1}),
    "get_param": lambda hyper, domid: hyper.get_param(domid, PARAM_STORE_PFN),
    "seed_grants": lambda hyper, domid: hyper.seed_grants(domid, {0: (DOM0, RAM)}),
    "init_vuart": lambda hyper, domid: hyper.init_vuart(domid, RAM, DOM0),
    "set_entry": lambda hyper, domid: hyper.set_entry(domid, ENTRY),
    "allow_iomem": lambda hyper, domid: hyper.allow_iomem(domid, 0x9000, 1),
    "map_iomem": lambda hyper, domid: hyper.map_iomem(domid, Gfn(0x1000), 0x9000, 1),
    "bind_irq": lambda hyper, domid: hyper.bind_irq(domid, 40),
    "assign_dt_device": lambda hyper, domid: hyper.assign_dt_device(domid, "/nothing"),
}
DEAD = {
    **dict.fromkeys(OPERATIONS, "done"),
    **dict.fromkeys(("map_foreign", "fill", "alloc_unbound", "seed_grants", "init_vuart"), "EINVAL"),
    **dict.fromkeys(("allow_iomem", "map_iomem", "bind_irq"), "EPERM"),
    "assign_dt_device": "ENOTSUP",
}
"""What becomes of a domain that has been destroyed, while somebody maps a page of it."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_nobody_there(hyper: Hypervisor, guests: Guests, name: str) -> None:
    assert outcome(OPERATIONS[name], hyper, NOBODY) == "ESRCH"


def test_memory_for_nobody(hyper: Hypervisor) -> None:
    assert hyper.populate(NOBODY, RAM, 0, 1) == 0
    assert hyper.domain(NOBODY) is None


def test_the_width_of_nobody(hyper: Hypervisor) -> None:
    """It is refused by the order: this toolstack has made no vCPUs for it."""
    assert outcome(hyper.set_address_size, NOBODY, 64) == "EINVAL"


def test_a_domain_that_is_dead(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build()
    with hyper.map_foreign(domid, RAM, 1):
        hyper.destroy(domid)
        assert {name: outcome(call, hyper, domid) for name, call in OPERATIONS.items()} == DEAD
        assert hyper.populate(domid, Gfn(RAM + 8 * MIB), 0, 1) == 0
        info = hyper.domain(domid)
        assert info is not None and info.dying and info.tot_pages == 1
    assert hyper.domain(domid) is None
