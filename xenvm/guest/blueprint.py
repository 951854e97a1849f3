"""The blueprint: a guest and a host's facts put together, checked as far as can be without touching anything.

From here on nothing about the configuration is left open but what only Xen can answer: the domid, the interrupt
controller it gave, the ports.
"""

from __future__ import annotations

import os

from xenbus.value import Value
from xenvm.errors import ConfigError, UnsupportedError
from xenvm.guest import dtb, image, layout
from xenvm.guest.spec import Affinity, DiskSpec, GuestSpec
from xenvm.types import KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import DiskSpec, NicSpec

DEFAULT_BRIDGE = "xenbr0"

_GUEST_TYPES = {64: "aarch64", 32: "armv7l"}
_MAX_VCPUS = {"v2": 8, "v3": 128, "default": 128}


class HostFacts(Value):
    """What a plan needs to know of the host."""

    release: tuple[int, int]
    """Xen's (major, minor)."""
    capabilities: str = "xen-3.0-aarch64 xen-3.0-armv7l"
    gpaddr_bits: int = 40
    directio: bool = False
    """Whether Xen drives an IOMMU."""
    cpus: frozenset[int] = frozenset(range(128))
    sve_bits: int | None = None
    """The longest vectors that guests can have, 0: none; None: not known, here as below."""
    vpmu: bool | None = None


class Blueprint(Value):
    """A guest that is ready to be built."""

    spec: GuestSpec
    """With uuid, MACs, bridges and scripts chosen."""
    uuid: str
    facts: HostFacts
    kernel: image.Kernel
    ramdisk: image.Blob | None
    banks: tuple[layout.Region, ...]
    nr_spis: int
    paging_pool: int
    """Bytes for the guest's p2m page tables."""
    passthrough: bool

    @property
    def memory_limit(self) -> KiB:
        """What the domain may own while it is built: its RAM, and a MiB for the pages shared with back ends."""
        return limit_for(self.spec.maxmem)

    @property
    def need(self) -> KiB:
        """All memory that building it takes from the host."""
        return KiB(self.spec.maxmem + self.paging_pool // 1024 + 2048)


def limit_for(target: KiB) -> KiB:
    """What a domain may own whose RAM is to be `target`: a MiB more, for the pages shared with back ends."""
    return KiB(target + 1024)


def draw(
    spec: GuestSpec, facts: HostFacts, kernel: image.Kernel | None = None, ramdisk: image.Blob | None = None
) -> Blueprint:
    """Puts a guest and a host together; raises ConfigError, ImageError or UnsupportedError.

    `kernel` and `ramdisk` are what the files of the configuration are, unless they are to be looked at here.
    """
    if spec.bootloader is not None:
        raise _at(spec, "bootloader", "only a creation has the bootloader look for the kernel")
    kernel = kernel or image.open_kernel(spec.kernel)
    ramdisk = ramdisk or (image.open_ramdisk(spec.ramdisk) if spec.ramdisk else None)
    _check_host(spec, facts, kernel)
    spec = spec.replace(affinity=_on_host(spec.affinity, facts.cpus))
    banks = layout.banks_for(spec.maxmem)
    spec = settled(spec)
    assert spec.uuid is not None
    pool = spec.shadow_memory * 1024 if spec.shadow_memory else layout.paging_pool_bytes(spec.maxmem, spec.maxvcpus)
    _check_iomem(spec, banks)
    _check_placement(spec, facts, kernel, ramdisk)
    dtb.load_package()
    return Blueprint(
        spec=spec,
        uuid=spec.uuid,
        facts=facts,
        kernel=kernel,
        ramdisk=ramdisk,
        banks=banks,
        nr_spis=layout.spis_for(spec.irqs, spec.vuart, facts.release, spec.nr_spis, len(spec.virtios)),
        paging_pool=pool,
        passthrough=_passthrough(spec, facts),
    )


def _on_host(affinity: Affinity, cpus: frozenset[int]) -> Affinity:
    """Without the CPUs that the host does not have."""
    hard, soft = ([mask and mask & cpus for mask in masks] for masks in (affinity.hard, affinity.soft))
    return Affinity(tuple(hard), tuple(soft))


def settled(spec: GuestSpec) -> GuestSpec:
    """The same guest with everything chosen that it keeps over reboots: its uuid, its MACs, its bridges."""
    return spec.replace(uuid=spec.uuid or random_uuid(), nics=tuple(map(chosen_nic, spec.nics)))


def located(spec: GuestSpec) -> GuestSpec:
    """The same guest with the whole paths of its files: whoever makes it again may do so in another folder."""
    return spec.replace(
        kernel=_whole(spec.kernel),
        ramdisk=spec.ramdisk and _whole(spec.ramdisk),
        device_tree=spec.device_tree and _whole(spec.device_tree),
        disks=tuple(map(located_disk, spec.disks)),
    )


def located_disk(disk: DiskSpec) -> DiskSpec:
    """The same for a disk, unless its script knows what the target means."""
    return disk if disk.script else disk.replace(target=_whole(disk.target))


def _whole(path: str) -> str:
    """What is not in this folder (a disk may be named as it is in /dev) is left as it is."""
    return os.path.abspath(path) if os.path.exists(path) else path


def _check_placement(spec: GuestSpec, facts: HostFacts, kernel: image.Kernel, ramdisk: image.Blob | None) -> None:
    """Images that do not fit, or a partial tree that is none, are found before Xen is asked for anything."""
    assumed = dtb.TreeFacts(xen=facts.release, gpaddr_bits=facts.gpaddr_bits)
    dtb.lay_out(spec, kernel, ramdisk.size if ramdisk else 0, assumed)


def _check_iomem(spec: GuestSpec, banks: tuple[layout.Region, ...]) -> None:
    try:
        layout.check_iomem(layout.occupied(banks, spec.gic_version, spec.vuart), spec.iomem)
    except ConfigError as error:
        raise _at(spec, "iomem", error.reason) from None


def _check_host(spec: GuestSpec, facts: HostFacts, kernel: image.Kernel) -> None:
    if _GUEST_TYPES[kernel.bits] not in facts.capabilities:
        raise UnsupportedError(f"{kernel.path}: a {kernel.bits}-bit guest, which this host cannot run")
    limit = _MAX_VCPUS[spec.gic_version]
    if spec.maxvcpus > limit:
        key = "maxvcpus" if "maxvcpus" in (spec.places or {}) else "vcpus"
        raise _at(spec, key, f"{spec.maxvcpus} vCPUs are too many: a GIC{spec.gic_version} has at most {limit}")
    for key, sets in (("cpus", spec.affinity.hard), ("cpus_soft", spec.affinity.soft)):
        if any(wanted is not None and not wanted & facts.cpus for wanted in sets):
            raise _at(spec, key, f"{key}: this host has none of these CPUs, only 0 to {max(facts.cpus)}")
    for disk in spec.disks:
        check_disk(disk, spec.source)
    if not spec.is_plain:
        from xenvm.guest.special import check_special

        check_special(spec, facts, kernel.bits)


def check_disk(disk: DiskSpec, source: str = "") -> None:
    """xenvm starts no QEMU: what only QEMU could serve is refused rather than left unconnected; ConfigError."""
    reasons = (
        (disk.format != "raw", f"format {disk.format} needs QEMU, which xenvm does not start: convert it to raw"),
        (
            disk.backendtype not in (None, "phy"),
            f"backendtype {disk.backendtype} is not served by the kernel",
        ),
        (disk.specification != "xen", "a virtio disk is no xenbus device"),
        (disk.cdrom, "Linux on ARM ignores CD-ROM vbds: give the medium as a read-only disk"),
    )
    for wrong, reason in reasons:
        if wrong:
            raise ConfigError(f"disk {disk.vdev}: {reason}", source=source, line=disk.line, column=disk.column)


def _passthrough(spec: GuestSpec, facts: HostFacts) -> bool:
    wanted = bool(spec.dtdev) if spec.passthrough == "default" else spec.passthrough != "disabled"
    if spec.dtdev and not wanted:
        raise _at(spec, "passthrough", "passthrough is disabled, but there are devices in dtdev")
    if wanted and not facts.directio:
        raise UnsupportedError(f"{spec.source or 'config'}: passthrough needs an IOMMU that Xen drives; there is none")
    return wanted


def _at(spec: GuestSpec, key: str, reason: str) -> ConfigError:
    line, column = (spec.places or {}).get(key, (0, 0))
    return ConfigError(reason, source=spec.source, line=line, column=column)


def chosen_nic(nic: NicSpec) -> NicSpec:
    """The same vif with its MAC and its bridge chosen."""
    from xenvm.guest.vif import random_mac

    return nic.replace(mac=nic.mac or random_mac(), bridge=nic.bridge or DEFAULT_BRIDGE)


def random_uuid() -> str:
    """A random uuid in text (RFC 9562, version 4)."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
