"""What schedulers know of domains and vCPUs, read and changed while they run."""

from __future__ import annotations

from xenvm.errors import DomainError
from xenvm.host.hyper import Scheduling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host

_MOST_WEIGHT = 65535


def of_domain(host: Host, info: DomainInfo, scheduler: str) -> Scheduling:
    """A domain's parameters; DomainError if another scheduler is that of its cpupool."""
    _check_scheduler(host, info, scheduler)
    return host.hyper.scheduling(info.domid)


def of_vcpus(host: Host, info: DomainInfo, vcpu: int | None) -> list[tuple[int, Scheduling]]:
    """What rtds has for one vCPU, or for each (None)."""
    _check_scheduler(host, info, "rtds")
    return [(number, host.hyper.pools.vcpu_scheduling(info.domid, number)) for number in _numbers(info, vcpu)]


def change(host: Host, info: DomainInfo, scheduler: str, wanted: Scheduling) -> None:
    """Changes what is not None of credit's or credit2's parameters."""
    _check_scheduler(host, info, scheduler)
    most = 100 * (info.max_vcpu_id + 1)
    if wanted.weight is not None and not 1 <= wanted.weight <= _MOST_WEIGHT:
        raise DomainError(f"a weight must be 1 to {_MOST_WEIGHT}, not {wanted.weight}")
    if wanted.cap is not None and not 0 <= wanted.cap <= most:
        raise DomainError(f"the cap of domain {info.domid} must be 0 to {most}, 100 for each vCPU, not {wanted.cap}")
    host.hyper.set_scheduling(info.domid, wanted)


def change_vcpus(host: Host, info: DomainInfo, wanted: list[tuple[int | None, Scheduling]]) -> None:
    """Changes what is not None of some vCPUs, or of each (None), under rtds; none of them if one is not there."""
    now = [(found, changes) for vcpu, changes in wanted for found in of_vcpus(host, info, vcpu)]
    for (number, before), changes in now:
        given = {key: value for key, value in changes.as_dict().items() if value is not None}
        host.hyper.pools.set_vcpu_scheduling(info.domid, number, before.replace(**given))


def _numbers(info: DomainInfo, vcpu: int | None) -> list[int]:
    every = list(range(info.max_vcpu_id + 1))
    if vcpu is not None and vcpu not in every:
        raise DomainError(f"domain {info.domid} has no vCPU {vcpu}, only 0 to {info.max_vcpu_id}")
    return every if vcpu is None else [vcpu]


def _check_scheduler(host: Host, info: DomainInfo, scheduler: str) -> None:
    found = host.hyper.pool_scheduler(info.cpupool)
    if found != scheduler:
        raise DomainError(f"domain {info.domid} is in a cpupool with the scheduler {found}, not {scheduler}")
