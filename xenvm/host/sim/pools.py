"""What changes the simulated Xen's cpupools and their schedulers (the rules of sysctl.h's cpupool_op, scheduler_op)."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EBUSY, EINVAL, ENODEV, ENOENT, ENOSPC, EPERM, ESRCH

from xenvm.errors import HypercallError
from xenvm.host.hyper import Scheduling
from xenvm.host.pools import Node, SchedulerParameters
from xenvm.host.sim.policy import DEFAULTS, given, sensible
from xenvm.types import DOM0, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.sim.domain import SimDomain
    from xenvm.host.sim.policy import PolicyOperations

_SCHEDULERS = ("credit", "credit2")
"""What distributions build, beside the one that the machine was started with."""
_PARAMETERS = {
    "credit": SchedulerParameters(tslice=30, ratelimit=1000, migration_delay=0),
    "credit2": SchedulerParameters(ratelimit=1000),
}
_LIMITS = {"tslice": (1, 1000), "ratelimit": (100, 500000), "migration_delay": (0, 100000)}
"""Least and most; no rate limit at all, 0, is right too."""


class Pools:
    """Implements xenvm.host.pools.PoolControl."""

    def __init__(self, hyper: PolicyOperations) -> None:
        self._hyper = hyper

    def create_pool(self, scheduler: str) -> int:
        """Makes a cpupool without CPUs; its number."""
        hyper = self._hyper
        if len(hyper.pool_cpus) >= 2 * hyper.machine.cpus:
            raise _refusal("cpupool_create", ENOSPC, "Xen has as many cpupools as it allows, two for each CPU")
        if scheduler not in (*_SCHEDULERS, hyper.machine.scheduler):
            raise _refusal("cpupool_create", ENOENT, "this Xen is built without such a scheduler")
        number = max(hyper.pool_cpus) + 1
        hyper.pool_cpus[number], hyper.pool_schedulers[number] = frozenset(), scheduler
        return number

    def destroy_pool(self, pool: int) -> None:
        """Ends a cpupool without CPUs and domains."""
        hyper = self._hyper
        if self._cpus("cpupool_destroy", pool) or self._members(pool):
            raise _refusal("cpupool_destroy", EBUSY, "it still has CPUs or domains")
        del hyper.pool_cpus[pool], hyper.pool_schedulers[pool]
        hyper.pool_parameters.pop(pool, None)

    def add_cpu(self, pool: int, cpu: int) -> None:
        """Gives it a CPU that is free."""
        cpus, hyper = self._cpus("cpupool_addcpu", pool), self._hyper
        if not 0 <= cpu < hyper.machine.cpus:
            raise _refusal("cpupool_addcpu", EINVAL, "this host has no such CPU")
        if any(cpu in others for others in hyper.pool_cpus.values()):
            raise _refusal("cpupool_addcpu", ENODEV, "the CPU belongs to a cpupool, or is offline")
        hyper.pool_cpus[pool] = cpus | {cpu}

    def remove_cpu(self, pool: int, cpu: int) -> None:
        """Takes a CPU from it, which is free then."""
        cpus, hyper = self._cpus("cpupool_rmcpu", pool), self._hyper
        if not 0 <= cpu < hyper.machine.cpus or (pool, cpu) == (0, 0):
            raise _refusal("cpupool_rmcpu", EINVAL, "CPU 0 stays in cpupool 0, or this host has no such CPU")
        if cpu not in cpus:
            raise _refusal("cpupool_rmcpu", EADDRNOTAVAIL, "the CPU is not of this cpupool")
        if len(cpus) == 1 and any(not domain.dying for domain in self._members(pool)):
            raise _refusal("cpupool_rmcpu", EBUSY, "it is the last CPU of a cpupool that has domains")
        hyper.pool_cpus[pool] = cpus - {cpu}
        for domain in self._members(pool):
            domain.hard = {vcpu: hard & hyper.pool_cpus[pool] or hyper.pool_cpus[pool] for vcpu, hard in
                           domain.hard.items()}  # fmt: skip
            if domain.dying and len(cpus) == 1:
                domain.cpupool = 0

    def move(self, domid: Domid, pool: int) -> None:
        """Puts a domain into another cpupool: its parameters and affinities are the defaults then."""
        name, domain = "cpupool_movedomain", self._hyper.all.get(domid)
        if domid == DOM0:
            raise _refusal(name, EPERM, "domain 0 cannot be moved", domid)
        if domain is None:
            raise _refusal(name, ESRCH, "no such domain", domid)
        if domain.cpupool == pool:
            return
        if not self._hyper.pool_cpus.get(pool):
            raise _refusal(name, ENOENT, "there is no such cpupool, or it has no CPUs", domid)
        domain.cpupool, domain.scheduling = pool, Scheduling()
        domain.hard, domain.soft, domain.of_vcpus = {}, {}, {}

    def parameters(self, pool: int) -> SchedulerParameters:
        """What holds for the whole cpupool."""
        known = _PARAMETERS.get(self._hyper.pool_scheduler(pool), SchedulerParameters())
        return known.replace(**self._hyper.pool_parameters.get(pool, {}))

    def set_parameters(self, pool: int, wanted: SchedulerParameters) -> None:
        """Changes what is not None."""
        now, values = self.parameters(pool), given(wanted)
        fit = all(getattr(now, key) is not None and _fits(key, value) for key, value in values.items())
        after = now.replace(**values)
        if not fit or (after.tslice is not None and (after.ratelimit or 0) > 1000 * after.tslice):
            name = self._hyper.pool_scheduler(pool)
            raise _refusal("scheduler_op", EINVAL, f"{name} has no such parameter, or not of this size")
        self._hyper.pool_parameters[pool] = self._hyper.pool_parameters.get(pool, {}) | values

    def vcpu_scheduling(self, domid: Domid, vcpu: int) -> Scheduling:
        """What rtds has for one vCPU."""
        return self._of_rtds(domid, vcpu).of_vcpus.get(vcpu, DEFAULTS["rtds"])

    def set_vcpu_scheduling(self, domid: Domid, vcpu: int, wanted: Scheduling) -> None:
        """Gives one vCPU a period, a budget and extra time."""
        domain = self._of_rtds(domid, vcpu)
        if wanted.period is None or wanted.budget is None or not sensible(wanted):
            raise _refusal("scheduler_op", EINVAL, "rtds takes no such period or budget", domid)
        domain.of_vcpus = {**domain.of_vcpus, vcpu: wanted}

    def topology(self) -> list[tuple[int, int, int]]:
        """Core, socket and node of each CPU: on ARM Xen knows nothing of them."""
        return [(0, 0, 0)] * self._hyper.machine.cpus

    def nodes(self) -> list[Node]:
        """One node with all memory, as on ARM."""
        machine = self._hyper.machine
        return [Node((machine.memory + machine.dom0_memory) << 20, self._hyper.free_pages << 12, (20,))]

    def _of_rtds(self, domid: Domid, vcpu: int) -> SimDomain:
        domain = self._hyper.all.get(domid)
        if domain is None:
            raise _refusal("scheduler_op", ESRCH, "no such domain", domid)
        if self._hyper.pool_schedulers[domain.cpupool] != "rtds" or not 0 <= vcpu < domain.vcpus:
            raise _refusal("scheduler_op", EINVAL, "only rtds knows of single vCPUs", domid)
        return domain

    def _cpus(self, operation: str, pool: int) -> frozenset[int]:
        if pool not in self._hyper.pool_cpus:
            raise _refusal(operation, ENOENT, "there is no such cpupool")
        return self._hyper.pool_cpus[pool]

    def _members(self, pool: int) -> list[SimDomain]:
        return [domain for domain in self._hyper.all.values() if domain.cpupool == pool]


def _fits(key: str, value: int) -> bool:
    least, most = _LIMITS[key]
    return least <= value <= most or (key, value) == ("ratelimit", 0)


def _refusal(operation: str, errno: int, detail: str, domid: Domid | None = None) -> HypercallError:
    return HypercallError(operation, errno, domid=domid, detail=detail)
