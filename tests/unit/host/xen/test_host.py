from __future__ import annotations

from errno import EACCES, ENODATA, ENOENT
from struct import pack, unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.xen.buffers import DATA, DATA_SIZE
from xenvm.host.xen.calls import SYSCTL, XEN_VERSION
from xenvm.host.xen.host import cpu_map, cpu_set
from xenvm.host.xen.hypervisor import XenHypervisor

from .conftest import open_on
from .fake import Answer, FakeCalls, answer, in_turn


def physinfo(last_cpu: int = 11) -> Answer:
    """Of a release from 4.17 on."""
    return answer(pack("<8I", 1, 1, 4, last_cpu, 1, 0, 62500, 4), 8)


def test_version_info(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[XEN_VERSION, 2] = answer(pack("64s16s32s32s", b"gcc 12", b"me", b"here", b"today"))
    fake.answers[XEN_VERSION, 3] = answer(b"xen-3.0-aarch64 xen-3.0-armv7l \0")
    fake.answers[XEN_VERSION, 4] = answer(b"Tue\0junk")
    fake.answers[XEN_VERSION, 5] = answer(pack("<Q", 0x200000))
    fake.answers[XEN_VERSION, 7] = 4096
    fake.answers[XEN_VERSION, 9] = answer(b"dom0_mem=1G")
    fake.answers[XEN_VERSION, 10] = answer(b"\xab\xcd\xef", 4, result=3)
    info = hyper.version_info()
    assert info.as_dict() == {
        "capabilities": "xen-3.0-aarch64 xen-3.0-armv7l ",
        "changeset": "Tue",
        "commandline": "dom0_mem=1G",
        "compiler": "gcc 12",
        "compile_by": "me",
        "compile_domain": "here",
        "compile_date": "today",
        "build_id": "abcdef",
        "pagesize": 4096,
        "virt_start": 0x200000,
    }
    fake.answers[XEN_VERSION, 10] = -ENODATA
    assert hyper.version_info().build_id == ""


def test_physinfo(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 3] = physinfo()
    info = hyper.physinfo()
    assert (info.max_cpu_id, info.directio) == (11, True)
    assert fake.sent[0][2] == pack("<II", 3, 0x15) + bytes(128)


def test_sysctl_numbers_of_development_builds_are_found_too(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 4] = in_turn(-EACCES, answer(pack("<I", 6), 8), answer(pack("<I", 99), 8))
    assert hyper.scheduler() == "credit2"
    assert hyper.scheduler() == "scheduler 99"
    assert [unpack_from("<I", message, 4)[0] for _, _, message in fake.sent] == [0x15, 0x16, 0x16]


def test_debug_keys(hyper: XenHypervisor, fake: FakeCalls) -> None:
    def keys(memory: memoryview, at: int, _last: int) -> int:
        address, count = unpack_from("<QI", memory, at + 8)
        assert fake.read(address, count) == b"hq"
        return 0

    fake.answers[SYSCTL, 7] = keys
    hyper.debug_keys(b"hq")
    assert len(fake.messages(SYSCTL, 7)) == 1
    with pytest.raises(HypercallError, match="E2BIG"):
        hyper.debug_keys(bytes(DATA_SIZE + 1))


def pool(number: int, cpus: bytes) -> Answer:
    def play(memory: memoryview, at: int, _last: int) -> int:
        memory[at + 0x0C : at + 0x10] = pack("<I", number)
        memory[at + DATA : at + DATA + len(cpus)] = cpus
        return 0

    return play


def test_cpupools_walks_numbers_with_gaps(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 3] = physinfo()
    fake.answers[SYSCTL, 18] = in_turn(pool(0, b"\x03\x00"), pool(5, b"\x00\x08"), -ENOENT)
    assert hyper.cpupools() == {0: frozenset({0, 1}), 5: frozenset({11})}
    asked = fake.messages(SYSCTL, 18)
    assert [unpack_from("<II", message, 8) for message in asked] == [(3, 0), (3, 1), (3, 6)]
    assert unpack_from("<QI", asked[0], 0x20) == (fake.BASE + DATA, 16)


def test_cpupools_reports_what_is_not_the_end(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 3] = physinfo()
    fake.answers[SYSCTL, 18] = -EACCES
    with pytest.raises(HypercallError):
        hyper.cpupools()


def test_free_cpus(hyper: XenHypervisor, fake: FakeCalls) -> None:
    fake.answers[SYSCTL, 3] = physinfo(last_cpu=2)
    fake.answers[SYSCTL, 18] = pool(0, b"\x05")
    assert hyper.free_cpus() == 2
    assert unpack_from("<I", fake.messages(SYSCTL, 18)[0], 8) == (7,)


def log(content: bytes, index: int) -> Answer:
    def play(memory: memoryview, at: int, _last: int) -> int:
        memory[at + DATA : at + DATA + len(content)] = content
        memory[at + 0x0C : at + 0x10] = pack("<I", index)
        memory[at + 0x18 : at + 0x1C] = pack("<I", len(content))
        return 0

    return play


@pytest.mark.parametrize("clear", [False, True])
def test_console_ring_reads_on_until_a_short_answer(hyper: XenHypervisor, fake: FakeCalls, clear: bool) -> None:
    fake.answers[SYSCTL, 1] = in_turn(log(b"a" * DATA_SIZE, 40000), log(b"end", 40003))
    assert hyper.console_ring(clear=clear) == b"a" * DATA_SIZE + b"end"
    first, second = fake.messages(SYSCTL, 1)
    assert first[8:28] == pack("<BBHIQI", clear, 0, 0, 0, fake.BASE + DATA, DATA_SIZE)
    assert second[8:28] == pack("<BBHIQI", clear, 1, 0, 40000, fake.BASE + DATA, DATA_SIZE)


def test_old_physinfo() -> None:
    fake = FakeCalls((4, 16))
    hyper = open_on(fake)
    fake.answers[SYSCTL, 3] = answer(pack("<5Q", 1, 2, 3, 4, 5), 0x28)
    assert (hyper.physinfo().total_pages, hyper.physinfo().outstanding_pages) == (1, 4)


def test_cpu_maps() -> None:
    assert cpu_map({0, 9}, 2) == b"\x01\x02"
    assert cpu_set(b"\x01\x02") == {0, 9}
    with pytest.raises(OverflowError):
        cpu_map({16}, 2)
