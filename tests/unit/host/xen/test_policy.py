from __future__ import annotations

from errno import EINVAL, ENOENT, ENOSYS
from struct import pack, unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.hyper import Scheduling
from xenvm.host.xen.calls import DOMCTL, MEMORY_OP, SYSCTL, XSM_OP
from xenvm.host.xen.hypervisor import XenHypervisor
from xenvm.types import Domid

from .conftest import info_bytes
from .fake import FakeCalls, answer

CREDIT2, RTDS, NULL = 6, 8, 9
GUEST = Domid(5)


def has_scheduler(fake: FakeCalls, number: int, pool: int = 10) -> None:
    """The guest's pool (10, as `info_bytes` says) and its scheduler."""
    fake.answers[DOMCTL, 5] = answer(info_bytes(GUEST), 0x10)
    fake.answers[SYSCTL, 18] = answer(pack("<II", pool, number), 0x0C)


def test_weight_and_cap_are_read(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, CREDIT2)
    fake.answers[DOMCTL, 16] = answer(pack("<HH", 256, 50), 0x18)
    assert hyper.scheduling(GUEST) == Scheduling(weight=256, cap=50)
    (message,) = fake.messages(DOMCTL, 16)
    assert unpack_from("<H6xII", message, 8) == (GUEST, CREDIT2, 1)


def test_only_what_is_wanted_changes(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, CREDIT2)
    fake.answers[DOMCTL, 16] = answer(pack("<HH", 256, 50), 0x18)
    hyper.set_scheduling(GUEST, Scheduling(weight=1000))
    _, put = fake.messages(DOMCTL, 16)
    assert unpack_from("<IIHH", put, 0x10) == (CREDIT2, 0, 1000, 50)


def test_rtds(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, RTDS)
    fake.answers[DOMCTL, 16] = answer(pack("<III", 10000, 4000, 1), 0x18)
    assert hyper.scheduling(GUEST) == Scheduling(period=10000, budget=4000, extratime=True)
    hyper.set_scheduling(GUEST, Scheduling(period=20000, extratime=False))
    assert unpack_from("<IIIII", fake.messages(DOMCTL, 16)[-1], 0x10) == (RTDS, 0, 20000, 4000, 0)


@pytest.mark.parametrize("wanted", [Scheduling(period=1), Scheduling(weight=65536), Scheduling(cap=-1)])
def test_what_the_scheduler_does_not_have_is_not_sent(
    hyper: XenHypervisor, fake: FakeCalls, wanted: Scheduling
) -> None:
    has_scheduler(fake, CREDIT2)
    with pytest.raises(HypercallError) as caught:
        hyper.set_scheduling(GUEST, wanted)
    assert caught.value.errno == EINVAL and len(fake.messages(DOMCTL, 16)) == 1


def test_a_scheduler_without_parameters(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, NULL)
    assert hyper.scheduling(GUEST) == Scheduling()
    with pytest.raises(HypercallError):
        hyper.set_scheduling(GUEST, Scheduling(weight=1))


def test_the_next_pool_is_not_this_one(hyper: XenHypervisor, fake: FakeCalls) -> None:
    has_scheduler(fake, CREDIT2, pool=3)
    assert hyper.pool_scheduler(3) == "credit2"
    with pytest.raises(HypercallError) as caught:
        hyper.pool_scheduler(2)
    assert caught.value.errno == ENOENT


def test_colors(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.set_llc_colors(GUEST, (1, 2, 7))
    (message,) = fake.messages(DOMCTL, 89)
    count, pad, address = unpack_from("<IIQ", message, 0x10)
    assert (count, pad, unpack_from("<3I", fake.read(address, 12))) == (3, 0, (1, 2, 7))
    with pytest.raises(HypercallError):
        hyper.set_llc_colors(GUEST, tuple(range(10000)))


def test_labels(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[XSM_OP, 4] = answer(pack("<I", 33), 8)
    assert hyper.security_id("system_u:system_r:domU_t") == 33
    (message,) = fake.messages(XSM_OP, 4)
    version, _, size, address = unpack_from("<IIIQ", message, 4)
    assert (version, fake.read(address, size)) == (1, b"system_u:system_r:domU_t\0")
    hyper.relabel(GUEST, 33)
    assert unpack_from("<IIII", fake.messages(XSM_OP, 24)[0]) == (24, 1, GUEST, 33)


def test_no_flask(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[XSM_OP, 4] = -ENOSYS
    with pytest.raises(HypercallError, match="not built into this Xen"):
        hyper.security_id("x")
    with pytest.raises(HypercallError, match="too long"):
        hyper.security_id("x" * 5000)


def test_claim(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.claim(GUEST, 65540)
    (message,) = fake.messages(MEMORY_OP, 24)
    assert unpack_from("<QQIIH", message) == (0, 65540, 0, 0, GUEST)
