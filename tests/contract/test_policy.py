"""What every hypervisor answers about scheduling, cache colors, labels and claims; errors are Xen's numbers."""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOMEM, ENOSYS, EOPNOTSUPP, ESRCH

import pytest

from tests.contract.conftest import MIB, RAM, Guests
from tests.contract.test_domains import NOBODY, refused
from xenvm.host.hyper import Hypervisor, Scheduling
from xenvm.types import KiB


def test_a_pool_has_the_hosts_scheduler(hyper: Hypervisor) -> None:
    assert hyper.pool_scheduler(0) == hyper.scheduler()
    refused(ENOENT, hyper.pool_scheduler, 0x1234)


def test_weight_and_cap(hyper: Hypervisor, guests: Guests) -> None:
    if hyper.scheduler() not in ("credit", "credit2"):
        pytest.skip("another scheduler")
    domid = guests.prepare(max_vcpus=2)
    assert hyper.scheduling(domid) == Scheduling(weight=256, cap=0)
    hyper.set_scheduling(domid, Scheduling(weight=512))
    hyper.set_scheduling(domid, Scheduling(cap=50))
    assert hyper.scheduling(domid) == Scheduling(weight=512, cap=50)
    hyper.set_scheduling(domid, Scheduling(weight=0))
    assert hyper.scheduling(domid).weight == 512, "0: as it is"
    for wrong in (Scheduling(weight=1 << 16), Scheduling(cap=-1), Scheduling(period=10000), Scheduling(extratime=True)):
        refused(EINVAL, hyper.set_scheduling, domid, wrong)
    assert hyper.scheduling(domid) == Scheduling(weight=512, cap=50)


def test_nobody_to_schedule(hyper: Hypervisor) -> None:
    refused(ESRCH, hyper.scheduling, NOBODY)
    refused(ESRCH, hyper.set_scheduling, NOBODY, Scheduling(weight=1))


def test_no_colors_without_coloring(hyper: Hypervisor, guests: Guests) -> None:
    if hyper.version.release < (4, 20):
        pytest.skip("the operation came with Xen 4.20")
    refused(EOPNOTSUPP, hyper.set_llc_colors, guests.create(), (0, 1))


def test_no_labels_without_flask(hyper: Hypervisor, guests: Guests) -> None:
    refused(ENOSYS, hyper.security_id, "system_u:system_r:domU_t")
    refused(ENOSYS, hyper.relabel, guests.create(), 1)


def test_a_claim_sets_memory_aside(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.prepare(mib=8)
    hyper.claim(domid, 8 * MIB)
    info = hyper.domain(domid)
    assert info is not None and info.outstanding_pages == 8 * MIB
    refused(EINVAL, hyper.claim, domid, 8 * MIB)  # one at a time
    assert hyper.populate(domid, RAM, 9, 2) == 2
    info = hyper.domain(domid)
    assert info is not None and info.outstanding_pages == 4 * MIB
    hyper.claim(domid, 0)
    info = hyper.domain(domid)
    assert info is not None and info.outstanding_pages == 0
    hyper.claim(domid, 0)


def test_what_a_claim_cannot_be(hyper: Hypervisor, guests: Guests) -> None:
    domid = guests.build(mib=8)
    refused(EINVAL, hyper.claim, domid, 8 * MIB)  # it has them
    refused(EINVAL, hyper.claim, domid, 9 * MIB)  # more than it may have
    refused(EINVAL, hyper.claim, NOBODY, 1)
    everything = hyper.physinfo().free_kib + 1024 * 1024
    hyper.set_max_mem(domid, KiB(everything + 8192))
    refused(ENOMEM, hyper.claim, domid, everything // 4)


@pytest.mark.parametrize(
    "fields",
    [{"sve_bits": 2048 * 8}, {"tee": "ffa"}, {"sci": "scmi_smc"}, {"vpmu": True}],
    ids=lambda given: next(iter(given)),
)
def test_what_a_host_without_it_refuses(hyper: Hypervisor, guests: Guests, fields: dict[str, object]) -> None:
    since = {"sci": (4, 21), "sve_bits": (4, 18)}.get(next(iter(fields)), (0, 0))
    if hyper.version.release < since or ("vpmu" in fields and hyper.physinfo().vpmu):
        pytest.skip("this Xen does not know the field, or has what it asks for")
    refused(EINVAL, lambda: guests.create(**fields))
