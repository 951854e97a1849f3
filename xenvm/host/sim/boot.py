"""What a simulated kernel finds out before it runs: it reads its image's header and the device tree from guest memory.

Where a real kernel could not go on, it panics, and the reason is in its own words. The protocols are those of Linux'
Documentation/arch/arm64/booting.rst and arch/arm/booting.rst, and its device tree binding arm/xen.txt.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import HypercallError
from xenvm.host.sim import devicetree
from xenvm.types import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from xenvm.host.hyper import VcpuContext
    from xenvm.host.sim.devicetree import Tree
    from xenvm.host.sim.sides import GuestSide

_GICS = ("arm,gic-v3", "arm,cortex-a15-gic", "arm,gic-400")
_SMALLEST, _BIGGEST = 2 << 20, 1 << 30
"""Sizes of a kernel that are believed."""
_TIMERS = ("arm,armv8-timer", "arm,armv7-timer")


class Panic(Exception):
    """Why a kernel cannot go on."""


class BootInfo(Value):
    """What a kernel knows of its machine; addresses and sizes in bytes."""

    model: str
    xen: str
    """The hypervisor's release, ``4.20``."""
    banks: tuple[tuple[int, int], ...]
    """(start, size) of RAM."""
    cpus: tuple[int, ...]
    """Affinity numbers."""
    bootargs: str
    initrd: tuple[int, int] | None
    """(start, end)."""
    kernel: tuple[int, int]
    """(start, end) of the image and what it needs behind it."""
    dtb: tuple[int, int]
    """(start, end)."""

    @property
    def pages(self) -> int:
        """RAM in pages."""
        return sum(size for _start, size in self.banks) // PAGE_SIZE


def info_from(state: dict[str, Any]) -> BootInfo:
    """From what BootInfo.as_dict gave, by way of JSON, which has no tuples."""
    return BootInfo(**{name: _tuples(value) for name, value in state.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def look_around(side: GuestSide) -> BootInfo:
    """Reads everything from guest memory; Panic if a kernel could not boot."""
    entry = side.entry()
    try:
        image_end = _image_end(side, entry)
        tree = _tree(side, entry.dtb)
        info = _info(tree, side, (entry.pc, image_end), entry.dtb)
    except HypercallError as error:
        raise Panic(f"Unable to handle kernel paging request: {error}") from None
    except (ValueError, KeyError) as error:
        raise Panic(f"device tree: {error}") from None
    _check_memory(side, info)
    _check_machine(tree)
    return info


def boot_log(info: BootInfo) -> Iterator[str]:
    """The first lines that a kernel prints."""
    yield f"Booting Linux on physical CPU 0x{info.cpus[0]:010x}"
    yield "Linux version 6.12.0 (a kernel simulated by xenvm: no instruction of the image is executed)"
    yield f"Machine model: {info.model}"
    yield f"Xen {info.xen} support found"
    yield f"Kernel command line: {info.bootargs}"
    yield f"Memory: {info.pages * 4}K/{info.pages * 4}K available"
    if info.initrd:
        yield f"Trying to unpack rootfs image as initramfs, {info.initrd[1] - info.initrd[0]} bytes"


def _image_end(side: GuestSide, entry: VcpuContext) -> int:
    """Where the image ends, as its header says it, once the header is found good."""
    header = side.read(entry.pc, 64)
    arm64 = header[:4] == b"\x08\x00\x00\x14" or header[56:60] == b"ARM\x64"
    # The entry of a zImage need not be at its header.
    if not (arm64 if entry.bits == 64 else any(header[:4])):
        raise Panic(f"undefined instruction at {entry.pc:#x}: no kernel is there")
    size = int.from_bytes(header[16:24], "little") if arm64 else 0
    return entry.pc + (size if _SMALLEST <= size <= _BIGGEST else _SMALLEST)


def _tree(side: GuestSide, at: int) -> Tree:
    if not at or at % 8:
        raise Panic(f"invalid device tree blob at physical address {at:#x}")
    try:
        size = devicetree.tree_size(side.read(at, 40))
        return devicetree.read_tree(side.read(at, size))
    except (ValueError, HypercallError) as error:
        raise Panic(f"invalid device tree blob at physical address {at:#x}: {error}") from None


def _info(tree: Tree, side: GuestSide, kernel: tuple[int, int], dtb: int) -> BootInfo:
    memory = [path for path, props in tree.items() if path.count("/") == 1 and props.get("device_type") == b"memory\0"]
    banks = tuple(bank for path in memory for bank in devicetree.ranges(tree, path) if bank[1])
    chosen = tree.get("/chosen", {})
    start, end = (
        int.from_bytes(chosen[name], "big") if name in chosen else 0
        for name in ("linux,initrd-start", "linux,initrd-end")
    )
    hypervisor = devicetree.compatible(tree.get("/hypervisor", {}))
    return BootInfo(
        model=tree["/"].get("model", b"unknown\0").rstrip(b"\0").decode("ascii", "replace"),
        xen=next((name.removeprefix("xen,xen-") for name in hypervisor if name.startswith("xen,xen-")), ""),
        banks=banks,
        cpus=tuple(devicetree.cells(props.get("reg", b""))[-1] for path, props in tree.items() if _is_cpu(path, props)),
        bootargs=chosen.get("bootargs", b"").rstrip(b"\0").decode("utf-8", "replace"),
        initrd=(start, end) if start or end else None,
        kernel=kernel,
        dtb=(dtb, dtb + devicetree.tree_size(side.read(dtb, 8))),
    )


def _is_cpu(path: str, props: dict[str, bytes]) -> bool:
    return path.startswith("/cpus/cpu@") and len(props.get("reg", b"")) >= 4


def _check_memory(side: GuestSide, info: BootInfo) -> None:
    if not info.banks:
        raise Panic("No usable memory found: the device tree has no memory node")
    if not _in_ram(info, info.kernel[0], info.kernel[0] + 64) or not _in_ram(info, *info.dtb):
        raise Panic("the kernel or its device tree lies outside of the memory that the tree describes")
    if info.initrd and not (info.initrd[0] < info.initrd[1] and _in_ram(info, *info.initrd)):
        start, end = info.initrd
        raise Panic(f"VFS: Unable to mount root fs: initrd {start:#x}-{end:#x} not in memory")
    for start, size in info.banks:
        for at in (start, start + size - PAGE_SIZE):
            try:
                side.read(at, 8)
            except HypercallError as error:
                raise Panic(f"synchronous external abort at {at:#x}: {error}") from None


def _in_ram(info: BootInfo, start: int, end: int) -> bool:
    return any(bank <= start and end <= bank + size for bank, size in info.banks)


def _check_machine(tree: Tree) -> None:
    kinds = {name for props in tree.values() for name in devicetree.compatible(props)}
    if not any(_is_cpu(path, props) for path, props in tree.items()):
        raise Panic("missing boot CPU: the device tree has no cpus")
    if not kinds.intersection(_GICS):
        raise Panic("No interrupt controller found.")
    if not kinds.intersection(_TIMERS):
        raise Panic("Unable to initialise architected timer.")
    hypervisor = tree.get("/hypervisor", {})
    if "xen,xen" not in kinds or not hypervisor.get("reg") or not hypervisor.get("interrupts"):
        raise Panic("VFS: Unable to mount root fs: no Xen, the device tree has no hypervisor node")
