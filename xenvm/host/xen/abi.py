"""Layouts of Xen's unstable structures by release, 4.14 to 4.22 (public headers domctl.h, sysctl.h, arch-arm.h).

Pure: bytes in, values out. Offsets are absolute within the 144 bytes of a domctl or the 136 of a sysctl. A release, not
the interface number, selects a layout: domctl 0x17 stands for three of them.
"""

from __future__ import annotations

from struct import calcsize, pack, pack_into, unpack_from

from xenbus.value import Value
from xenvm.errors import UnsupportedError
from xenvm.host.hyper import CreateRequest, DomainInfo, PhysInfo, VcpuContext
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DOMCTL_SIZE, SYSCTL_SIZE = 144, 136
DOMCTL_BODY = 0x10
"""Where the operation's own structure begins."""

DOMID_FIRST_RESERVED = 0x7FF0
DOMID_ANY = 0x7FF5
"""Lets Xen choose the domid; up to 4.21 every reserved number did."""

_CONTEXT_OLD, _CONTEXT = "<I4x31QQII4I3Q4Q", "<I4x31QQQQ4I3Q4Q"
_INFO = "<H2xI7QIII16sI"

FLAG_IOMMU, FLAG_VPMU, FLAG_TRAP_UNMAPPED = 0x20, 0x80, 0x100
ENTRY_PSTATE = 0x3C5
"""EL1h, debug, SError, IRQ and FIQ masked."""
ENTRY_SCTLR = 0x00C50078
"""MMU and caches off, the reserved bits as one."""


class Layout(Value):
    """What one release differs in."""

    release: tuple[int, int]
    domctl: int
    """Interface number of domctl."""
    sysctl: int
    arch: int
    """Offset of xen_arch_domainconfig in createdomain."""
    grant_opts: int | None = None
    """Offset in createdomain, or None: not there."""
    cpupool: int | None = None
    flags: int = 0x3
    """createdomain: hvm and hap, which ARM demands; from 4.21 also faults on unmapped addresses."""
    info_size: int = 120
    """Bytes of struct getdomaininfo, and the stride of a list of them."""
    wide_psr: bool = True
    """cpsr and spsr_el1 of a vCPU context are of 64 bits."""
    arch_caps: bool = True
    """physinfo has arch_capabilities, and what follows lies 8 bytes further."""
    mempool: bool = True
    """set_paging_mempool_size; before it, a point release may have the pool in shadow_op."""
    psr32: int = 0x400001D3
    """Entry state of a 32-bit guest: SVC, A, I and F masked."""


_BEFORE_4_17: dict[str, Any] = {"arch_caps": False, "mempool": False, "psr32": 0x1D3}
_BEFORE_4_16: dict[str, Any] = {"info_size": 112, "wide_psr": False}

LAYOUTS = {
    layout.release: layout
    for layout in (
        Layout((4, 14), 0x12, 0x13, 0x3C, **_BEFORE_4_17, **_BEFORE_4_16),
        Layout((4, 15), 0x13, 0x13, 0x40, **_BEFORE_4_17, **_BEFORE_4_16),
        Layout((4, 16), 0x14, 0x14, 0x44, 0x3C, **_BEFORE_4_17),
        Layout((4, 17), 0x15, 0x15, 0x48, 0x3C, 0x44),
        Layout((4, 18), 0x16, 0x15, 0x48, 0x3C, 0x44),
        Layout((4, 19), 0x17, 0x15, 0x4C, 0x3C, 0x48),
        Layout((4, 20), 0x17, 0x15, 0x4C, 0x3C, 0x48),
        Layout((4, 21), 0x17, 0x16, 0x4C, 0x3C, 0x48, 0x103),
        Layout((4, 22), 0x18, 0x16, 0x4C, 0x3C, 0x48, 0x103),
    )
}
OLDEST, NEWEST = min(LAYOUTS), max(LAYOUTS)


def layout_of(release: tuple[int, int]) -> Layout:
    """The layouts of a release; UnsupportedError if it is not known."""
    if release in LAYOUTS:
        return LAYOUTS[release]
    name, oldest, newest = ("{}.{}".format(*each) for each in (release, OLDEST, NEWEST))
    if release < OLDEST:
        raise UnsupportedError(f"Xen {name} is too old: {oldest} is the oldest that xenvm knows")
    raise UnsupportedError(
        f"Xen {name} is newer than all that xenvm knows: XENVM_XEN_ABI={newest} takes the structures of {newest}"
    )


def parse_release(text: str) -> tuple[int, int]:
    """``"4.20"`` -> (4, 20)."""
    major, dot, minor = text.partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal()):
        raise UnsupportedError(f"{text!r} is not a Xen release such as 4.20")
    return int(major), int(minor)


def encode_domctl(layout: Layout, cmd: int, domid: int, body: bytes = b"") -> bytes:
    """A whole domctl, padded with zeros (Xen checks padding)."""
    return (pack("<IIH6x", cmd, layout.domctl, domid) + body).ljust(DOMCTL_SIZE, b"\0")


def encode_sysctl(layout: Layout, cmd: int, body: bytes = b"") -> bytes:
    """A whole sysctl, padded with zeros."""
    return (pack("<II", cmd, layout.sysctl) + body).ljust(SYSCTL_SIZE, b"\0")


def encode_createdomain(layout: Layout, request: CreateRequest) -> bytes:
    """The 144 bytes of createdomain."""
    domid = DOMID_ANY if request.domid is None else request.domid
    message = bytearray(encode_domctl(layout, 1, domid))
    flags = layout.flags | (FLAG_IOMMU if request.iommu else 0) | (FLAG_VPMU if request.vpmu else 0)
    if not request.trap_unmapped:
        flags &= ~FLAG_TRAP_UNMAPPED
    limits = request.max_vcpus, request.max_evtchn_port, request.max_grant_frames, request.max_maptrack_frames
    pack_into("<I16sIIIIii", message, 0x10, request.ssidref, uuid_bytes(request.uuid), flags, 0, *limits)
    if layout.grant_opts is not None:
        pack_into("<I", message, layout.grant_opts, request.max_grant_version)
    if layout.cpupool is not None:
        pack_into("<I", message, layout.cpupool, request.cpupool)
    arch = _GIC_CODE[request.gic_version], request.sve_bits // 128, _TEE_CODE[request.tee], request.nr_spis
    pack_into("<BBHI", message, layout.arch, *arch)
    if request.sci != "none":
        pack_into("<B", message, layout.arch + 12, _SCMI_SMC)  # from 4.21 on; the caller knows
    return bytes(message)


def decode_created(layout: Layout, message: bytes | memoryview) -> tuple[Domid, int, int]:
    """What createdomain gave back: domid, GIC version (2 or 3), clock frequency in Hz or 0."""
    (domid,) = unpack_from("<H", message, 8)
    gic, clock = unpack_from("<B7xI", message, layout.arch)
    return Domid(domid), gic + 1, clock


_GIC_CODE = {0: 0, 2: 1, 3: 2}
_TEE_CODE = {"none": 0, "optee": 1, "ffa": 2}
_SCMI_SMC = 1


def decode_info(layout: Layout, data: bytes | memoryview, offset: int) -> DomainInfo:
    """One struct getdomaininfo at `offset`."""
    domid, flags, *rest = unpack_from(_INFO, data, offset)
    tot, limit, outstanding, _shared, _paged, _frame, cpu_time, online, last_vcpu, ssidref, handle, pool = rest
    (bits,) = unpack_from("<B", data, offset + 0x60) if layout.info_size == 120 else (40,)
    return DomainInfo(
        domid=Domid(domid),
        uuid=uuid_text(handle),
        dying=bool(flags & 1),
        shutdown=bool(flags & 4),
        paused=bool(flags & 8),
        blocked=bool(flags & 16),
        running=bool(flags & 32),
        # Before a shutdown the reason's bits are all ones.
        shutdown_code=flags >> 16 & 0xFF if flags & 4 else None,
        tot_pages=tot,
        max_pages=limit,
        outstanding_pages=outstanding,
        cpu_time=cpu_time,
        nr_online_vcpus=online,
        max_vcpu_id=-1 if last_vcpu == 0xFFFFFFFF else last_vcpu,
        ssidref=ssidref,
        cpupool=pool,
        gpaddr_bits=bits,
    )


def decode_physinfo(layout: Layout, message: bytes | memoryview) -> PhysInfo:
    """The host's resources from a whole sysctl."""
    threads, cores, cpus, last_cpu, nodes, _last_node, khz, caps = unpack_from("<8I", message, 0x08)
    (arch_caps,) = unpack_from("<I", message, 0x28) if layout.arch_caps else (0,)
    memory = unpack_from("<5Q8I", message, 0x30 if layout.arch_caps else 0x28)
    return PhysInfo(
        nr_cpus=cpus,
        max_cpu_id=last_cpu,
        total_pages=memory[0],
        free_pages=memory[1],
        scrub_pages=memory[2],
        outstanding_pages=memory[3],
        threads_per_core=threads,
        cores_per_socket=cores,
        nr_nodes=nodes,
        cpu_khz=khz,
        capabilities=caps,
        arch_capabilities=arch_caps,
        hw_cap=memory[5:],
    )


def encode_entry(layout: Layout, entry: VcpuContext) -> bytes:
    """struct vcpu_guest_context of an online vCPU 0 at the kernel's entry."""
    arguments = [0] * 31
    if entry.bits == 64:
        arguments[0] = entry.dtb
        psr = ENTRY_PSTATE
    else:
        # The boot protocol of 32-bit ARM: r1 is a machine number that means "look into the tree".
        arguments[1:3] = 0xFFFFFFFF, entry.dtb
        psr = layout.psr32
    zeros = (0,) * 8
    shape = _CONTEXT if layout.wide_psr else _CONTEXT_OLD
    return pack(shape, 1, *arguments, entry.pc, psr, *zeros, ENTRY_SCTLR, 0, 0, 0)


def context_size(layout: Layout) -> int:
    """Bytes of struct vcpu_guest_context."""
    return calcsize(_CONTEXT if layout.wide_psr else _CONTEXT_OLD)


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a uuid in the order of its text."""
    handle = bytes.fromhex(text.replace("-", ""))
    if len(handle) != 16:
        raise ValueError(f"{text!r} is not a uuid")
    return handle


def uuid_text(handle: bytes) -> str:
    """Lower-case 8-4-4-4-12 text of a domain's handle."""
    digits = handle.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
