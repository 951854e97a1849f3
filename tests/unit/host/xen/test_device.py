from __future__ import annotations

from errno import EBUSY, EINVAL, ENOBUFS, ENOSPC, ENOSYS
from struct import pack, pack_into, unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.xen.buffers import DATA
from xenvm.host.xen.calls import DOMCTL, EVENT_CHANNEL_OP, HVM_OP, MULTICALL
from xenvm.host.xen.hypervisor import XenHypervisor

from .fake import Answer, FakeCalls, answer


def test_alloc_unbound(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[EVENT_CHANNEL_OP, 6] = answer(pack("<I", 2), 4)
    assert hyper.alloc_unbound(5, 3) == 2
    fake.answers[EVENT_CHANNEL_OP, 6] = -ENOSPC
    with pytest.raises(HypercallError, match="no free event channel"):
        hyper.alloc_unbound(5, 3)
    assert fake.sent[1][2][:8] == pack("<HHI", 5, 3, 0)


def test_get_param(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[HVM_OP, 1] = answer(pack("<Q", 0x0200_0000_0000_021F), 8)
    assert hyper.get_param(5, 0) == 0x0200_0000_0000_021F
    hyper.get_param(5, 17)
    assert fake.sent[1][2][:8] == pack("<HHI", 5, 0, 17)


def results(*given: int) -> Answer:
    """What Xen answers to the entries of a multicall."""

    def play(memory: memoryview, at: int, _count: int) -> int:
        for n, result in enumerate(given):
            pack_into("<q", memory, at + 64 * n + 8, result)
        return 0

    return play


def test_set_params_in_one_trap(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.set_params(5, {17: 0x39000, 0: 0x0200_0000_0000_021F})
    ((op, count, entries),) = fake.sent
    data = fake.BASE + DATA
    assert (op, count) == (MULTICALL, 2)
    assert entries == pack("<4Q32x4Q32x", HVM_OP, 0, 0, data, HVM_OP, 0, 0, data + 16)
    assert fake.read(data, 32) == pack("<HHIQHHIQ", 5, 0, 17, 0x39000, 5, 0, 0, 0x0200_0000_0000_021F)


@pytest.mark.parametrize("refused", [-EINVAL, 0xFFFFFFFF - EINVAL + 1])
def test_the_first_refused_parameter_is_named(hyper: XenHypervisor, fake: FakeCalls, refused: int) -> None:
    fake.answers[MULTICALL, 3] = results(0, refused, -EBUSY)
    with pytest.raises(HypercallError, match="set_param 30 for domain 5: EINVAL"):
        hyper.set_params(5, {1: 0, 30: 0, 2: 0})


def test_no_multicall(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[MULTICALL, 1] = -ENOSYS
    with pytest.raises(HypercallError, match="multicall for domain 5: ENOSYS"):
        hyper.set_params(5, {1: 0})


def test_init_vuart(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 81] = answer(pack("<I", 3), 0x24)
    assert hyper.init_vuart(5, 0x39003, 1) == 3
    (message,) = fake.messages(DOMCTL, 81)
    assert message[0x10:0x28] == pack("<IIQHHI", 0, 0, 0x39003, 1, 0, 0)


def test_bind_irq(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.bind_irq(5, 112)
    (message,) = fake.messages(DOMCTL, 38)
    assert message[0x10:0x20] == pack("<IIHHI", 112, 4, 112, 0, 0)
    fake.answers[DOMCTL, 38] = -EBUSY
    with pytest.raises(HypercallError, match=r"32 \+ nr_spis"):
        hyper.bind_irq(5, 112)


def test_assign_dt_device_counts_the_nul(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.assign_dt_device(5, "/soc/ether")
    (message,) = fake.messages(DOMCTL, 37)
    device, flags, size, address = unpack_from("<IIIxxxxQ", message, 0x10)
    assert (device, flags, size, address) == (1, 0, 11, fake.BASE + DATA)
    assert fake.read(address, 11) == b"/soc/ether\0"


def test_a_path_beyond_a_page(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.assign_dt_device(5, "/" * 4095)
    with pytest.raises(HypercallError) as caught:
        hyper.assign_dt_device(5, "/" * 4096)
    assert caught.value.errno == ENOBUFS
    assert len(fake.sent) == 1
