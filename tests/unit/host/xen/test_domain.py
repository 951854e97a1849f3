from __future__ import annotations

from errno import EBUSY, EINVAL, ENODATA, ENOENT, ENOMEM, ENOSYS, ESRCH
from struct import pack, unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.hyper import Created, CreateRequest, VcpuContext
from xenvm.host.xen.abi import encode_createdomain, encode_entry, layout_of
from xenvm.host.xen.buffers import DATA, DATA_SIZE
from xenvm.host.xen.calls import DOMCTL, SCHED_OP, SYSCTL
from xenvm.host.xen.hypervisor import XenHypervisor

from .conftest import info_bytes, open_on
from .fake import Answer, FakeCalls, answer, in_turn
from .test_host import physinfo

UUID = "00112233-4455-6677-8899-aabbccddeeff"
REQUEST = CreateRequest(uuid=UUID, max_vcpus=2)


def domctl(fake: FakeCalls, cmd: int, domid: int, body: bytes = b"") -> bytes:
    number = {(4, 14): 0x12, (4, 16): 0x14, (4, 17): 0x15}[release(fake)]
    return (pack("<IIH6x", cmd, number, domid) + body).ljust(144, b"\0")


def release(fake: FakeCalls) -> tuple[int, int]:
    number = fake.answers[17, 0]
    assert isinstance(number, int)
    return number >> 16, number & 0xFFFF


@pytest.mark.parametrize(
    ("call", "cmd", "body"),
    [
        (lambda h: h.destroy(5), 2, b""),
        (lambda h: h.pause(5), 3, b""),
        (lambda h: h.unpause(5), 4, b""),
        (lambda h: h.set_max_vcpus(5, 3), 15, pack("<I", 3)),
        (lambda h: h.set_max_mem(5, 1 << 33), 11, pack("<Q", 1 << 33)),
        (lambda h: h.set_paging_pool(5, 0x380000), 86, pack("<Q", 0x380000)),
    ],
)
def test_simple_operations(hyper: XenHypervisor, fake: FakeCalls, call, cmd: int, body: bytes) -> None:
    call(hyper)
    assert [message for _, _, message in fake.sent] == [domctl(fake, cmd, 5, body)]
    fake.answers[DOMCTL, cmd] = -ENOMEM
    with pytest.raises(HypercallError) as caught:
        call(hyper)
    assert (caught.value.errno, caught.value.domid) == (ENOMEM, 5)


@pytest.mark.parametrize("minor", [14, 16])
def test_old_releases_have_the_pool_in_shadow_op(minor: int) -> None:
    fake = FakeCalls((4, minor))
    hyper = open_on(fake)
    hyper.set_paging_pool(5, 0x380000)
    assert [message for _, _, message in fake.sent] == [domctl(fake, 10, 5, pack("<III", 31, 0, 4))]
    fake.answers[DOMCTL, 10] = -ENOSYS
    hyper.set_paging_pool(5, 0x380000)
    fake.answers[DOMCTL, 10] = -ENOMEM
    with pytest.raises(HypercallError):
        hyper.set_paging_pool(5, 0x380000)


def test_shutdown(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.shutdown(5, 3)
    ((op, cmd, argument),) = fake.sent
    assert (op, cmd, argument[:8]) == (SCHED_OP, 4, pack("<HHI", 5, 0, 3))


def created(domid: int, gic: int, clock: int) -> Answer:
    """Of 4.17."""

    def play(memory: memoryview, at: int, _last: int) -> int:
        memory[at + 8 : at + 10] = pack("<H", domid)
        memory[at + 0x48] = gic
        memory[at + 0x50 : at + 0x54] = pack("<I", clock)
        return 0

    return play


def test_create(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 1] = created(7, 2, 62_500_000)
    assert hyper.create(REQUEST) == Created(7, 3, 62_500_000)
    assert [message for _, _, message in fake.sent] == [encode_createdomain(layout_of((4, 17)), REQUEST)]


def test_create_refused(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 1] = -EINVAL
    with pytest.raises(HypercallError, match=r"^createdomain: EINVAL \(too many vCPUs"):
        hyper.create(REQUEST)
    with pytest.raises(HypercallError, match=r"^createdomain for domain 9: EINVAL"):
        hyper.create(REQUEST.replace(domid=9))


def test_old_releases_move_a_new_domain_to_its_pool() -> None:
    fake = FakeCalls((4, 16))
    hyper = open_on(fake)
    fake.answers[DOMCTL, 1] = answer(pack("<H", 7), 8)
    hyper.create(REQUEST)
    assert fake.messages(SYSCTL, 18) == []
    hyper.create(REQUEST.replace(cpupool=2))
    (move,) = fake.messages(SYSCTL, 18)
    assert move == pack("<II6I", 18, 0x14, 6, 2, 0, 7, 0, 0) + bytes(104)


def test_a_domain_that_cannot_be_moved_is_not_left_behind() -> None:
    fake = FakeCalls((4, 16))
    hyper = open_on(fake)
    fake.answers[DOMCTL, 1] = answer(pack("<H", 7), 8)
    fake.answers[SYSCTL, 18] = -ENOENT
    with pytest.raises(HypercallError, match="cpupool_movedomain: ENOENT"):
        hyper.create(REQUEST.replace(cpupool=2))
    assert fake.messages(DOMCTL, 2) == [domctl(fake, 2, 7)]


def test_domain(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 5] = answer(info_bytes(5), 0x10)
    info = hyper.domain(5)
    assert info is not None
    assert (info.domid, info.uuid) == (5, UUID)
    assert hyper.domain(4) is None, "up to 4.17 Xen answers with the next domain"
    fake.answers[DOMCTL, 5] = -ESRCH
    assert hyper.domain(5) is None
    fake.answers[DOMCTL, 5] = -EINVAL
    with pytest.raises(HypercallError):
        hyper.domain(5)


@pytest.mark.parametrize(("minor", "stride"), [(14, 112), (17, 120)])
def test_domains_in_batches(minor: int, stride: int) -> None:
    fake = FakeCalls((4, minor))
    hyper = open_on(fake)
    most = DATA_SIZE // stride
    living = [*range(0, 2 * most, 2), 9000, 9001]

    def play(memory: memoryview, at: int, _last: int) -> int:
        first, room, address = unpack_from("<H2xIQ", memory, at + 8)
        assert address == fake.BASE + at + DATA
        chosen = [domid for domid in living if domid >= first][:room]
        for n, domid in enumerate(chosen):
            start = at + DATA + n * stride
            memory[start : start + stride] = info_bytes(domid)[:stride]
        memory[at + 0x18 : at + 0x1C] = pack("<I", len(chosen))
        return 0

    fake.answers[SYSCTL, 6] = play
    assert [info.domid for info in hyper.domains()] == living
    assert len(fake.messages(SYSCTL, 6)) == 2


def test_the_width_needs_the_vcpus_first(hyper: XenHypervisor, fake: FakeCalls) -> None:
    with pytest.raises(HypercallError, match="set_max_vcpus must come first") as caught:
        hyper.set_address_size(5, 64)
    assert caught.value.errno == EINVAL
    assert fake.sent == []
    hyper.set_max_vcpus(5, 2)
    hyper.set_address_size(5, 64)
    assert fake.messages(DOMCTL, 35) == [domctl(fake, 35, 5, pack("<I", 64))]


def test_vcpus_that_were_refused_do_not_count(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 15] = -ENOMEM
    with pytest.raises(HypercallError):
        hyper.set_max_vcpus(5, 2)
    with pytest.raises(HypercallError, match="set_max_vcpus"):
        hyper.set_address_size(5, 64)


def test_a_new_domain_with_an_old_number_starts_afresh(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 1] = created(5, 2, 0)
    hyper.set_max_vcpus(5, 2)
    hyper.create(REQUEST)
    with pytest.raises(HypercallError, match="set_max_vcpus"):
        hyper.set_address_size(5, 64)
    hyper.set_max_vcpus(5, 2)
    hyper.destroy(5)
    with pytest.raises(HypercallError, match="set_max_vcpus"):
        hyper.set_address_size(5, 64)


def test_a_late_width_says_why(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.set_max_vcpus(5, 2)
    fake.answers[DOMCTL, 35] = -EBUSY
    with pytest.raises(HypercallError, match="owns memory already"):
        hyper.set_address_size(5, 64)


def affinity(hard: bytes, soft: bytes) -> Answer:
    def play(memory: memoryview, at: int, _last: int) -> int:
        memory[at + DATA : at + DATA + len(hard)] = hard
        memory[at + DATA + len(hard) : at + DATA + 2 * len(hard)] = soft
        return 0

    return play


def test_vcpus(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 3] = physinfo(last_cpu=8)
    fake.answers[DOMCTL, 5] = answer(info_bytes(5, last_vcpu=1), 0x10)
    states = [pack("<3BxQI", 1, 0, 1, 1 << 40, 3), pack("<3BxQI", 0, 1, 0, 0, 8)]
    fake.answers[DOMCTL, 14] = in_turn(*(answer(state, 0x14) for state in states))
    fake.answers[DOMCTL, 25] = in_turn(affinity(b"\xff\x01", b"\x01\x00"), affinity(b"\x00\x01", b"\xff\x01"))
    first, second = hyper.vcpus(5)
    assert first.as_dict() == {
        "vcpu": 0,
        "online": True,
        "blocked": False,
        "running": True,
        "cpu_time": 1 << 40,
        "cpu": 3,
        "hard": frozenset(range(9)),
        "soft": frozenset({0}),
    }
    assert (second.vcpu, second.online, second.blocked, second.hard) == (1, False, True, {8})
    data = fake.BASE + DATA
    assert fake.messages(DOMCTL, 14)[1] == domctl(fake, 14, 5, pack("<I", 1))
    assert fake.messages(DOMCTL, 25)[1] == domctl(fake, 25, 5, pack("<IIQQQQ", 1, 3, data, 16, data + 2, 16))


def test_vcpus_of_nobody_and_of_the_new_born(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[DOMCTL, 5] = -ESRCH
    with pytest.raises(HypercallError, match="domain 5: ESRCH"):
        hyper.vcpus(5)
    fake.answers[DOMCTL, 5] = answer(info_bytes(5), 0x10)
    assert hyper.vcpus(5) == []


@pytest.mark.parametrize(
    ("hard", "soft", "flags", "maps"),
    [
        (frozenset({1}), None, 1, b"\x02\x00\x00\x00"),
        (None, frozenset({8}), 2, b"\x00\x00\x00\x01"),
        (frozenset({0, 8}), frozenset({3}), 3, b"\x01\x01\x08\x00"),
    ],
)
def test_set_affinity(hyper: XenHypervisor, fake: FakeCalls, hard, soft, flags: int, maps: bytes) -> None:
    fake.answers[SYSCTL, 3] = physinfo(last_cpu=8)
    hyper.set_affinity(5, 1, hard, soft)
    data = fake.BASE + DATA
    assert fake.messages(DOMCTL, 9) == [domctl(fake, 9, 5, pack("<IIQQQQ", 1, flags, data, 16, data + 2, 16))]
    assert fake.read(data, 4) == maps


def test_an_affinity_by_force(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 3] = physinfo(last_cpu=8)
    hyper.set_affinity(5, 1, frozenset({0}), None, force=True)
    data = fake.BASE + DATA
    assert fake.messages(DOMCTL, 9) == [domctl(fake, 9, 5, pack("<IIQQQQ", 1, 5, data, 16, data + 2, 16))]


@pytest.mark.parametrize(("minor", "size"), [(14, 344), (17, 352)])
def test_registers(minor: int, size: int) -> None:
    fake = FakeCalls((4, minor))
    hyper = open_on(fake)

    def context(memory: memoryview, at: int, _last: int) -> int:
        memory[at + DATA : at + DATA + size] = bytes([7]) * size
        return 0

    fake.answers[DOMCTL, 13] = in_turn(context, -ENODATA, -ESRCH)
    assert hyper.registers(5, 1) == bytes([7]) * size
    assert fake.messages(DOMCTL, 13) == [domctl(fake, 13, 5, pack("<I4xQ", 1, fake.BASE + DATA))]
    assert hyper.registers(5, 2) is None
    with pytest.raises(HypercallError, match="getvcpucontext for domain 5: ESRCH"):
        hyper.registers(5, 3)


@pytest.mark.parametrize(
    ("number", "answer_", "told"),
    [(16, 0, True), (12, 0, True), (12, 7, False), (3, 0, False)],
    ids=["64 bits", "32 bits", "no result of it", "not in a hypercall"],
)
def test_resume(hyper: XenHypervisor, fake: FakeCalls, number: int, answer_: int, told: bool) -> None:
    """The kernel learns from the result of its hypercall that it may go on as it was."""
    registers = [answer_, *range(100, 130)]
    registers[number] = 29 | (0xFFFF << 32 if number == 12 else 0)
    before = pack("<Q31Q", 1, *registers).ljust(352, b"z")

    def context(memory: memoryview, at: int, _last: int) -> int:
        memory[at + DATA : at + DATA + 352] = before
        return 0

    fake.answers[DOMCTL, 13] = context
    hyper.resume(5)
    data = fake.BASE + DATA
    assert fake.messages(DOMCTL, 27) == [domctl(fake, 27, 5)]
    assert fake.messages(DOMCTL, 12) == ([domctl(fake, 12, 5, pack("<I4xQ", 0, data))] if told else [])
    if told:
        assert fake.read(data, 352) == before[:8] + pack("<Q", 1) + before[16:]


def test_no_affinity_at_all_asks_nothing(hyper: XenHypervisor, fake: FakeCalls) -> None:
    hyper.set_affinity(5, 1, None, None)
    assert fake.sent == []


def test_a_cpu_that_the_host_lacks(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 3] = physinfo(last_cpu=3)
    with pytest.raises(HypercallError, match="no such CPU"):
        hyper.set_affinity(5, 0, frozenset({8}), None)
    assert fake.messages(DOMCTL, 9) == []


@pytest.mark.parametrize("minor", [14, 17])
@pytest.mark.parametrize("bits", [32, 64])
def test_set_entry(minor: int, bits: int) -> None:
    fake = FakeCalls((4, minor))
    hyper = open_on(fake)
    context = VcpuContext(bits=bits, pc=0x40008000, dtb=0x48000000)
    hyper.set_entry(5, context)
    data = fake.BASE + DATA
    assert [message for _, _, message in fake.sent] == [domctl(fake, 12, 5, pack("<IIQ", 0, 0, data))]
    expected = encode_entry(layout_of((4, minor)), context)
    assert fake.read(data, len(expected)) == expected


def test_a_32_bit_guest_above_4_gib_is_not_cut_down(hyper: XenHypervisor, fake: FakeCalls) -> None:
    with pytest.raises(HypercallError, match="below 4 GiB"):
        hyper.set_entry(5, VcpuContext(bits=32, pc=0x40008000, dtb=0x2_0000_0000))
    assert fake.sent == []
