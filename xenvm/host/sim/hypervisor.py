"""The simulated hypervisor: the whole contract, with Xen's rules and error numbers, in this process' memory."""

from __future__ import annotations

from xenvm.host.hyper import PhysInfo, Scheduling, VersionInfo, XenVersion
from xenvm.host.sim.devices import DeviceOperations
from xenvm.host.sim.domain import domain_from
from xenvm.host.sim.machine import DEFAULT, Machine
from xenvm.host.sim.memory import Ram
from xenvm.host.sim.physmap import MemoryOperations
from xenvm.host.sim.policy import PolicyOperations
from xenvm.types import DOM0, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from xenvm.host.admin import XenControl
    from xenvm.host.pools import PoolControl

    RamMaker = Callable[[Domid, Iterable[tuple[int, int]]], Ram]
    """Makes a domain's memory; the ranges are frames whose content is there already."""

_LOG = b"(XEN) This is a simulated Xen: no guest really runs on it.\n"


def _in_memory(_domid: Domid, _written: Iterable[tuple[int, int]]) -> Ram:
    return Ram()


class SimHypervisor(MemoryOperations, DeviceOperations, PolicyOperations):
    """Implements xenvm.host.hyper.Hypervisor. One thread at a time, but for `fill`."""

    version: XenVersion

    def __init__(self, machine: Machine = DEFAULT, ram: RamMaker = _in_memory) -> None:
        super().__init__(machine, lambda domid: ram(domid, ()))
        self.version = machine.version
        self._ram = ram
        self._log = _LOG

    def version_info(self) -> VersionInfo:
        """The texts of the xen_version hypercall."""
        return self.machine.texts

    def capabilities(self) -> str:
        """What guests this Xen can run."""
        return self.machine.texts.capabilities

    def physinfo(self) -> PhysInfo:
        """Resources of the host."""
        machine = self.machine
        total = (machine.memory + machine.dom0_memory) * 256
        return PhysInfo(
            machine.cpus,
            machine.cpus - 1,
            total,
            self.free_pages,
            cores_per_socket=machine.cpus,
            cpu_khz=62500,
            outstanding_pages=self.claimed,
            capabilities=machine.capabilities,
            arch_capabilities=machine.sve_bits // 128,
        )

    def scheduler(self) -> str:
        """Name of the host's default scheduler."""
        return self.machine.scheduler

    def free_cpus(self) -> int:
        """How many CPUs are in no cpupool."""
        return self.machine.cpus - len(frozenset().union(*self.pool_cpus.values()))

    def cpupools(self) -> dict[int, frozenset[int]]:
        """CPUs of each cpupool by its number."""
        return dict(sorted(self.pool_cpus.items()))

    @property
    def pools(self) -> PoolControl:
        """What changes cpupools."""
        from xenvm.host.sim.pools import Pools

        return Pools(self)

    @property
    def admin(self) -> XenControl:
        """What asks and changes the security policy and the device tree."""
        from xenvm.host.sim.admin import Admin

        return Admin(self)

    def debug_keys(self, keys: bytes) -> None:
        """Tells in the log that they came: nothing here acts on them."""
        for key in keys:
            self._log += b"(XEN) '%c' pressed -> nothing that a simulated Xen knows\n" % key

    def console_ring(self, *, clear: bool = False) -> bytes:
        """Xen's own log."""
        log = self._log
        if clear:
            self._log = b""
        return log

    def close(self) -> None:
        """The world lives on: its owner closes it."""

    # Snapshots.

    def state(self) -> dict[str, Any]:
        """All of it but the guests' memory, as JSON has it. Back ends let go of everything, and the dead are gone."""
        dead = [domain for domain in self.all.values() if domain.dying]
        return {
            "rotor": self.rotor,
            "free_pages": self.free_pages + sum(domain.tot_pages for domain in dead),
            "channels": self.channels.state(),
            "dom0": self.all[DOM0].scheduling.as_dict(),
            "admin": [self.enforcing, self.overlays],
            "pools": [
                [number, sorted(cpus), self.pool_schedulers[number], self.pool_parameters.get(number, {})]
                for number, cpus in self.pool_cpus.items()
            ],
            "domains": {
                str(domid): domain.state() for domid, domain in self.all.items() if domid != DOM0 and not domain.dying
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """What `state` gave, over the same machine."""
        self.rotor, self.free_pages = state["rotor"], state["free_pages"]
        self.channels.restore(state["channels"])
        self.all[DOM0].scheduling = Scheduling(**state["dom0"])
        self.enforcing, self.overlays = state.get("admin", (True, {}))
        self.pool_cpus = {number: frozenset(cpus) for number, cpus, _, _ in state["pools"]}
        self.pool_schedulers = {number: scheduler for number, _, scheduler, _ in state["pools"]}
        self.pool_parameters = {number: parameters for number, _, _, parameters in state["pools"]}
        for text, fields in state["domains"].items():
            domid = Domid(int(text))
            self.enter(domain_from(domid, fields, self._ram(domid, fields["written"])))
            self.all[domid].gpaddr_bits = self.machine.gpaddr_bits
