"""What guest to build, as values: the meaning of a configuration, before any host is looked at.

Units are in the names' types; ``None`` means "not given, the host or Xen decides". Made from xl.cfg text by
:mod:`xenvm.guest.load`; consumed by :mod:`xenvm.guest.blueprint`.
"""

from __future__ import annotations

from xenbus.value import Value
from xenvm.types import KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenvm.guest.classes import ChannelSpec, P9Spec, PvcallsSpec, VdisplSpec, VkbSpec, VsndSpec

ACTIONS = (
    "destroy",
    "restart",
    "rename-restart",
    "preserve",
    "coredump-destroy",
    "coredump-restart",
    "soft-reset",
)
"""What may follow a shutdown, in xl.cfg's spelling."""


class DiskSpec(Value):
    """One vbd as configured (xl-disk-configuration(5))."""

    target: str
    vdev: str
    devid: int
    """The virtual device number that `vdev` stands for: xvda is 51712."""
    format: str = "raw"
    """raw, qcow, qcow2, vhd, qed or empty."""
    readwrite: bool = True
    cdrom: bool = False
    removable: bool = False
    backendtype: str | None = None
    """phy, tap, qdisk, standalone, or None: chosen from what the target is."""
    script: str | None = None
    backend: str = "0"
    """Name or domid of the back end's domain."""
    discard: bool | None = None
    direct_io_safe: bool = False
    specification: str = "xen"
    trusted: bool | None = None
    grant_usage: bool | None = None
    line: int = 0
    column: int = 0


class NicSpec(Value):
    """One vif as configured (xl-network-configuration(5))."""

    devid: int
    mac: str | None = None
    """Six lower-case hexadecimal groups joined by ':', or None: made at random at creation."""
    bridge: str | None = None
    gatewaydev: str | None = None
    ip: str | None = None
    script: str | None = None
    backend: str = "0"
    vifname: str | None = None
    model: str | None = None
    rate: tuple[int, int] | None = None
    """Bytes per interval, and the interval in microseconds."""
    mtu: int | None = None
    vlan: str | None = None
    trusted: bool | None = None
    line: int = 0
    column: int = 0


class Affinity(Value):
    """Where the vCPUs may run: for each vCPU the set of host CPUs, None where all."""

    hard: tuple[frozenset[int] | None, ...] = ()
    soft: tuple[frozenset[int] | None, ...] = ()


class IomemRange(Value):
    """Host pages that the guest sees: `count` pages from host frame `start`, at guest frame `gfn`."""

    start: int
    count: int
    gfn: int


class Scheduling(Value):
    """What the scheduler of the guest's cpupool is told; None: its default."""

    weight: int | None = None
    cap: int | None = None
    """Percent of one CPU."""
    period: int | None = None
    """Microseconds."""
    extratime: bool | None = None
    slice: int | None = None
    """Of a scheduler that is gone, as `latency` is: only in the record."""
    latency: int | None = None


class VirtioSpec(Value):
    """One virtio-mmio device other than a disk; its back end is a program that looks into the store."""

    type: str
    """``virtio,device22`` and the like: the number is that of the virtio standard."""
    backend: str = "0"
    grant_usage: bool | None = None
    """None: unless the back end is in domain 0."""


class Bootloader(Value):
    """A program in the host that finds kernel and ramdisk, in the first disk."""

    program: str
    arguments: tuple[str, ...] = ()
    user: str | None = None
    restrict: bool = False


class GuestSpec(Value):
    """A whole guest as configured, with xl's defaults filled in and all sizes checked against each other."""

    name: str
    kernel: str
    uuid: str | None = None
    """Lower-case 8-4-4-4-12 text, or None: made at random at creation."""
    ramdisk: str | None = None
    cmdline: str = ""
    memory: KiB = KiB(32 * 1024)
    maxmem: KiB = KiB(32 * 1024)
    vcpus: int = 1
    """vCPUs online at the start."""
    maxvcpus: int = 1
    affinity: Affinity = Affinity()
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    channels: tuple[ChannelSpec, ...] = ()
    p9s: tuple[P9Spec, ...] = ()
    vkbs: tuple[VkbSpec, ...] = ()
    vdispls: tuple[VdisplSpec, ...] = ()
    vsnds: tuple[VsndSpec, ...] = ()
    pvcalls: tuple[PvcallsSpec, ...] = ()
    virtios: tuple[VirtioSpec, ...] = ()
    on_poweroff: str = "destroy"
    on_reboot: str = "restart"
    on_watchdog: str = "destroy"
    on_crash: str = "destroy"
    on_soft_reset: str = "soft-reset"
    gic_version: str = "default"
    """default, v2 or v3."""
    vuart: bool = False
    device_tree: str | None = None
    """Path of a partial device tree blob."""
    nr_spis: int | None = None
    max_grant_frames: int = -1
    """-1: the hypervisor's default."""
    max_maptrack_frames: int = -1
    max_grant_version: int = 1
    max_event_channels: int = 1023
    passthrough: str = "default"
    """default, disabled or share_pt ("enabled" is share_pt on ARM)."""
    shadow_memory: KiB | None = None
    """Size of the p2m page pool, or None: computed from memory and vCPUs."""
    pool: str | None = None
    scheduling: Scheduling = Scheduling()
    llc_colors: tuple[int, ...] = ()
    sve: int = 0
    """Bits of a vector, 0: none, -1: the most that the host has."""
    tee: str = "none"
    """none, optee or ffa."""
    arm_sci: str = "none"
    """none or scmi_smc."""
    vpmu: bool = False
    trap_unmapped_accesses: bool = True
    seclabel: str | None = None
    init_seclabel: str | None = None
    """The label until the guest is built."""
    driver_domain: bool = False
    claim: bool = False
    xenstore_feature_mask: int | None = None
    xenstore_quota: tuple[tuple[str, int], ...] = ()
    bootloader: Bootloader | None = None
    nomigrate: bool | None = None
    """Only in the record, as the next two."""
    localtime: bool | None = None
    rtc_timeoffset: int | None = None
    irqs: tuple[int, ...] = ()
    iomem: tuple[IomemRange, ...] = ()
    dtdev: tuple[str, ...] = ()
    source: str = ""
    """The file that the configuration came from, for messages."""
    places: Mapping[str, tuple[int, int]] | None = None
    """Line and column of the settings by key, for errors found later (a missing kernel file, say); none of settings
    from the command line."""

    @property
    def is_plain(self) -> bool:
        """Whether it has nothing of what few guests have, so that the code for that need not be loaded."""
        return all(getattr(self, field) == default for field, default in _RARE.items())


_RARE: dict[str, object] = {
    **dict.fromkeys(("channels", "p9s", "vkbs", "vdispls", "vsnds", "pvcalls", "virtios"), ()),
    "scheduling": Scheduling(),
    "llc_colors": (),
    "sve": 0,
    "tee": "none",
    "arm_sci": "none",
    "vpmu": False,
    "trap_unmapped_accesses": True,
    "seclabel": None,
    "init_seclabel": None,
    "claim": False,
    "xenstore_feature_mask": None,
    "xenstore_quota": (),
    **dict.fromkeys(("bootloader", "nomigrate", "localtime", "rtc_timeoffset")),
    "driver_domain": False,
}
"""Fields of what few guests have, and their defaults."""
