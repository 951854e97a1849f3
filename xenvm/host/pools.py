"""The part of the Hypervisor contract about cpupools, their schedulers, and how CPUs lie (public/sysctl.h). It stands
apart, since few commands need it."""

from __future__ import annotations

from xenbus.value import Value
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from xenvm.host.hyper import Scheduling
else:
    Protocol = object


class SchedulerParameters(Value):
    """Parameters of a cpupool's scheduler; None: unchanged, or not the scheduler's."""

    tslice: int | None = None
    """Milliseconds, 1 to 1000; credit."""
    ratelimit: int | None = None
    """Microseconds, 100 to 500000, or 0: no limit; credit and credit2."""
    migration_delay: int | None = None
    """Microseconds; credit."""


class Node(Value):
    """A NUMA node: its memory in bytes, and how far all nodes are from it."""

    size: int
    free: int
    distances: tuple[int, ...]


class PoolControl(Protocol):
    """Changes cpupools; failures are HypercallError with Xen's number."""

    def create_pool(self, scheduler: str) -> int:
        """Makes a cpupool without CPUs; its number. ENOENT: this Xen has no such scheduler; ENOSPC: there are two for
        each CPU already."""

    def destroy_pool(self, pool: int) -> None:
        """Ends a cpupool; EBUSY while it has CPUs or domains, ENOENT if there is none."""

    def add_cpu(self, pool: int, cpu: int) -> None:
        """Gives it a CPU; ENODEV if that is not free, EINVAL if there is none."""

    def remove_cpu(self, pool: int, cpu: int) -> None:
        """Takes a CPU from it, which is free then. EADDRNOTAVAIL: it has no such CPU; EBUSY: it is the last one of a
        pool with domains; EINVAL: CPU 0 of pool 0, which stays, or no CPU of this host."""

    def move(self, domid: Domid, pool: int) -> None:
        """Puts a domain into another cpupool. ENOENT: it is not there, or has no CPUs; EPERM: domain 0 itself."""

    def parameters(self, pool: int) -> SchedulerParameters:
        """What holds for the whole cpupool; all None if its scheduler has no such parameters. ENOENT."""

    def set_parameters(self, pool: int, wanted: SchedulerParameters) -> None:
        """Changes what is not None; EINVAL if the scheduler has no such parameter, or refuses the value."""

    def vcpu_scheduling(self, domid: Domid, vcpu: int) -> Scheduling:
        """What rtds has for one vCPU; EINVAL for any other scheduler."""

    def set_vcpu_scheduling(self, domid: Domid, vcpu: int, wanted: Scheduling) -> None:
        """Gives one vCPU a period, a budget and extra time, all three; EINVAL for any other scheduler."""

    def topology(self) -> list[tuple[int, int, int]]:
        """Core, socket and node of each CPU."""

    def nodes(self) -> list[Node]:
        """The NUMA nodes; on ARM one."""
