"""Cpupools and the parameters of their schedulers (sysctl.h: cpupool_op, scheduler_op; domctl.h: scheduler_op)."""

from __future__ import annotations

from errno import EADDRINUSE, EAGAIN, EBUSY, EINVAL, ENOENT
from struct import pack, unpack_from

from xenvm.errors import HypercallError
from xenvm.host.hyper import Scheduling
from xenvm.host.pools import Node, SchedulerParameters
from xenvm.host.xen.buffers import DATA
from xenvm.host.xen.host import SCHEDULERS
from xenvm.host.xen.policy import PolicyOperations
from xenvm.types import Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.xen.buffers import Buffer

_CPU_TOPOLOGY, _NUMA, _CPUPOOL_OP, _SCHEDULER_OP = 16, 17, 18, 19
_CREATE, _DESTROY, _ADD_CPU, _REMOVE_CPU, _MOVE_DOMAIN = 1, 2, 4, 5, 6
_ANY = 0xFFFFFFFF
_PUT, _GET = 0, 1
_PARAMS = 0x18
"""Offset of the scheduler's own part in a scheduler_op of sysctl."""
_FIELDS = {"credit": ("tslice", "ratelimit", "migration_delay"), "credit2": ("ratelimit",)}
_TRIES = 10
"""For a CPU whose vCPUs cannot be moved away just now: Xen wants to be asked again."""
_MOST_CPUS, _MOST_NODES = 2048, 64
"""Of which there is room for the answers."""
_DOMAIN_SCHEDULER_OP, _PUT_VCPU, _GET_VCPU = 16, 2, 3
_EXTRATIME = 1


class PoolOperations(PolicyOperations):
    """Implements xenvm.host.pools.PoolControl."""

    def create_pool(self, scheduler: str) -> int:
        """Makes a cpupool without CPUs; its number."""
        number = next((number for number, name in SCHEDULERS.items() if name == scheduler), None)
        if number is None:
            raise HypercallError("cpupool_create", ENOENT, detail=f"there is no scheduler {scheduler}")
        return self._pool_op("cpupool_create", _CREATE, _ANY, scheduler=number)

    def destroy_pool(self, pool: int) -> None:
        """Ends a cpupool without CPUs and domains."""
        self._pool_op("cpupool_destroy", _DESTROY, pool)

    def add_cpu(self, pool: int, cpu: int) -> None:
        """Gives it a CPU that is free."""
        self._pool_op("cpupool_addcpu", _ADD_CPU, pool, cpu=cpu)

    def remove_cpu(self, pool: int, cpu: int) -> None:
        """Takes a CPU from it, which is free then."""
        for attempt in range(_TRIES):
            try:
                self._pool_op("cpupool_rmcpu", _REMOVE_CPU, pool, cpu=cpu)
                return
            except HypercallError as error:
                if error.errno not in (EAGAIN, EADDRINUSE, EBUSY) or attempt == _TRIES - 1:
                    raise

    def move(self, domid: Domid, pool: int) -> None:
        """Puts a domain into another cpupool."""
        self._pool_op("cpupool_movedomain", _MOVE_DOMAIN, pool, domid=domid)

    def _pool_op(self, name: str, op: int, pool: int, *, scheduler: int = 0, domid: int = 0, cpu: int = 0) -> int:
        with self._calls.buffer() as buffer:
            self._sysctl(name, _CPUPOOL_OP, pack("<6IQI", op, pool, scheduler, domid, cpu, 0, 0, 0), buffer)
            (number,) = unpack_from("<I", buffer.view, 0x0C)
        return int(number)

    def parameters(self, pool: int) -> SchedulerParameters:
        """What holds for the whole cpupool; all None if its scheduler has no such parameters."""
        scheduler = self.pool_scheduler(pool)
        fields = _FIELDS.get(scheduler, ())
        if not fields:
            return SchedulerParameters()
        with self._calls.buffer() as buffer:
            self._ask_scheduler(pool, scheduler, _GET, b"", buffer)
            found = unpack_from(f"<{len(fields)}I", buffer.view, _PARAMS)
        return SchedulerParameters(**dict(zip(fields, found, strict=True)))

    def set_parameters(self, pool: int, wanted: SchedulerParameters) -> None:
        """Changes what is not None."""
        scheduler, now = self.pool_scheduler(pool), self.parameters(pool)
        given = {key: value for key, value in wanted.as_dict().items() if value is not None}
        if any(getattr(now, key) is None or not 0 <= value <= _ANY for key, value in given.items()):
            detail = f"{scheduler} has no such parameter, or not of this size"
            raise HypercallError("scheduler_op", EINVAL, detail=detail)
        after = now.replace(**given)
        values = [getattr(after, key) for key in _FIELDS.get(scheduler, ())]
        if values:
            with self._calls.buffer() as buffer:
                self._ask_scheduler(pool, scheduler, _PUT, pack(f"<{len(values)}I", *values), buffer)

    def _ask_scheduler(self, pool: int, scheduler: str, command: int, values: bytes, buffer: Buffer) -> None:
        number = next(number for number, name in SCHEDULERS.items() if name == scheduler)
        self._sysctl("scheduler_op", _SCHEDULER_OP, pack("<IIII", pool, number, command, 0) + values, buffer)

    def vcpu_scheduling(self, domid: Domid, vcpu: int) -> Scheduling:
        """What rtds has for one vCPU."""
        period, budget, flags = self._of_vcpu(domid, vcpu, _GET_VCPU, (0, 0, 0))
        return Scheduling(period=period, budget=budget, extratime=bool(flags & _EXTRATIME))

    def set_vcpu_scheduling(self, domid: Domid, vcpu: int, wanted: Scheduling) -> None:
        """Gives one vCPU a period, a budget and extra time."""
        period, budget = (value if value is not None else -1 for value in (wanted.period, wanted.budget))
        if not (0 <= period <= _ANY and 0 <= budget <= _ANY):
            raise HypercallError("scheduler_op", EINVAL, domid=domid, detail="no period or budget is of this size")
        self._of_vcpu(domid, vcpu, _PUT_VCPU, (period, budget, _EXTRATIME if wanted.extratime else 0))

    def _of_vcpu(self, domid: Domid, vcpu: int, command: int, values: tuple[int, ...]) -> tuple[int, ...]:
        number, name = self._scheduler_of(domid)
        if name != "rtds" or not 0 <= vcpu <= _ANY:
            raise HypercallError("scheduler_op", EINVAL, domid=domid, detail="only rtds knows of single vCPUs")
        with self._calls.buffer() as buffer:
            array = buffer.put(pack("<4I", *values, vcpu), DATA)
            self._domctl(
                "scheduler_op", _DOMAIN_SCHEDULER_OP, domid, pack("<IIQII", number, command, array, 1, 0), buffer
            )
            return unpack_from("<3I", buffer.view, DATA)

    def topology(self) -> list[tuple[int, int, int]]:
        """Core, socket and node of each CPU."""
        with self._calls.buffer() as buffer:
            self._sysctl("cputopoinfo", _CPU_TOPOLOGY, pack("<IIQ", _MOST_CPUS, 0, buffer.data), buffer)
            (count,) = unpack_from("<I", buffer.view, 8)
            return [unpack_from("<3I", buffer.view, DATA + 12 * cpu) for cpu in range(min(count, _MOST_CPUS))]

    def nodes(self) -> list[Node]:
        """The NUMA nodes."""
        distances = DATA + 16 * _MOST_NODES
        with self._calls.buffer() as buffer:
            body = pack("<IIQQ", _MOST_NODES, 0, buffer.data, buffer.address + distances)
            self._sysctl("numainfo", _NUMA, body, buffer)
            (count,) = unpack_from("<I", buffer.view, 8)
            count = min(count, _MOST_NODES)
            sizes = [unpack_from("<QQ", buffer.view, DATA + 16 * node) for node in range(count)]
            rows = [unpack_from(f"<{count}I", buffer.view, distances + 4 * count * node) for node in range(count)]
        return [Node(size, free, row) for (size, free), row in zip(sizes, rows, strict=True)]
