"""create -n: what would be done, as text."""

from __future__ import annotations

from xenvm.guest import dtb, nodes
from xenvm.guest.blueprint import HostFacts, draw
from xenvm.guest.fdtblob import to_dts
from xenvm.types import MIB, Domid, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.guest.blueprint import Blueprint
    from xenvm.guest.layout import MemoryLayout
    from xenvm.guest.spec import GuestSpec

_DOMID = Domid(1)
"""Stands for the number that only Xen can give."""


def show(spec: GuestSpec) -> int:
    """Prints memory map, device tree and store nodes of a guest; asks this host for its facts if it is one."""
    facts, source = _facts()
    plan = draw(spec, facts)
    gic = 2 if spec.gic_version == "v2" else 3
    placed, tree = dtb.for_guest(plan, gic, 0)
    print(f"# {spec.name} on Xen {facts.release[0]}.{facts.release[1]} ({source}), as domain {_DOMID}, GICv{gic}")
    for line in _memory(plan, placed):
        print(line)
    print(to_dts(tree))
    for node in _nodes(plan):
        print(f'{node.path} = "{node.value}"' + (f"   ({node.perms})" if node.perms else ""))
    return 0


def _facts() -> tuple[HostFacts, str]:
    from xenvm.cli.run import open_host
    from xenvm.errors import HostError
    from xenvm.ops.create import facts_of

    try:
        with open_host() as host:
            return facts_of(host.hyper), "this host" if host.lasting else "a simulated host"
    except HostError as error:
        return HostFacts(release=(4, 20)), f"assumed, because {error}"


def _memory(plan: Blueprint, placed: MemoryLayout) -> Iterator[str]:
    for bank in plan.banks:
        yield f"# ram     {bank.start:#013x}  {bank.size // MIB} MiB"
    kernel = plan.kernel
    yield f"# kernel  {placed.kernel.start:#013x}  {kernel.size} bytes, {kernel.bits}-bit, {kernel.path}"
    if placed.initrd is not None:
        yield f"# ramdisk {placed.initrd.start:#013x}  {placed.initrd.size} bytes, {plan.spec.ramdisk}"
    yield f"# dtb     {placed.dtb:#013x}"
    yield f"# p2m page pool {plan.paging_pool // 1024} KiB; {plan.need // 1024} MiB are needed in all"


def _nodes(plan: Blueprint) -> Iterator[nodes.Node]:
    spec, release = plan.spec, plan.facts.release
    who = nodes.Identity(_DOMID, plan.uuid, spec.name)
    ports = nodes.Ports(Port(1), Port(2), Port(3) if spec.vuart else None)
    disks = [nodes.disk_device(_DOMID, disk, release) for disk in spec.disks]
    return nodes.guest_nodes(
        who, spec, ports, "now", disks, [nodes.nic_device(_DOMID, nic, release) for nic in spec.nics]
    )
