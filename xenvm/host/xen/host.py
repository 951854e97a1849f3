"""Questions to the host: version texts, resources, schedulers, pools, Xen's log (public version.h, sysctl.h)."""

from __future__ import annotations

from errno import ENOENT
from struct import pack, unpack_from

from xenvm.errors import HypercallError
from xenvm.host.hyper import PhysInfo, VersionInfo
from xenvm.host.xen.abi import decode_physinfo
from xenvm.host.xen.buffers import DATA, DATA_SIZE
from xenvm.host.xen.calls import XEN_VERSION
from xenvm.host.xen.operations import Operations, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenvm.host.xen.calls import Calls

SCHEDULERS = {5: "credit", 6: "credit2", 7: "arinc653", 8: "rtds", 9: "null"}
_READCONSOLE, _PHYSINFO, _SCHED_ID, _CPUPOOL_OP = 1, 3, 4, 18
_POOL_INFO, _POOL_MOVE_DOMAIN, _POOL_FREE_INFO = 3, 6, 7


class HostOperations(Operations):
    """The host as a whole."""

    _last_cpu: int | None = None

    def version_info(self) -> VersionInfo:
        """The texts of the xen_version hypercall; the build id in hexadecimal."""
        compiler, by, domain, date = version_texts(self._calls, 2, 64, 16, 32, 32)
        return VersionInfo(
            capabilities=self.capabilities(),
            changeset=version_texts(self._calls, 4, 64)[0],
            commandline=version_texts(self._calls, 9, 1024)[0],
            compiler=compiler,
            compile_by=by,
            compile_domain=domain,
            compile_date=date,
            build_id=self._build_id(),
            pagesize=checked(self._calls.hypercall(XEN_VERSION, 7, 0), "xen_version"),
            virt_start=self._virt_start(),
        )

    def capabilities(self) -> str:
        """What guests this Xen can run, in its own words."""
        return version_texts(self._calls, 3, 1024)[0]

    def _virt_start(self) -> int:
        with self._calls.buffer() as buffer:
            checked(self._calls.hypercall(XEN_VERSION, 5, buffer.put(bytes(8))), "xen_version")
            (start,) = unpack_from("<Q", buffer.view)
        return int(start)

    def physinfo(self) -> PhysInfo:
        """Resources of the host."""
        with self._calls.buffer() as buffer:
            self._sysctl("physinfo", _PHYSINFO, b"", buffer)
            return decode_physinfo(self._layout, buffer.view)

    def scheduler(self) -> str:
        """Name of the host's default scheduler."""
        with self._calls.buffer() as buffer:
            self._sysctl("sched_id", _SCHED_ID, b"", buffer)
            (number,) = unpack_from("<I", buffer.view, 8)
        return SCHEDULERS.get(number, f"scheduler {number}")

    def free_cpus(self) -> int:
        """How many CPUs are in no cpupool."""
        return len(self._pool_query("freeinfo", _POOL_FREE_INFO, 0)[1])

    def cpupools(self) -> dict[int, frozenset[int]]:
        """CPUs of each cpupool by its number."""
        pools: dict[int, frozenset[int]] = {}
        try:
            while True:
                # Xen answers with the first pool from this number on, and with ENOENT after the last.
                number, cpus = self._pool_query("cpupool_info", _POOL_INFO, max(pools, default=-1) + 1)
                pools[number] = cpus
        except HypercallError as error:
            if error.errno != ENOENT:
                raise
        return pools

    def console_ring(self, *, clear: bool = False) -> bytes:
        """Xen's own log, from the oldest byte kept."""
        parts: list[bytes] = []
        index = 0
        with self._calls.buffer() as buffer:
            while not parts or len(parts[-1]) == DATA_SIZE:
                ask = pack("<BBxxIQI", clear, bool(parts), index, buffer.data, DATA_SIZE)
                self._sysctl("readconsole", _READCONSOLE, ask, buffer)
                index, count = unpack_from("<I8xI", buffer.view, 0x0C)
                parts.append(buffer.get(min(count, DATA_SIZE), DATA))
        return b"".join(parts)

    def _move_to_pool(self, domid: int, pool: int) -> None:
        """What createdomain could not do before 4.17."""
        with self._calls.buffer() as buffer:
            body = pack("<6IQI", _POOL_MOVE_DOMAIN, pool, 0, domid, 0, 0, 0, 0)
            self._sysctl("cpupool_movedomain", _CPUPOOL_OP, body, buffer)

    def _pool_query(self, name: str, op: int, pool: int) -> tuple[int, frozenset[int]]:
        size = self._cpumap_size()
        with self._calls.buffer() as buffer:
            cpus = buffer.put(bytes(size), DATA)
            self._sysctl(name, _CPUPOOL_OP, pack("<6IQI", op, pool, 0, 0, 0, 0, cpus, size * 8), buffer)
            (number,) = unpack_from("<I", buffer.view, 0x0C)
            return number, cpu_set(buffer.get(size, DATA))

    def _pool_scheduler(self, pool: int) -> tuple[int, int]:
        """The first pool from this number on, and the number of its scheduler."""
        size = self._cpumap_size()
        with self._calls.buffer() as buffer:
            cpus = buffer.put(bytes(size), DATA)
            body = pack("<6IQI", _POOL_INFO, pool, 0, 0, 0, 0, cpus, size * 8)
            self._sysctl("cpupool_info", _CPUPOOL_OP, body, buffer)
            number, scheduler = unpack_from("<II", buffer.view, 0x0C)
        return number, scheduler

    def _cpumap_size(self) -> int:
        """Bytes of a map of all CPUs."""
        if self._last_cpu is None:
            self._last_cpu = self.physinfo().max_cpu_id
        return (self._last_cpu + 8) // 8

    def _build_id(self) -> str:
        with self._calls.buffer() as buffer:
            length = self._calls.hypercall(XEN_VERSION, 10, buffer.put(pack("<I", 256)))
            # A Xen linked without a build id answers ENODATA.
            return buffer.get(max(length, 0), 4).hex()


def version_texts(calls: Calls, cmd: int, *sizes: int) -> list[str]:
    """NUL-terminated texts that lie in a row, of one command of xen_version."""
    with calls.buffer() as buffer:
        checked(calls.hypercall(XEN_VERSION, cmd, buffer.put(bytes(sum(sizes)))), "xen_version")
        fields = unpack_from("".join(f"{size}s" for size in sizes), buffer.view)
    return [field.partition(b"\0")[0].decode(errors="replace") for field in fields]


def cpu_set(bits: bytes) -> frozenset[int]:
    """The numbers of the bits that are set, lowest first."""
    return frozenset(8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)


def cpu_map(cpus: Iterable[int], size: int) -> bytes:
    """A map of `size` bytes; OverflowError for a CPU beyond it."""
    return sum(1 << cpu for cpu in cpus).to_bytes(size, "little")
