from __future__ import annotations

from errno import EADDRNOTAVAIL, EAGAIN, EBUSY, EINVAL, ENOENT
from struct import pack, unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.hyper import Scheduling
from xenvm.host.pools import Node, SchedulerParameters
from xenvm.host.xen.buffers import DATA
from xenvm.host.xen.calls import DOMCTL, SYSCTL
from xenvm.host.xen.hypervisor import XenHypervisor
from xenvm.types import Domid

from .fake import FakeCalls, answer, in_turn
from .test_policy import CREDIT2, GUEST, RTDS, has_scheduler

CREDIT = 5
POOL_OP, SCHEDULER_OP = (SYSCTL, 18), (SYSCTL, 19)


def test_pools_are_made_and_ended(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[POOL_OP] = answer(pack("<I", 4), 0x0C)
    assert hyper.pools.create_pool("credit") == 4
    hyper.pools.destroy_pool(4)
    hyper.pools.add_cpu(4, 1)
    hyper.pools.remove_cpu(4, 1)
    hyper.pools.move(GUEST, 4)
    assert [unpack_from("<5I", message, 8) for message in fake.messages(*POOL_OP)] == [
        (1, 0xFFFFFFFF, CREDIT, 0, 0),
        (2, 4, 0, 0, 0),
        (4, 4, 0, 0, 1),
        (5, 4, 0, 0, 1),
        (6, 4, 0, GUEST, 0),
    ]


def test_a_scheduler_that_nobody_knows(hyper: XenHypervisor, fake: FakeCalls) -> None:
    with pytest.raises(HypercallError) as caught:
        hyper.pools.create_pool("fifo")
    assert caught.value.errno == ENOENT and not fake.messages(*POOL_OP)


@pytest.mark.parametrize(("errno", "calls"), [(EBUSY, 10), (EADDRNOTAVAIL, 1)])
def test_a_cpu_is_asked_for_again_while_it_is_busy(
    hyper: XenHypervisor, fake: FakeCalls, errno: int, calls: int
) -> None:
    fake.answers[POOL_OP] = -errno
    with pytest.raises(HypercallError):
        hyper.pools.remove_cpu(0, 1)
    assert len(fake.messages(*POOL_OP)) == calls
    fake.answers[POOL_OP] = in_turn(-EBUSY, -EAGAIN, 0)
    hyper.pools.remove_cpu(0, 1)


def test_parameters(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, CREDIT)
    fake.answers[SCHEDULER_OP] = answer(pack("<3I", 30, 1000, 7), 0x18)
    assert hyper.pools.parameters(10) == SchedulerParameters(tslice=30, ratelimit=1000, migration_delay=7)
    hyper.pools.set_parameters(10, SchedulerParameters(ratelimit=500))
    *_, put = fake.messages(*SCHEDULER_OP)
    assert unpack_from("<7I", put, 8) == (10, CREDIT, 0, 0, 30, 500, 7)


def test_credit2_has_one_parameter(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, CREDIT2)
    fake.answers[SCHEDULER_OP] = answer(pack("<I", 1000), 0x18)
    assert hyper.pools.parameters(10) == SchedulerParameters(ratelimit=1000)
    for wrong in (SchedulerParameters(tslice=1), SchedulerParameters(ratelimit=-1)):
        with pytest.raises(HypercallError) as caught:
            hyper.pools.set_parameters(10, wrong)
        assert caught.value.errno == EINVAL


def test_rtds_has_none_for_all(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, RTDS)
    assert hyper.pools.parameters(10) == SchedulerParameters()
    assert not fake.messages(*SCHEDULER_OP)


def test_single_vcpus(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, RTDS)
    sent = []

    def play(memory: memoryview, at: int, _last: int) -> int:
        address, count, pad = unpack_from("<QII", memory, at + 0x18)
        sent.append((unpack_from("<II", memory, at + 0x10), count, pad, unpack_from("<4I", fake.read(address, 16))))
        memory[at + DATA : at + DATA + 12] = pack("<3I", 20000, 8000, 1)
        return 0

    fake.answers[DOMCTL, 16] = play
    assert hyper.pools.vcpu_scheduling(GUEST, 3) == Scheduling(period=20000, budget=8000, extratime=True)
    hyper.pools.set_vcpu_scheduling(GUEST, 1, Scheduling(period=10000, budget=4000, extratime=False))
    assert sent == [((RTDS, 3), 1, 0, (0, 0, 0, 3)), ((RTDS, 2), 1, 0, (10000, 4000, 0, 1))]
    for wrong in (Scheduling(period=1 << 32, budget=1), Scheduling(budget=1)):
        with pytest.raises(HypercallError):
            hyper.pools.set_vcpu_scheduling(GUEST, 0, wrong)


def test_other_schedulers_know_no_single_vcpus(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, CREDIT2)
    with pytest.raises(HypercallError, match="only rtds"):
        hyper.pools.vcpu_scheduling(Domid(GUEST), 0)


def test_topology_and_nodes(hyper: XenHypervisor, fake: FakeCalls) -> None:
    def cpus(memory: memoryview, at: int, _last: int) -> int:
        assert unpack_from("<IIQ", memory, at + 8) == (2048, 0, fake.BASE + DATA)
        memory[at + 8 : at + 12] = pack("<I", 2)
        memory[at + DATA : at + DATA + 24] = pack("<6I", 0, 0, 0, 1, 0, 0)
        return 0

    def numa(memory: memoryview, at: int, _last: int) -> int:
        _, _, sizes, distances = unpack_from("<IIQQ", memory, at + 8)
        assert (sizes, distances) == (fake.BASE + DATA, fake.BASE + DATA + 1024)
        memory[at + 8 : at + 12] = pack("<I", 1)
        memory[at + DATA : at + DATA + 16] = pack("<QQ", 1 << 32, 1 << 30)
        memory[at + DATA + 1024 : at + DATA + 1028] = pack("<I", 20)
        return 0

    fake.answers[SYSCTL, 16], fake.answers[SYSCTL, 17] = cpus, numa
    assert hyper.pools.topology() == [(0, 0, 0), (1, 0, 0)]
    assert hyper.pools.nodes() == [Node(1 << 32, 1 << 30, (20,))]
