"""The guest's device tree, property for property, and its size as libxl would have it."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from xenvm.errors import ConfigError, HostError, ImageError
from xenvm.guest import dtb, image
from xenvm.guest.dtb import TreeFacts, TreeInput
from xenvm.guest.fdtblob import Node, read, semantic, to_dts
from xenvm.guest.layout import RAM_BANKS, Region, banks_for
from xenvm.guest.spec import GuestSpec, IomemRange
from xenvm.types import MIB, Gpa, KiB

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
SEED = bytes(range(128))
RELEASES = [(4, 15), (4, 16), (4, 17), (4, 20), (4, 21), (4, 22)]

needs_dtc = pytest.mark.skipif(not shutil.which("dtc"), reason="dtc is not installed")


def spec_of(memory: int = 512, **changes: object) -> GuestSpec:
    base = GuestSpec(name="guest", kernel="/none", memory=KiB(memory * 1024), maxmem=KiB(memory * 1024))
    return base.replace(**changes)


def guest(**changes: object) -> TreeInput:
    regions = (Region(Gpa(0x60000000), 0xA0000000), Region(Gpa(0x200000000), 0xFE00000000))
    base = TreeInput(
        xen=(4, 20), gic=3, bits=64, max_vcpus=1, banks=banks_for(KiB(512 * 1024)), regions=regions, rng_seed=SEED
    )
    return base.replace(**changes)


def nodes(blob: bytes) -> dict[str, dict[str, bytes]]:
    """Properties by path."""
    found: dict[str, dict[str, bytes]] = {}

    def walk(path: str, node: Node) -> None:
        found[path or "/"] = dict(node.props)
        for child in node.nodes:
            walk(f"{path}/{child.name}", child)

    walk("", read(blob))
    return found


def built(**changes: object) -> dict[str, dict[str, bytes]]:
    return nodes(dtb.build(guest(**changes)))


def cells(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def dtc(data: bytes, source: str, target: str, *options: str) -> bytes:
    argv = ["dtc", "-I", source, "-O", target, *options]
    result = subprocess.run(argv, input=data, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


PARTIAL = (
    Node(
        "passthrough",
        (
            ("compatible", b"simple-bus\0"),
            ("ranges", b""),
            ("#address-cells", cells(2)),
            ("#size-cells", cells(2)),
        ),
        (Node("uart@9000000", (("reg", cells(0, 0x9000000, 0, 0x1000)), ("phandle", cells(7)), ("clocks", cells(7)))),),
    ),
    Node("aliases", (("serial0", b"/passthrough/uart@9000000\0"),)),
)
ALL = {
    "max_vcpus": 2,
    "bootargs": "console=hvc0",
    "initrd": Region(Gpa(0x48000000), 10_000_000),
    "vuart": True,
    "clock_frequency": 62_500_000,
    "partial": PARTIAL,
}

# The worked example, and order


def test_the_worked_example_as_source() -> None:
    spec = spec_of(cmdline="console=hvc0", ramdisk="/none", vuart=True, maxvcpus=2)
    blob = dtb.offline_tree(spec, TreeFacts(), image.assumed_kernel("/none", 64, 30 * MIB), 10_000_000)
    assert to_dts(blob) == (GOLDEN / "guest-4.20-gicv3-vuart-initrd.dts").read_text()


def test_a_small_32_bit_guest_as_source() -> None:
    spec = spec_of(96, device_tree=None)
    facts = TreeFacts(xen=(4, 17), gic=2, clock_frequency=24_000_000, gpaddr_bits=32)
    blob = dtb.offline_tree(spec, facts, image.assumed_kernel("/none", 32, 4 * MIB))
    assert to_dts(blob) == (GOLDEN / "guest-4.17-gicv2-32bit.dts").read_text()


def test_the_order_of_nodes() -> None:
    assert list(built(**ALL, banks=RAM_BANKS)) == [
        "/",
        "/chosen",
        "/cpus",
        "/cpus/cpu@0",
        "/cpus/cpu@1",
        "/psci",
        "/memory@40000000",
        "/memory@200000000",
        "/interrupt-controller@3001000",
        "/timer",
        "/hypervisor",
        "/sbsa-pl011",
        "/passthrough",
        "/passthrough/uart@9000000",
        "/aliases",
    ]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", "model compatible interrupt-parent #address-cells #size-cells"),
        ("/chosen", "bootargs linux,initrd-start linux,initrd-end rng-seed"),
        ("/cpus", "#address-cells #size-cells"),
        ("/cpus/cpu@1", "device_type compatible enable-method reg"),
        ("/psci", "compatible method cpu_off cpu_on"),
        ("/memory@40000000", "device_type reg"),
        (
            "/interrupt-controller@3001000",
            "compatible #interrupt-cells #address-cells interrupt-controller reg linux,phandle phandle",
        ),
        ("/timer", "compatible interrupts interrupt-parent clock-frequency"),
        ("/hypervisor", "compatible reg interrupts interrupt-parent"),
        ("/sbsa-pl011", "compatible reg interrupts interrupt-parent current-speed"),
    ],
)
def test_the_order_of_properties(path: str, names: str) -> None:
    assert list(built(**ALL)[path]) == names.split()


def test_the_header_is_that_of_version_17() -> None:
    blob = dtb.build(guest())
    magic, total, _, _, reserve, version, compatible, cpu = struct.unpack_from(">8I", blob)
    assert (magic, total, version, compatible, cpu) == (0xD00DFEED, len(blob), 17, 16, 0)
    assert blob[reserve : reserve + 16] == bytes(16)


# What depends on the facts


@pytest.mark.parametrize("xen", RELEASES)
def test_the_running_xens_version_is_named(xen: tuple[int, int]) -> None:
    tree = built(xen=xen)
    release = f"4.{xen[1]}".encode()
    assert tree["/"]["model"] == b"XENVM-" + release + b"\0"
    assert tree["/"]["compatible"] == b"xen,xenvm-" + release + b"\0xen,xenvm\0"
    assert tree["/hypervisor"]["compatible"] == b"xen,xen-" + release + b"\0xen,xen\0"


def test_both_interrupt_controllers() -> None:
    second, third = (built(gic=gic)["/interrupt-controller@3001000"] for gic in (2, 3))
    assert second["compatible"] == b"arm,cortex-a15-gic\0arm,cortex-a9-gic\0"
    assert second["reg"] == cells(0, 0x3001000, 0, 0x1000, 0, 0x3002000, 0, 0x2000)
    assert third["compatible"] == b"arm,gic-v3\0"
    assert third["reg"] == cells(0, 0x3001000, 0, 0x10000, 0, 0x3020000, 0, 0x1000000)
    for gic in (second, third):
        assert gic["phandle"] == gic["linux,phandle"] == cells(65000)
        assert gic["interrupt-controller"] == b""


@pytest.mark.parametrize(
    ("bits", "cpu", "timer"),
    [(64, b"arm,armv8\0", b"arm,armv8-timer\0"), (32, b"arm,cortex-a15\0", b"arm,armv7-timer\0")],
)
def test_both_widths(bits: int, cpu: bytes, timer: bytes) -> None:
    tree = built(bits=bits)
    assert tree["/cpus/cpu@0"]["compatible"] == cpu
    assert tree["/timer"]["compatible"] == timer


@pytest.mark.parametrize("count", [1, 2, 16, 17, 128])
def test_vcpus_come_in_clusters_of_16(count: int) -> None:
    found = [path for path in built(max_vcpus=count) if path.startswith("/cpus/")]
    assert len(found) == count
    assert found[-1] == {1: "/cpus/cpu@0", 2: "/cpus/cpu@1", 16: "/cpus/cpu@f", 17: "/cpus/cpu@100"}.get(
        count, "/cpus/cpu@70f"
    )
    assert built(max_vcpus=count)[found[-1]]["reg"] == cells(int(found[-1].rpartition("@")[2], 16))


def test_one_or_two_banks() -> None:
    assert "/memory@200000000" not in built()
    tree = built(banks=banks_for(KiB(8 * MIB)))
    assert tree["/memory@40000000"]["reg"] == cells(0, 0x40000000, 0, 0xC0000000)
    assert tree["/memory@200000000"]["reg"] == cells(2, 0, 1, 0x40000000)


def test_the_hypervisors_regions() -> None:
    grant_table = cells(0, 0x38000000, 0, 0x1000000)
    assert built(regions=())["/hypervisor"]["reg"] == grant_table
    assert built()["/hypervisor"]["reg"] == grant_table + cells(0, 0x60000000, 0, 0xA0000000, 2, 0, 0xFE, 0)


def test_the_ramdisks_end_is_the_end_of_its_last_page() -> None:
    chosen = built(initrd=Region(Gpa(0x48000000), 10_000_000))["/chosen"]
    assert chosen["linux,initrd-start"] == cells(0, 0x48000000)
    assert chosen["linux,initrd-end"] == cells(0, 0x4898A000)


def test_what_is_not_given_is_left_out() -> None:
    tree = built(rng_seed=None)
    assert tree["/chosen"] == {}
    assert "clock-frequency" not in tree["/timer"]
    assert "/sbsa-pl011" not in tree


def test_interrupts_and_the_clock() -> None:
    tree = built(clock_frequency=62_500_000, vuart=True)
    assert tree["/timer"]["interrupts"] == cells(1, 13, 0xF08, 1, 14, 0xF08, 1, 11, 0xF08)
    assert tree["/timer"]["clock-frequency"] == cells(62_500_000)
    assert tree["/hypervisor"]["interrupts"] == cells(1, 15, 0xF08)
    assert tree["/sbsa-pl011"]["interrupts"] == cells(0, 0, 0xF04)
    assert tree["/sbsa-pl011"]["current-speed"] == cells(115200)


def test_the_command_line_goes_through_byte_for_byte() -> None:
    text = b'root=/dev/xvda1 x=\xc3\xa9\xff \\ "q"'.decode("utf-8", "surrogateescape")
    assert built(bootargs=text)["/chosen"]["bootargs"] == text.encode("utf-8", "surrogateescape") + b"\0"
    with pytest.raises(ConfigError, match="NUL"):
        built(bootargs="a\0b")


def test_the_partial_tree_goes_through_verbatim() -> None:
    assert read(dtb.build(guest(partial=PARTIAL))).nodes[-2:] == PARTIAL


def test_a_property_that_the_fdt_package_would_drop_is_refused() -> None:
    with pytest.raises(ImageError, match="x_with_references"):
        dtb.build(guest(partial=(Node("passthrough", (("x_with_references", b""),)),)))


def test_a_tree_of_more_than_a_mebibyte_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than 1 MiB"):
        dtb.build(guest(partial=(Node("passthrough", (("firmware", bytes(MIB)),)),)))


def test_trees_do_not_depend_on_earlier_ones() -> None:
    first = dtb.build(guest())
    dtb.build(guest(**ALL))
    assert dtb.build(guest()) == first


@needs_dtc
@pytest.mark.parametrize("changes", [{}, ALL, {"gic": 2, "bits": 32}, {"banks": RAM_BANKS, "max_vcpus": 128}])
def test_dtc_takes_the_blob_and_the_source(changes: dict[str, object]) -> None:
    blob = dtb.build(guest(**changes))
    dtc(blob, "dtb", "dts")
    again = dtc(to_dts(blob).encode(), "dts", "dtb")
    assert read(again) == read(blob)
    assert semantic(again) == semantic(blob)


# libxl's size, and placement


@pytest.mark.parametrize(("xen", "regions", "seed"), [((4, 20), 2, SEED), ((4, 21), 256, SEED), ((4, 15), 0, None)])
@pytest.mark.parametrize("changes", [{}, ALL, {"gic": 2}])
def test_the_drafts_size_is_that_of_a_blob_with_all_placeholders(
    xen: tuple[int, int], regions: int, seed: bytes | None, changes: dict[str, object]
) -> None:
    blob = dtb.build(guest(**changes, xen=xen, rng_seed=seed, banks=RAM_BANKS, regions=(Region(Gpa(0), 0),) * regions))
    # The fdt package puts the reserve map at 0x28, libfdt at 0x30.
    assert dtb.draft_size(guest(**changes, xen=xen)) == len(blob) + 8


def test_the_drafts_size_in_numbers() -> None:
    assert dtb.draft_size(guest()) == 1374
    assert dtb.draft_size(guest(max_vcpus=2)) == 1374 + 92
    assert dtb.draft_size(guest(xen=(4, 21))) == 1374 + 4064
    assert dtb.draft_size(guest(rng_seed=None)) == 1374


def test_in_small_guests_the_ramdisks_address_depends_on_xen() -> None:
    kernel = image.assumed_kernel("/none", 64, 8 * MIB)
    for xen, pages in (((4, 20), 1), ((4, 21), 2)):
        placed, tree = dtb.lay_out(spec_of(64), kernel, MIB, TreeFacts(xen=xen))
        assert placed.initrd == Region(Gpa(0x44000000 - MIB - pages * 4096), MIB)
        assert tree.initrd == placed.initrd
        assert placed.dtb == placed.initrd.end


def test_laying_out_collects_the_facts() -> None:
    spec = spec_of(cmdline="quiet", vuart=True, maxvcpus=4, iomem=(IomemRange(0x80000, 1, 0x80000),))
    facts = TreeFacts(xen=(4, 21), gic=2, clock_frequency=5, gpaddr_bits=33, rng_seed=SEED)
    placed, tree = dtb.lay_out(spec, image.assumed_kernel("/none", 32, MIB), 0, facts)
    assert placed.dtb == 0x48000000
    assert tree == TreeInput(
        xen=(4, 21),
        gic=2,
        bits=32,
        max_vcpus=4,
        banks=placed.banks,
        regions=(Region(Gpa(0x60000000), 0x20000000), Region(Gpa(0x80001000), 0x7FFFF000)),
        bootargs="quiet",
        clock_frequency=5,
        vuart=True,
        rng_seed=SEED,
    )


def test_before_4_16_there_is_no_seed() -> None:
    assert dtb.tree_input(spec_of(), 64, TreeFacts(xen=(4, 15), rng_seed=SEED)).rng_seed is None


def test_memory_without_room_is_an_error_of_the_configuration() -> None:
    spec = spec_of(8, source="guest.cfg", places={"memory": (3, 1)})
    with pytest.raises(ConfigError, match=r"guest\.cfg:3:1: not enough memory"):
        dtb.lay_out(spec, image.assumed_kernel("/none", 64, 8 * MIB), 0, TreeFacts())
    with pytest.raises(ConfigError, match=r"guest\.cfg:9:2: the guest has no memory"):
        dtb.lay_out(
            spec.replace(maxmem=KiB(0), places={"memory": (3, 1), "maxmem": (9, 2)}),
            image.assumed_kernel("/none", 64, 8 * MIB),
            0,
            TreeFacts(),
        )


def test_memory_beyond_the_hosts_addresses_is_an_error_of_the_host() -> None:
    with pytest.raises(HostError, match="33-bit"):
        dtb.lay_out(spec_of(4096), image.assumed_kernel("/none", 64, MIB), 0, TreeFacts(gpaddr_bits=33))


# Without a host


def test_an_offline_tree_reads_the_guests_files(tmp_path: Path) -> None:
    (tmp_path / "kernel").write_bytes(bytes(56) + b"ARM\x64" + bytes(10_000))
    (tmp_path / "ramdisk").write_bytes(bytes(5_000))
    (tmp_path / "partial").write_bytes(dtb.build(guest(partial=PARTIAL)))
    spec = spec_of(
        kernel=str(tmp_path / "kernel"), ramdisk=str(tmp_path / "ramdisk"), device_tree=str(tmp_path / "partial")
    )
    tree = dtb.offline_tree(spec, TreeFacts())
    assert read(tree).nodes[-2:] == PARTIAL
    assert nodes(tree)["/chosen"] == {
        "linux,initrd-start": cells(0, 0x48000000),
        "linux,initrd-end": cells(0, 0x48002000),
    }
    (tmp_path / "kernel").unlink()
    (tmp_path / "ramdisk").unlink()
    assert dtb.offline_tree(spec, TreeFacts(), image.assumed_kernel("x", 64, MIB), 5_000) == tree
    with pytest.raises(ImageError, match="no such file"):
        dtb.offline_tree(spec, TreeFacts(), initrd_size=5_000)


def test_the_package_is_imported_only_to_write_and_never_warns(tmp_path: Path) -> None:
    code = (
        "import sys; from xenvm.guest import dtb, image; from xenvm.guest.spec import GuestSpec\n"
        "assert 'fdt' not in sys.modules\n"
        "spec = GuestSpec(name='g', kernel='k')\n"
        "dtb.offline_tree(spec.replace(maxmem=65536), dtb.TreeFacts(), image.assumed_kernel('k', 64, 4096))\n"
        "assert 'fdt' in sys.modules\n"
    )
    top = Path(__file__).resolve().parents[3]
    argv = [sys.executable, "-W", "error", "-X", f"pycache_prefix={tmp_path}", "-c", code]
    result = subprocess.run(argv, cwd=top, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
