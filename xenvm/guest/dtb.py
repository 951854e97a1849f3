"""The device tree that a guest is given: node for node and property for property the one that libxl makes.

Bindings: Linux' Documentation/devicetree/bindings (arm/xen.yaml, arm/psci.yaml, interrupt-controller/arm,gic*.yaml,
timer/arm,arch_timer.yaml). The plain tree is made here; the fdt package turns it into a blob.
"""

from __future__ import annotations

import os
from struct import pack

from xenbus import frugal
from xenbus.value import Value
from xenvm.errors import ConfigError, ImageError
from xenvm.guest import image, layout
from xenvm.guest.fdtblob import HEADER_SIZE, Node, read_partial
from xenvm.guest.layout import GIC_PHANDLE, MemoryLayout, Region, round_up
from xenvm.types import PAGE_SIZE, Gpa

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from xenvm.guest.blueprint import Blueprint
    from xenvm.guest.spec import GuestSpec
    from xenvm.guest.virtio import VirtioDevice

    Property: TypeAlias = tuple[str, bytes]

MAX_SIZE = 1 << 20
"""Limit of a tree, libxl's."""
SEED_SIZE = 128
_PPI, _SPI = 1, 0
_LEVEL_LOW, _LEVEL_HIGH = 0xF08, 0xF04
"""Trigger of an interrupt, and the mask of all eight CPUs of a GICv2."""
_EVENT_PPI = 15
_TIMER_PPIS = (13, 14, 11)
"""Secure, non-secure and virtual timer."""


class TreeFacts(Value):
    """What a host tells about a guest's tree; the defaults are those of a plausible machine, for looking only."""

    xen: tuple[int, int] = (4, 20)
    gic: int = 3
    """The version that createdomain returned: 2 or 3."""
    clock_frequency: int = 0
    """In Hz; 0: the guest asks its timer."""
    gpaddr_bits: int = 40
    rng_seed: bytes | None = None
    """128 random bytes, used from Xen 4.16 on; None: the guest gets no seed."""


class TreeInput(Value):
    """All facts of a guest's tree; equal inputs make equal bytes."""

    xen: tuple[int, int]
    gic: int
    bits: int
    max_vcpus: int
    banks: tuple[Region, ...]
    regions: tuple[Region, ...] = ()
    """Extended regions."""
    bootargs: str = ""
    initrd: Region | None = None
    clock_frequency: int = 0
    vuart: bool = False
    optee: bool = False
    virtios: tuple[VirtioDevice, ...] = ()
    rng_seed: bytes | None = None
    partial: tuple[Node, ...] = ()
    """Further nodes of the root: /passthrough and /aliases."""


def tree_input(spec: GuestSpec, bits: int, facts: TreeFacts, initrd: Region | None = None) -> TreeInput:
    """The facts of a guest's tree. ConfigError: memory that no guest can have; HostError: nor a guest of this host;
    ImageError: the partial device tree."""
    banks = layout.banks_for(spec.maxmem)
    layout.check_width(banks, facts.gpaddr_bits)
    return TreeInput(
        xen=facts.xen,
        gic=facts.gic,
        bits=bits,
        max_vcpus=spec.maxvcpus,
        banks=banks,
        regions=layout.extended_regions(banks, facts.gpaddr_bits, facts.xen, spec.iomem),
        bootargs=spec.cmdline,
        initrd=initrd,
        clock_frequency=facts.clock_frequency,
        vuart=spec.vuart,
        optee=spec.tee == "optee",
        virtios=_virtios(spec),
        rng_seed=facts.rng_seed if facts.xen >= (4, 16) else None,
        partial=read_partial(spec.device_tree) if spec.device_tree else (),
    )


def _virtios(spec: GuestSpec) -> tuple[VirtioDevice, ...]:
    if not spec.virtios:
        return ()
    from xenvm.guest import virtio

    return virtio.placed(spec.virtios)


def lay_out(
    spec: GuestSpec, kernel: image.Kernel, initrd_size: int, facts: TreeFacts
) -> tuple[MemoryLayout, TreeInput]:
    """Places a guest's segments and completes the facts of its tree. ConfigError (of the memory), HostError,
    ImageError (of the partial device tree)."""
    try:
        # The ramdisk's address changes nothing in the tree's size.
        draft = tree_input(spec, kernel.bits, facts, Region(Gpa(0), initrd_size) if initrd_size else None)
        placed = layout.place(draft.banks, kernel.region, initrd_size, draft_size(draft))
    except ConfigError as error:
        places = spec.places or {}
        line, column = places.get("maxmem") or places.get("memory") or (0, 0)
        raise ConfigError(error.reason, source=spec.source, line=line, column=column) from None
    return placed, draft.replace(initrd=placed.initrd)


def for_guest(plan: Blueprint, gic: int, clock_frequency: int) -> tuple[MemoryLayout, bytes]:
    """Placement and device tree of a guest that Xen has created, with the `gic` and `clock_frequency` that it gave.

    The tree has a fresh random seed. ConfigError, HostError, ImageError (of the partial device tree).
    """
    facts = TreeFacts(plan.facts.release, gic, clock_frequency, plan.facts.gpaddr_bits, os.urandom(SEED_SIZE))
    initrd_size = plan.ramdisk.size if plan.ramdisk else 0
    placed, guest = lay_out(plan.spec, plan.kernel, initrd_size, facts)
    return placed, build(guest)


def offline_tree(
    spec: GuestSpec, facts: TreeFacts, kernel: image.Kernel | None = None, initrd_size: int | None = None
) -> bytes:
    """The tree that a guest would get on a host of these facts.

    The kernel and the ramdisk's size are read from the guest's files unless they are given (see
    :func:`xenvm.guest.image.assumed_kernel`). ConfigError, HostError, ImageError.
    """
    if initrd_size is None:
        initrd_size = image.open_ramdisk(spec.ramdisk).size if spec.ramdisk else 0
    return build(lay_out(spec, kernel or image.open_kernel(spec.kernel), initrd_size, facts)[1])


def build(guest: TreeInput) -> bytes:
    """The flattened tree, version 17. ConfigError if it has more than 1 MiB; ImageError for a partial tree that the
    fdt package cannot write."""
    if "\0" in guest.bootargs:
        raise ConfigError("the kernel's command line has a NUL character")
    blob = _emit(tree(guest))
    if len(blob) > MAX_SIZE:
        raise ConfigError(f"the guest's device tree has {len(blob)} bytes, more than 1 MiB")
    return blob


def draft_size(guest: TreeInput) -> int:
    """Size in bytes of the tree as libxl makes it before the guest has RAM: with both memory nodes and with room for
    all extended regions that there could be. That size decides where things are placed in small guests."""
    regions = 256 if guest.xen >= (4, 21) else 2 if guest.xen >= (4, 16) else 0
    draft = tree(
        guest.replace(
            banks=layout.RAM_BANKS,
            regions=(layout.GRANT_TABLE,) * regions,
            rng_seed=bytes(SEED_SIZE) if guest.xen >= (4, 16) else None,
        )
    )
    struct, names = _measure(draft, "")
    # libfdt aligns the empty reserve map behind the header to its own size.
    return round_up(HEADER_SIZE, 16) + 16 + struct + 4 + len(names)


def tree(guest: TreeInput) -> Node:
    """The guest's tree as plain nodes."""
    return Node(
        "",
        (
            ("model", _text(f"XENVM-{_release(guest)}")),
            ("compatible", _text(f"xen,xenvm-{_release(guest)}", "xen,xenvm")),
            ("interrupt-parent", _cells(GIC_PHANDLE)),
            ("#address-cells", _cells(2)),
            ("#size-cells", _cells(2)),
        ),
        (
            _chosen(guest),
            _cpus(guest),
            _psci(),
            *(_memory(bank) for bank in guest.banks),
            _gic(guest.gic),
            _timer(guest),
            _hypervisor(guest),
            *((_vuart(),) if guest.vuart else ()),
            *((_optee(),) if guest.optee else ()),
            *_virtio_nodes(guest),
            *guest.partial,
        ),
    )


def _chosen(guest: TreeInput) -> Node:
    props: list[Property] = []
    if guest.bootargs:
        props.append(("bootargs", guest.bootargs.encode("utf-8", "surrogateescape") + b"\0"))
    if guest.initrd:
        end = guest.initrd.start + round_up(guest.initrd.size, PAGE_SIZE)
        props.append(("linux,initrd-start", pack(">Q", guest.initrd.start)))
        props.append(("linux,initrd-end", pack(">Q", end)))
    if guest.rng_seed:
        props.append(("rng-seed", guest.rng_seed))
    return Node("chosen", tuple(props))


def _cpus(guest: TreeInput) -> Node:
    common = (
        ("device_type", b"cpu\0"),
        ("compatible", b"arm,armv8\0" if guest.bits == 64 else b"arm,cortex-a15\0"),
        ("enable-method", b"psci\0"),
    )
    cpus = tuple(Node(f"cpu@{mpidr:x}", (*common, ("reg", _cells(mpidr)))) for mpidr in _mpidrs(guest.max_vcpus))
    return Node("cpus", (("#address-cells", _cells(1)), ("#size-cells", _cells(0))), cpus)


def _mpidrs(count: int) -> list[int]:
    """Affinity numbers as Xen gives them: clusters of 16."""
    return [i & 15 | (i >> 4) << 8 for i in range(count)]


def _psci() -> Node:
    return Node(
        "psci",
        (
            ("compatible", _text("arm,psci-1.0", "arm,psci-0.2", "arm,psci")),
            ("method", b"hvc\0"),
            ("cpu_off", _cells(1)),
            ("cpu_on", _cells(2)),
        ),
    )


def _memory(bank: Region) -> Node:
    return Node(f"memory@{bank.start:x}", (("device_type", b"memory\0"), ("reg", _reg(bank))))


def _gic(version: int) -> Node:
    if version == 2:
        compatible = _text("arm,cortex-a15-gic", "arm,cortex-a9-gic")
        reg = _reg(Region(layout.GICD, 0x1000), Region(layout.GICV2_CPU, 0x2000))
    else:
        compatible = _text("arm,gic-v3")
        reg = _reg(Region(layout.GICD, 0x10000), layout.GICV3_REDISTRIBUTORS)
    return Node(
        f"interrupt-controller@{layout.GICD:x}",
        (
            ("compatible", compatible),
            ("#interrupt-cells", _cells(3)),
            ("#address-cells", _cells(0)),
            ("interrupt-controller", b""),
            ("reg", reg),
            ("linux,phandle", _cells(GIC_PHANDLE)),
            ("phandle", _cells(GIC_PHANDLE)),
        ),
    )


def _timer(guest: TreeInput) -> Node:
    props: tuple[Property, ...] = (
        ("compatible", b"arm,armv8-timer\0" if guest.bits == 64 else b"arm,armv7-timer\0"),
        *_interrupts(*((_PPI, ppi, _LEVEL_LOW) for ppi in _TIMER_PPIS)),
    )
    if guest.clock_frequency:
        props += (("clock-frequency", _cells(guest.clock_frequency)),)
    return Node("timer", props)


def _hypervisor(guest: TreeInput) -> Node:
    return Node(
        "hypervisor",
        (
            ("compatible", _text(f"xen,xen-{_release(guest)}", "xen,xen")),
            ("reg", _reg(layout.GRANT_TABLE, *guest.regions)),
            *_interrupts((_PPI, _EVENT_PPI, _LEVEL_LOW)),
        ),
    )


def _vuart() -> Node:
    return Node(
        "sbsa-pl011",
        (
            ("compatible", b"arm,sbsa-uart\0"),
            ("reg", _reg(layout.VUART)),
            *_interrupts((_SPI, layout.VUART_SPI - layout.FIRST_SPI, _LEVEL_HIGH)),
            ("current-speed", _cells(115200)),
        ),
    )


def _optee() -> Node:
    optee = Node("optee", (("compatible", b"linaro,optee-tz\0"), ("method", b"hvc\0")))
    return Node("firmware", (), (optee,))


def _virtio_nodes(guest: TreeInput) -> tuple[Node, ...]:
    if not guest.virtios:
        return ()
    from xenvm.guest import virtio

    return virtio.tree_nodes(guest.virtios)


def _interrupts(*triples: tuple[int, int, int]) -> tuple[Property, Property]:
    cells = [cell for triple in triples for cell in triple]
    return ("interrupts", _cells(*cells)), ("interrupt-parent", _cells(GIC_PHANDLE))


def _release(guest: TreeInput) -> str:
    return "{}.{}".format(*guest.xen)


def _text(*texts: str) -> bytes:
    return "".join(f"{text}\0" for text in texts).encode("ascii")


def _cells(*cells: int) -> bytes:
    return pack(f">{len(cells)}I", *cells)


def _reg(*regions: Region) -> bytes:
    return b"".join(pack(">QQ", region.start, region.size) for region in regions)


def _measure(node: Node, names: str) -> tuple[int, str]:
    """Bytes of a node in the structure block, and the strings block grown by its names (a suffix is shared)."""
    size = 8 + round_up(len(node.name) + 1, 4)
    for name, value in node.props:
        size += 12 + round_up(len(value), 4)
        if name + "\0" not in names:
            names += name + "\0"
    for child in node.nodes:
        more, names = _measure(child, names)
        size += more
    return size, names


def _emit(root: Node) -> bytes:
    fdt = _fdt()
    flat = fdt.FDT(entries=[])  # The default is a list that all instances share.
    flat.root = _convert(fdt, root)
    blob: bytes = flat.to_dtb(version=17, last_comp_version=16)
    return blob


def _convert(fdt: Any, node: Node) -> Any:
    made = fdt.Node(node.name or "/")
    for name, value in node.props:
        if name.endswith("_with_references"):
            # The package keeps such names for itself and would leave the property out.
            raise ImageError("device tree", f"a property cannot be called {name}")
        made.append(fdt.PropBytes(name, data=value))
    for child in node.nodes:
        made.append(_convert(fdt, child))
    return made


def load_package() -> None:
    """Imports what `build` needs, so that its absence is found before a domain is touched; ImportError."""
    _fdt()


_PRINTABLE = "".join(map(chr, (*range(9, 14), *range(32, 127))))
_FDT_STAND_INS = {"re": frugal.Deferred("re"), "string": frugal.Deferred("string", printable=_PRINTABLE)}
"""Both are for the package's readers, which are not used here."""


def _fdt() -> Any:
    """Imports the package, quietly: its source has an invalid escape sequence that newer Pythons warn about."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return frugal.load("fdt", _FDT_STAND_INS)
