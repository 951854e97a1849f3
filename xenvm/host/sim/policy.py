"""What rules a simulated domain: scheduling, cache colors, security labels (the rules of domctl.h, flask_op.h)."""

from __future__ import annotations

from errno import EEXIST, EINVAL, ENOENT, ENOSYS, EOPNOTSUPP

from xenbus.value import Value
from xenvm.errors import HypercallError
from xenvm.host.hyper import Scheduling
from xenvm.host.sim.life import DomainOperations
from xenvm.types import Domid

DEFAULTS: dict[str, Scheduling] = {
    "credit": Scheduling(weight=256, cap=0),
    "credit2": Scheduling(weight=256, cap=0),
    "rtds": Scheduling(period=10000, budget=4000, extratime=True),
}
_SMALLEST = 10
"""Microseconds: no budget of rtds is less."""


class PolicyOperations(DomainOperations):
    """Parameters of the scheduler, colors and labels."""

    def pool_scheduler(self, pool: int) -> str:
        """Name of a cpupool's scheduler; ENOENT if there is no such pool."""
        if pool not in self.pool_cpus:
            raise HypercallError("cpupool_info", ENOENT, detail=f"there is no cpupool {pool}")
        return self.pool_schedulers[pool]

    def scheduling(self, domid: Domid) -> Scheduling:
        """A domain's parameters for its scheduler; all None if it has none. rtds tells its defaults."""
        domain = self._get("scheduler_op", domid)
        scheduler = self.pool_schedulers[domain.cpupool]
        defaults = DEFAULTS.get(scheduler, Scheduling())
        return defaults if scheduler == "rtds" else defaults.replace(**given(domain.scheduling))

    def set_scheduling(self, domid: Domid, wanted: Scheduling) -> None:
        """Changes what is not None; EINVAL if the domain's scheduler has no such parameter, or refuses the value."""
        domain, now = self._get("scheduler_op", domid), self.scheduling(domid)
        after = now.replace(**given(wanted))
        if any(getattr(now, key) is None for key in given(wanted)) or not sensible(after):
            detail = f"{self.pool_schedulers[domain.cpupool]} has no such parameter, or not of this size"
            raise HypercallError("scheduler_op", EINVAL, domid=domid, detail=detail)
        if after.weight == 0:
            after = after.replace(weight=now.weight)  # Xen takes it for "as it is"
        domain.scheduling = after

    def set_llc_colors(self, domid: Domid, colors: tuple[int, ...]) -> None:
        """Which parts of the last-level cache its memory may use; before the first page."""
        domain, name = self._get("set_llc_colors", domid), "set_llc_colors"
        if not self.machine.llc_colors or self.machine.xen < (4, 20):
            raise HypercallError(name, EOPNOTSUPP, domid=domid, detail="Xen was started without cache coloring")
        if domain.colors:
            raise HypercallError(name, EEXIST, domid=domid, detail="the domain has its colors already")
        if any(color >= self.machine.llc_colors for color in colors):
            raise HypercallError(name, EINVAL, domid=domid, detail="the cache has fewer colors")
        domain.colors = colors

    def security_id(self, label: str) -> int:
        """The number of a security label."""
        if not self.machine.labels:
            raise HypercallError("flask_op", ENOSYS, detail="not built into this Xen")
        if label not in self.machine.labels:
            raise HypercallError("flask_op", EINVAL, detail="the security policy has no such label")
        return self.machine.labels.index(label) + 1

    def relabel(self, domid: Domid, ssidref: int) -> None:
        """Gives a domain another security label."""
        if not self.machine.labels:
            raise HypercallError("flask_op", ENOSYS, domid=domid, detail="not built into this Xen")
        self._get("flask_op", domid).ssidref = ssidref


def given(wanted: Value) -> dict[str, int]:
    """The fields that are not None."""
    return {key: value for key, value in wanted.as_dict().items() if value is not None}


def sensible(wanted: Scheduling) -> bool:
    """Whether Xen takes these numbers."""
    if wanted.weight is not None and not 0 <= wanted.weight <= 0xFFFF:
        return False
    if wanted.cap is not None and not 0 <= wanted.cap <= 0xFFFF:
        return False
    return wanted.period is None or _SMALLEST <= (wanted.budget or 0) <= wanted.period
