"""A guest's vCPUs while it runs: how many are online, and where they may run.

Protocol: Xen's docs/misc/xenstore-paths.pandoc, ``~/cpu/*/availability``. The guest acts on it, or does not: Xen
enforces nothing, and the only answer is what Xen tells of the vCPUs.
"""

from __future__ import annotations

from xenbus.request import Write
from xenvm.errors import DomainError
from xenvm.ops import home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.hyper import DomainInfo
    from xenvm.host.open import Host


def set_online(host: Host, info: DomainInfo, count: int, *, overcommit: bool = False) -> None:
    """Asks a guest to have `count` of its vCPUs online; more than the host has CPUs only with `overcommit`."""
    most = info.max_vcpu_id + 1
    if not 1 <= count <= most:
        raise DomainError(f"domain {info.domid} can have 1 to {most} vCPUs, not {count}")
    if not overcommit and count > (cpus := host.hyper.physinfo().nr_cpus):
        raise DomainError(f"{count} vCPUs are more than the {cpus} CPUs of this host: --ignore-host allows it")
    states = ["online" if number < count else "offline" for number in range(most)]
    top = f"/local/domain/{info.domid}/cpu"
    nodes = [Write(f"{top}/{number}/availability", state) for number, state in enumerate(states)]
    home.change(host, info.domid, lambda _: nodes)


def pin(
    host: Host,
    info: DomainInfo,
    vcpu: int | None,
    hard: frozenset[int] | None,
    soft: frozenset[int] | None,
    *,
    force: bool = False,
) -> None:
    """Sets the CPUs where one vCPU, or each (None), must run (`hard`) and should run (`soft`); None leaves it alone.
    `force` overrides a pinning for a moment that dom0's kernel has asked for."""
    numbers = range(info.max_vcpu_id + 1)
    if vcpu is not None and vcpu not in numbers:
        raise DomainError(f"domain {info.domid} has no vCPU {vcpu}, only 0 to {info.max_vcpu_id}")
    for number in numbers if vcpu is None else [vcpu]:
        host.hyper.set_affinity(info.domid, number, hard, soft, force=force)
