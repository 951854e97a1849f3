"""What a creation would do: the creation itself, on a scratch host, written down.

Nothing here knows what a creation does. The hypercalls, the requests to the store and the device tree in the guest's
memory are those that ops.create made.
"""

from __future__ import annotations

from xenbus import request as ask
from xenbus.value import Value
from xenvm.errors import ConfigError, ImageError, XenvmError
from xenvm.guest import blueprint as blueprints
from xenvm.guest.blueprint import HostFacts, draw
from xenvm.ops import steps
from xenvm.ops.create import DEFAULTS, carry_out, check_host, facts_of
from xenvm.types import PAGE_SHIFT, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xenvm.guest.image import Blob, Kernel
    from xenvm.guest.spec import GuestSpec
    from xenvm.host.open import Host
    from xenvm.host.trace import Call
    from xenvm.ops.create import Options
    from xenvm.ops.scratch import Scratch
    from xenvm.ops.steps import Step

STAND_IN_UUID = "00000000-0000-4000-8000-000000000000"
_STAND_IN_MAC = "00:16:3e:00:00:{:02x}"
_LAST_DOMID = 0x7FEF
TREE = "device tree"
"""What the area is called that has it."""


class Ground(Value):
    """The host that a plan is for."""

    facts: HostFacts
    gic: int
    """2 or 3."""
    domid: Domid = Domid(1)
    """That the next guest will probably have."""
    pools: tuple[tuple[int, str, tuple[int, ...]], ...] = ((0, "Pool-0", ()),)
    """Number, name and CPUs of each cpupool."""


class Area(Value):
    """A part of the guest's physical address space, in bytes."""

    start: int
    size: int
    what: str


class Plan(Value):
    """Everything that a creation does, in order."""

    spec: GuestSpec
    """With stand-ins for what is chosen at run time."""
    ground: Ground
    domid: Domid
    bits: int
    need: int
    """KiB of the host's memory."""
    steps: tuple[Step, ...]
    memory: tuple[Area, ...]
    tree: bytes
    """The device tree, as it lies in the guest's memory."""
    stand_ins: tuple[str, ...]
    """What stands in the plan for something that is chosen at run time."""


def ground_of(host: Host, spec: GuestSpec) -> Ground:
    """Looks at a host for what a plan of this guest needs to know; HostError, HypercallError."""
    hyper = host.hyper
    gic = host.gic or (2 if spec.gic_version == "v2" else 3)
    used = {info.domid for info in hyper.domains()} | host.plumbing.domids.recent()
    domid = max(used) + 1 if max(used) < _LAST_DOMID else 1
    if spec.pool is None:
        return Ground(facts_of(hyper), gic, Domid(domid))
    pools = hyper.cpupools()
    names = host.store.batch([ask.Read(f"/local/pool/{number}/name") for number in pools])
    texts = (name.decode("utf-8", "replace") if isinstance(name, bytes) else "" for name in names)
    rows = ((number, name, tuple(pools[number])) for number, name in zip(pools, texts, strict=True))
    return Ground(facts_of(hyper), gic, Domid(domid), tuple(rows))


def conflict(host: Host, spec: GuestSpec, options: Options = DEFAULTS) -> XenvmError | None:
    """Why a host cannot take a guest now, as far as that can be told without touching it. ConfigError and ImageError,
    of a guest that no host could take, are raised."""
    try:
        check_host(host, draw(spec, facts_of(host.hyper)), options)
    except XenvmError as error:
        if is_invalid(error):
            raise
        return error
    return None


def is_invalid(error: Exception) -> bool:
    """Whether an error is the configuration's own, whatever the host."""
    return isinstance(error, (ConfigError, ImageError))


def plan(
    spec: GuestSpec,
    ground: Ground,
    options: Options = DEFAULTS,
    kernel: Kernel | None = None,
    ramdisk: Blob | None = None,
) -> Plan:
    """What the creation of this guest on that host does; `kernel` and `ramdisk` where their files are not here.

    ConfigError, ImageError: the guest is wrong; UnsupportedError: the host cannot have it.
    """
    from xenvm.ops.scratch import UnreadBlob, UnreadKernel

    spec, stand_ins = _stand_ins(spec)
    drawn = draw(spec, ground.facts, kernel, ramdisk)
    with _scratch(spec, ground, drawn.need) as scratch:
        facts_of(scratch.hyper)  # as create does it
        drawn = drawn.replace(
            kernel=UnreadKernel(**drawn.kernel.as_dict()),
            ramdisk=drawn.ramdisk and UnreadBlob(**drawn.ramdisk.as_dict()),
        )
        domid = carry_out(scratch, drawn, options)
        calls = steps.in_order(scratch.tracer.calls)
        memory = tuple(_memory(drawn, calls))
        tree = next(area for area in memory if area.what == TREE)
        return Plan(
            spec,
            ground,
            domid,
            drawn.kernel.bits,
            drawn.need,
            tuple(steps.steps(scratch, calls)),
            memory,
            scratch.world.guest_side(domid).read(tree.start, tree.size),
            (f"domain {domid}", *stand_ins),
        )


def _stand_ins(spec: GuestSpec) -> tuple[GuestSpec, tuple[str, ...]]:
    """The guest with everything chosen that create would choose at random, the same each time; what that is."""
    named = [] if spec.uuid else [f"uuid {STAND_IN_UUID}"]
    nics = []
    for nic in spec.nics:
        mac = nic.mac or _STAND_IN_MAC.format(nic.devid & 0xFF)
        if not nic.mac:
            named.append(f"mac {mac} of vif {nic.devid}")
        nics.append(nic.replace(mac=mac))
    return blueprints.settled(spec.replace(uuid=spec.uuid or STAND_IN_UUID, nics=tuple(nics))), tuple(named)


def _scratch(spec: GuestSpec, ground: Ground, need: int) -> Scratch:
    from xenvm.host.sim.machine import Machine
    from xenvm.ops.scratch import Scratch

    machine = Machine(
        xen=ground.facts.release,
        memory=need // 1024 + 64,
        cpus=max(ground.facts.cpus) + 1,
        gic=ground.gic,
        iommu=ground.facts.directio,
        arm32="armv7l" in ground.facts.capabilities,
        gpaddr_bits=ground.facts.gpaddr_bits,
        pools=tuple((number, cpus) for number, _, cpus in ground.pools if number),
        iomem=tuple((pages.start, pages.count) for pages in spec.iomem),
        irqs=spec.irqs,
        dt_devices=spec.dtdev,
    )
    return Scratch(machine, ground.domid, {number: name for number, name, _ in ground.pools})


def _memory(drawn: blueprints.Blueprint, calls: Sequence[Call]) -> Iterator[Area]:
    """Where the guest has memory, and what was put there: by the calls alone."""
    found: list[Area] = []
    for first, order, count in _numbers(calls, "populate"):
        start, size = first << PAGE_SHIFT, count << PAGE_SHIFT + order
        if found and found[-1].start + found[-1].size == start:
            found[-1] = found[-1].replace(size=found[-1].size + size)
        else:
            found.append(Area(start, size, "RAM"))
    rings = found.pop()  # they come last
    yield rings.replace(what="pages shared with back ends")
    yield from found
    images = [drawn.kernel.path, *([drawn.ramdisk.path] if drawn.ramdisk else []), TREE]
    for (first, size), what in zip(_numbers(calls, "fill"), images, strict=True):
        yield Area(first << PAGE_SHIFT, size, what)


def _numbers(calls: Sequence[Call], operation: str) -> Iterator[list[int]]:
    """The numbers among the arguments of each call of an operation, without the domid."""
    for call in calls:
        if call.operation == operation:
            yield [value for value in call.arguments[1:] if isinstance(value, int)]
