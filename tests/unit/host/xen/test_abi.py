from __future__ import annotations

from struct import calcsize, pack, pack_into, unpack_from

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import UnsupportedError
from xenvm.host.hyper import CreateRequest, VcpuContext
from xenvm.host.xen import abi
from xenvm.host.xen.abi import LAYOUTS, layout_of, parse_release

from .conftest import info_bytes

RELEASES = [(4, minor) for minor in range(14, 23)]
UUID = "00112233-4455-6677-8899-aabbccddeeff"
HANDLE = bytes.fromhex(UUID.replace("-", ""))


def request(**changes: object) -> CreateRequest:
    fields = {"uuid": UUID, "max_vcpus": 5, "gic_version": 3, "nr_spis": 0x1234, "max_evtchn_port": 1023}
    fields |= {"max_grant_frames": -1, "max_maptrack_frames": 7, "max_grant_version": 1, "ssidref": 9, "cpupool": 3}
    return CreateRequest(**{**fields, **changes})


def test_interface_numbers() -> None:
    assert {release[1]: (each.domctl, each.sysctl) for release, each in LAYOUTS.items()} == {
        14: (0x12, 0x13),
        15: (0x13, 0x13),
        16: (0x14, 0x14),
        17: (0x15, 0x15),
        18: (0x16, 0x15),
        19: (0x17, 0x15),
        20: (0x17, 0x15),
        21: (0x17, 0x16),
        22: (0x18, 0x16),
    }


def test_every_release_is_known() -> None:
    assert list(LAYOUTS) == RELEASES


@pytest.mark.parametrize(
    ("minor", "grant_opts", "cpupool", "arch"),
    [
        (14, None, None, 0x3C),
        (15, None, None, 0x40),
        (16, 0x3C, None, 0x44),
        (17, 0x3C, 0x44, 0x48),
        (18, 0x3C, 0x44, 0x48),
        (19, 0x3C, 0x48, 0x4C),
        (20, 0x3C, 0x48, 0x4C),
        (21, 0x3C, 0x48, 0x4C),
        (22, 0x3C, 0x48, 0x4C),
    ],
)
def test_createdomain_byte_by_byte(minor: int, grant_opts: int | None, cpupool: int | None, arch: int) -> None:
    layout = layout_of((4, minor))
    expected = bytearray(144)
    pack_into("<IIH", expected, 0, 1, layout.domctl, 0x7FF5)
    pack_into("<I", expected, 0x10, 9)
    expected[0x14:0x24] = HANDLE
    pack_into("<I", expected, 0x24, 0x103 if minor >= 21 else 0x3)
    pack_into("<I", expected, 0x2C, 5)
    pack_into("<I", expected, 0x30, 1023)
    pack_into("<i", expected, 0x34, -1)
    pack_into("<i", expected, 0x38, 7)
    if grant_opts:
        pack_into("<I", expected, grant_opts, 1)
    if cpupool:
        pack_into("<I", expected, cpupool, 3)
    expected[arch] = 2
    pack_into("<I", expected, arch + 4, 0x1234)
    assert abi.encode_createdomain(layout, request()) == bytes(expected)


@pytest.mark.parametrize("release", RELEASES)
def test_iommu_adds_its_flag_alone(release: tuple[int, int]) -> None:
    layout = layout_of(release)
    plain, with_iommu = (abi.encode_createdomain(layout, request(iommu=on)) for on in (False, True))
    assert plain[0x24] | 0x20 == with_iommu[0x24]
    assert plain[0x25:] == with_iommu[0x25:]


@pytest.mark.parametrize(("version", "code"), [(0, 0), (2, 1), (3, 2)])
def test_gic_versions(version: int, code: int) -> None:
    layout = layout_of((4, 20))
    assert abi.encode_createdomain(layout, request(gic_version=version))[0x4C] == code


def test_a_wanted_domid_is_asked_for() -> None:
    message = abi.encode_createdomain(layout_of((4, 17)), request(domid=42))
    assert unpack_from("<H", message, 8) == (42,)


@pytest.mark.parametrize("release", RELEASES)
def test_created_is_read_from_where_xen_put_it(release: tuple[int, int]) -> None:
    layout = layout_of(release)
    message = bytearray(144)
    pack_into("<H", message, 8, 0x7FEF)
    message[layout.arch] = 2
    pack_into("<I", message, layout.arch + 8, 62_500_000)
    assert abi.decode_created(layout, bytes(message)) == (0x7FEF, 3, 62_500_000)


@pytest.mark.parametrize("release", RELEASES)
def test_domain_info(release: tuple[int, int]) -> None:
    layout = layout_of(release)
    assert layout.info_size == (120 if release >= (4, 16) else 112)
    info = abi.decode_info(layout, b"\xee" * 3 + info_bytes(77, 0xFFFF010A, last_vcpu=3), 3)
    assert info.domid == 77
    assert info.uuid == UUID
    assert (info.dying, info.shutdown, info.paused, info.blocked, info.running) == (False, False, True, False, False)
    assert info.shutdown_code is None
    assert (info.tot_pages, info.max_pages, info.outstanding_pages) == (0x1_0000_0001, 0x1_0000_0002, 3)
    assert info.cpu_time == 0x7_0000_0007
    assert (info.nr_online_vcpus, info.max_vcpu_id, info.ssidref, info.cpupool) == (8, 3, 9, 10)
    assert info.gpaddr_bits == (44 if release >= (4, 16) else 40)


def test_shutdown_reason_only_with_its_flag() -> None:
    layout = layout_of((4, 17))
    assert abi.decode_info(layout, info_bytes(1, 0x00010106), 0).shutdown_code == 1
    assert abi.decode_info(layout, info_bytes(1, 0x00FF0102), 0).shutdown_code is None
    assert abi.decode_info(layout, info_bytes(1, 0x00030137), 0).dying


def test_no_vcpus_yet() -> None:
    assert abi.decode_info(layout_of((4, 17)), info_bytes(1), 0).max_vcpu_id == -1


@pytest.mark.parametrize("release", RELEASES)
def test_physinfo(release: tuple[int, int]) -> None:
    message = bytearray(136)
    pack_into("<8I", message, 8, 1, 2, 4, 7, 1, 0, 62500, 0x17D)
    memory = 0x30 if release >= (4, 17) else 0x28
    if release >= (4, 17):
        pack_into("<I", message, 0x28, 5)
    pack_into("<5Q8I", message, memory, 0x1_0000_0000, 20, 30, 40, 50, *range(60, 68))
    info = abi.decode_physinfo(layout_of(release), bytes(message))
    assert (info.threads_per_core, info.cores_per_socket, info.nr_cpus, info.max_cpu_id) == (1, 2, 4, 7)
    assert (info.nr_nodes, info.cpu_khz, info.capabilities, info.directio) == (1, 62500, 0x17D, True)
    assert info.arch_capabilities == (5 if release >= (4, 17) else 0)
    assert (info.total_pages, info.free_pages, info.scrub_pages, info.outstanding_pages) == (0x1_0000_0000, 20, 30, 40)
    assert info.hw_cap == tuple(range(60, 68))


@pytest.mark.parametrize("release", RELEASES)
def test_entry_of_a_64_bit_guest(release: tuple[int, int]) -> None:
    wide = release >= (4, 16)
    context = abi.encode_entry(layout_of(release), VcpuContext(bits=64, pc=0x40000000, dtb=0x1_4800_0000))
    expected = bytearray(352 if wide else 344)
    expected[0] = 1
    pack_into("<Q", expected, 0x08, 0x1_4800_0000)
    pack_into("<Q", expected, 0x100, 0x40000000)
    pack_into("<I", expected, 0x108, 0x3C5)
    pack_into("<Q", expected, 0x140 if wide else 0x138, 0x00C50078)
    assert context == bytes(expected)


@pytest.mark.parametrize("release", RELEASES)
def test_entry_of_a_32_bit_guest(release: tuple[int, int]) -> None:
    wide = release >= (4, 16)
    context = abi.encode_entry(layout_of(release), VcpuContext(bits=32, pc=0x40008000, dtb=0x48000000))
    expected = bytearray(352 if wide else 344)
    expected[0] = 1
    pack_into("<QQQ", expected, 0x08, 0, 0xFFFFFFFF, 0x48000000)
    pack_into("<Q", expected, 0x100, 0x40008000)
    pack_into("<I", expected, 0x108, 0x400001D3 if release >= (4, 17) else 0x1D3)
    pack_into("<Q", expected, 0x140 if wide else 0x138, 0x00C50078)
    assert context == bytes(expected)


@settings(max_examples=50)
@given(release=st.sampled_from(RELEASES), cmd=st.integers(0, 99), domid=st.integers(0, 0xFFFF), body=st.binary())
def test_envelopes_have_their_size(release: tuple[int, int], cmd: int, domid: int, body: bytes) -> None:
    layout, body = layout_of(release), body[:128]
    domctl, sysctl = abi.encode_domctl(layout, cmd, domid, body), abi.encode_sysctl(layout, cmd, body)
    assert (len(domctl), len(sysctl)) == (144, 136)
    assert domctl.startswith(pack("<IIHHHH", cmd, layout.domctl, domid, 0, 0, 0) + body)
    assert sysctl.startswith(pack("<II", cmd, layout.sysctl) + body)


def test_too_large_a_number_is_never_cut() -> None:
    with pytest.raises(Exception, match=r"format requires|argument out of range"):
        abi.encode_entry(layout_of((4, 20)), VcpuContext(bits=64, pc=1 << 64, dtb=0))


def test_uuid_keeps_the_order_of_its_text() -> None:
    assert abi.uuid_bytes(UUID) == HANDLE
    assert abi.uuid_text(HANDLE) == UUID
    with pytest.raises(ValueError, match="not a uuid"):
        abi.uuid_bytes("0011")


@pytest.mark.parametrize(("release", "words"), [((4, 13), "too old"), ((4, 23), "newer"), ((5, 0), "newer")])
def test_unknown_releases_are_named(release: tuple[int, int], words: str) -> None:
    with pytest.raises(UnsupportedError, match=f"Xen {release[0]}.{release[1]} is .*{words}"):
        layout_of(release)


def test_parse_release() -> None:
    assert parse_release("4.20") == (4, 20)
    for wrong in ("", "4", "newest", "4.x", ".20"):
        with pytest.raises(UnsupportedError):
            parse_release(wrong)


def test_info_format_covers_what_the_header_says() -> None:
    assert calcsize(abi._INFO) == 0x60


@pytest.mark.parametrize("release", RELEASES)
def test_createdomain_of_rarer_wishes(release: tuple[int, int]) -> None:
    layout = layout_of(release)
    plain = abi.encode_createdomain(layout, request())
    message = abi.encode_createdomain(layout, request(sve_bits=384, tee="ffa", vpmu=True))
    assert unpack_from("<BBH", message, layout.arch) == (2, 3, 2)
    assert unpack_from("<I", message, 0x24)[0] == layout.flags | 0x80
    assert unpack_from("<BBH", plain, layout.arch) == (2, 0, 0)


def test_createdomain_of_4_21() -> None:
    layout = layout_of((4, 21))
    message = abi.encode_createdomain(layout, request(sci="scmi_smc", trap_unmapped=False))
    assert message[layout.arch + 12] == 1
    assert unpack_from("<I", message, 0x24)[0] == 3
