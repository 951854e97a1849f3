"""The machine that is simulated: its Xen, its processors, its memory, and what of it guests may have."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.errors import UnsupportedError
from xenvm.host.hyper import VersionInfo, XenVersion

RELEASES = ((4, 17), (4, 20), (4, 22))
"""Releases of Xen whose behaviour is known."""
_DIRECTIO, _HVM_HAP, _VPMU, _GNTTAB_V1 = 1 << 2, 1 << 0 | 1 << 3, 1 << 7, 1 << 8


class Machine(Value):
    """What a simulated host is made of; memory in MiB."""

    xen: tuple[int, int] = (4, 20)
    """One of RELEASES."""
    memory: int = 65536
    """What guests can have, apart from that of domain 0."""
    dom0_memory: int = 1024
    cpus: int = 4
    gic: int = 3
    """2 or 3: the only version that guests can have."""
    iommu: bool = False
    arm32: bool = True
    """Whether the processors run 32-bit kernels."""
    gpaddr_bits: int = 40
    pools: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """More cpupools: their numbers and processors, which pool 0 then lacks."""
    iomem: tuple[tuple[int, int], ...] = ()
    """Frames of devices that domain 0 may give away: first, count."""
    irqs: tuple[int, ...] = ()
    """Shared interrupts that domain 0 may give away."""
    dt_devices: tuple[str, ...] = ()
    """Paths of devices that are behind the IOMMU, and marked for guests."""
    scheduler: str = "credit2"
    """Of all cpupools: credit, credit2, rtds or null."""
    sve_bits: int = 0
    """The longest vectors that guests can have."""
    vpmu: bool = False
    """Whether guests can have performance counters."""
    tee: str = "none"
    """What the firmware has: none, optee or ffa."""
    scmi: bool = False
    """Whether the firmware has an SCMI agent behind SMC."""
    llc_colors: int = 0
    """Colors of the last-level cache; 0: Xen was started without coloring."""
    labels: tuple[str, ...] = ()
    """Security labels of the policy; without any, Xen is built without Flask."""
    overlays: bool = False
    """Whether Xen is built with overlays of the host's device tree."""
    bridges: tuple[str, ...] = ()
    """The bridges that are there; none: any that a configuration names."""

    @property
    def version(self) -> XenVersion:
        """What xen_version says; the text behind the numbers tells that it is no real Xen."""
        return XenVersion(*self.xen, ".0-simulated")

    @property
    def texts(self) -> VersionInfo:
        """The texts of xen_version."""
        kinds = "xen-3.0-aarch64 xen-3.0-armv7l " if self.arm32 else "xen-3.0-aarch64 "
        return VersionInfo(kinds, compiler="none", compile_by="xenvm", virt_start=0x200000)

    @property
    def capabilities(self) -> int:
        """The bits of PhysInfo.capabilities."""
        return _HVM_HAP | _GNTTAB_V1 | (_DIRECTIO if self.iommu else 0) | (_VPMU if self.vpmu else 0)

    @property
    def cpupools(self) -> dict[int, frozenset[int]]:
        """The processors of each pool."""
        others = {number: frozenset(cpus) for number, cpus in self.pools}
        taken = frozenset().union(*others.values())
        return {0: frozenset(range(self.cpus)) - taken, **others}

    @property
    def max_vcpus(self) -> int:
        """How many vCPUs the interrupt controller allows a guest."""
        return 8 if self.gic == 2 else 128

    def may_give(self, start: int, count: int) -> bool:
        """Whether domain 0 itself has these frames of devices."""
        return any(first <= start and start + count <= first + size for first, size in self.iomem)


def machine_from(fields: dict[str, object]) -> Machine:
    """A machine from a snapshot's fields; UnsupportedError for a Xen that is not known."""
    known = {name: _frozen(value) for name, value in fields.items() if name in DEFAULT.as_dict()}
    machine = DEFAULT.replace(**known)
    if machine.xen not in RELEASES:
        raise UnsupportedError(f"there is no simulation of Xen {'.'.join(map(str, machine.xen))}")
    return machine


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


DEFAULT = Machine()
