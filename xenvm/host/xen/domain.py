"""Domains and their vCPUs: life, limits, state, registers (public domctl.h, sysctl.h, sched.h)."""

from __future__ import annotations

from errno import EINVAL, ENODATA, ENOSYS, ESRCH
from struct import pack, unpack_from

from xenvm.errors import HypercallError
from xenvm.host.hyper import Created, CreateRequest, DomainInfo, VcpuContext, VcpuInfo
from xenvm.host.xen.abi import DOMCTL_BODY, context_size, decode_created, decode_info, encode_createdomain, encode_entry
from xenvm.host.xen.buffers import DATA, DATA_SIZE
from xenvm.host.xen.calls import SCHED_OP
from xenvm.host.xen.host import HostOperations, cpu_map, cpu_set
from xenvm.host.xen.operations import checked
from xenvm.types import Domid, KiB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.xen.abi import Layout
    from xenvm.host.xen.buffers import Buffer
    from xenvm.host.xen.calls import Calls

_GETDOMAININFOLIST = 6  # a sysctl
_DESTROYDOMAIN, _PAUSEDOMAIN, _UNPAUSEDOMAIN, _GETDOMAININFO, _SETVCPUAFFINITY = 2, 3, 4, 5, 9
_SHADOW_OP, _MAX_MEM, _SETVCPUCONTEXT, _GETVCPUCONTEXT, _GETVCPUINFO, _MAX_VCPUS = 10, 11, 12, 13, 14, 15
_GETVCPUAFFINITY, _RESUMEDOMAIN, _SET_ADDRESS_SIZE, _SET_PAGING_MEMPOOL_SIZE = 25, 27, 35, 86
_REMOTE_SHUTDOWN = 4  # a sched_op
_SET_ALLOCATION = 31  # a shadow_op
_HARD, _SOFT, _FORCE = 1, 2, 4
_REGISTERS = 8
"""Where x0 to x30, or r0 and so on, lie in struct vcpu_guest_context (arch-arm.h)."""
_MIB = 1 << 20


class DomainOperations(HostOperations):
    """One domain, or all of them."""

    def __init__(self, calls: Calls, layout: Layout) -> None:
        super().__init__(calls, layout)
        self._with_vcpus: set[int] = set()

    def domains(self) -> list[DomainInfo]:
        """All domains, in the order of their domids."""
        found: list[DomainInfo] = []
        stride = self._layout.info_size
        most = DATA_SIZE // stride
        with self._calls.buffer() as buffer:
            while True:
                first = found[-1].domid + 1 if found else 0
                self._sysctl("getdomaininfolist", _GETDOMAININFOLIST, pack("<H2xIQ", first, most, buffer.data), buffer)
                (count,) = unpack_from("<I", buffer.view, 0x18)
                found += [decode_info(self._layout, buffer.view, DATA + stride * n) for n in range(count)]
                if count < most:
                    return found

    def domain(self, domid: Domid) -> DomainInfo | None:
        """One domain, or None if there is none with exactly this domid."""
        with self._calls.buffer() as buffer:
            result = self._ask_domctl(_GETDOMAININFO, domid, b"", buffer)
            if result == -ESRCH:
                return None
            checked(result, "getdomaininfo", domid)
            info = decode_info(self._layout, buffer.view, DOMCTL_BODY)
        # Up to 4.17 Xen answers with the first domain from this domid on.
        return info if info.domid == domid else None

    def create(self, request: CreateRequest) -> Created:
        """Makes a domain: paused, no vCPUs, no memory."""
        with self._calls.buffer() as buffer:
            result = self._domctls.issue(buffer, encode_createdomain(self._layout, request))
            checked(result, "createdomain", request.domid)
            created = Created(*decode_created(self._layout, buffer.view))
        self._with_vcpus.discard(created.domid)
        if request.cpupool and self._layout.cpupool is None:
            self._move_new(created.domid, request.cpupool)
        return created

    def _move_new(self, domid: Domid, pool: int) -> None:
        # The caller never learns of a domain whose creation failed.
        try:
            self._move_to_pool(domid, pool)
        except BaseException:
            self.destroy(domid)
            raise

    def destroy(self, domid: Domid) -> None:
        """Ends a domain; returns when its memory is given back or held only by other domains' mappings."""
        self._with_vcpus.discard(domid)
        self._domctl("destroydomain", _DESTROYDOMAIN, domid)

    def pause(self, domid: Domid) -> None:
        """Raises the pause count by one."""
        self._domctl("pausedomain", _PAUSEDOMAIN, domid)

    def unpause(self, domid: Domid) -> None:
        """Lowers the pause count by one; EINVAL when it is zero."""
        self._domctl("unpausedomain", _UNPAUSEDOMAIN, domid)

    def shutdown(self, domid: Domid, reason: int) -> None:
        """Stops all vCPUs and latches `reason`; the first reason wins."""
        self._command("remote_shutdown", domid, SCHED_OP, _REMOTE_SHUTDOWN, pack("<H2xI", domid, reason))

    def resume(self, domid: Domid) -> None:
        """Clears the shutdown state of a suspended domain, and tells its kernel that it is the same domain still."""
        context = self.registers(domid, 0)
        if context is not None:
            self._cancel_suspend(domid, context)
        self._domctl("resumedomain", _RESUMEDOMAIN, domid)

    def _cancel_suspend(self, domid: Domid, context: bytes) -> None:
        """Makes 1 of the result, 0, of the SCHEDOP_shutdown in which vCPU 0 waits: "cancelled" (public/sched.h). Else
        Linux takes itself to be in a new domain, sets up its event channels again, and fails: they are there.

        A guest that has suspended by PSCI, from Xen 4.22 on, is not in a hypercall; Xen knows where it goes on.
        """
        registers = unpack_from("<31Q", context, _REGISTERS)
        if registers[0] == 0 and SCHED_OP in (registers[16], registers[12] & 0xFFFFFFFF):  # the numbers of x16 and r12
            with self._calls.buffer() as buffer:
                changed = context[:_REGISTERS] + pack("<Q", 1) + context[_REGISTERS + 8 :]
                where = buffer.put(changed, DATA)
                self._domctl("setvcpucontext", _SETVCPUCONTEXT, domid, pack("<I4xQ", 0, where), buffer)

    def set_max_vcpus(self, domid: Domid, count: int) -> None:
        """Allocates the vCPUs; `count` must be that of `create`."""
        self._domctl("max_vcpus", _MAX_VCPUS, domid, pack("<I", count))
        self._with_vcpus.add(domid)

    def set_address_size(self, domid: Domid, bits: int) -> None:
        """64 or 32; refused unless this object made the domain's vCPUs.

        It switches the vCPUs that exist. One made later would stay 32-bit in a 64-bit domain, and its first
        instruction would take all of Xen down.
        """
        if domid not in self._with_vcpus:
            raise HypercallError("set_address_size", EINVAL, domid=domid, detail="set_max_vcpus must come first")
        self._domctl("set_address_size", _SET_ADDRESS_SIZE, domid, pack("<I", bits))

    def set_max_mem(self, domid: Domid, limit: KiB) -> None:
        """How much memory the domain may own."""
        self._domctl("max_mem", _MAX_MEM, domid, pack("<Q", limit))

    def set_paging_pool(self, domid: Domid, size: int) -> None:
        """Size in bytes of the pool of p2m page tables, a multiple of 4096; before 4.17 rounded up to MiB."""
        if self._layout.mempool:
            self._domctl("set_paging_mempool_size", _SET_PAGING_MEMPOOL_SIZE, domid, pack("<Q", size))
            return
        try:
            self._domctl("shadow_op", _SHADOW_OP, domid, pack("<III", _SET_ALLOCATION, 0, -(-size // _MIB)))
        except HypercallError as error:
            # The first point releases have no pool to set: page tables come from Xen's own memory.
            if error.errno != ENOSYS:
                raise

    def vcpus(self, domid: Domid) -> list[VcpuInfo]:
        """All vCPUs of a domain, offline ones too."""
        info = self.domain(domid)
        if info is None:
            raise HypercallError("getvcpuinfo", ESRCH, domid=domid, detail="no such domain")
        with self._calls.buffer() as buffer:
            return [self._vcpu(domid, number, buffer) for number in range(info.max_vcpu_id + 1)]

    def _vcpu(self, domid: Domid, number: int, buffer: Buffer) -> VcpuInfo:
        self._domctl("getvcpuinfo", _GETVCPUINFO, domid, pack("<I", number), buffer)
        online, blocked, running, cpu_time, cpu = unpack_from("<3?xQI", buffer.view, 0x14)
        size = self._cpumap_size()
        buffer.put(bytes(2 * size), DATA)
        self._affinity("getvcpuaffinity", _GETVCPUAFFINITY, domid, number, _HARD | _SOFT, buffer)
        hard, soft = (cpu_set(buffer.get(size, DATA + at)) for at in (0, size))
        return VcpuInfo(number, online, blocked, running, cpu_time, cpu, hard, soft)

    def set_affinity(
        self,
        domid: Domid,
        vcpu: int,
        hard: frozenset[int] | None,
        soft: frozenset[int] | None,
        *,
        force: bool = False,
    ) -> None:
        """Where a vCPU may run; None leaves that half alone. `force` ends a pinning for a moment by dom0's kernel."""
        flags = (0 if hard is None else _HARD) | (0 if soft is None else _SOFT)
        if not flags:
            return
        flags |= _FORCE if force else 0
        name = "setvcpuaffinity"
        size = self._cpumap_size()
        with self._calls.buffer() as buffer:
            try:
                buffer.put(cpu_map(hard or (), size) + cpu_map(soft or (), size), DATA)
            except OverflowError:
                raise HypercallError(name, EINVAL, domid=domid, detail="the host has no such CPU") from None
            self._affinity(name, _SETVCPUAFFINITY, domid, vcpu, flags, buffer)

    def _affinity(self, name: str, cmd: int, domid: Domid, vcpu: int, flags: int, buffer: Buffer) -> None:
        """The maps lie at the buffer's data, first the hard one."""
        size = self._cpumap_size()
        hard, soft = buffer.data, buffer.data + size
        body = pack("<IIQI4xQI", vcpu, flags, hard, size * 8, soft, size * 8)
        self._domctl(name, cmd, domid, body, buffer)

    def registers(self, domid: Domid, vcpu: int) -> bytes | None:
        """The struct vcpu_guest_context of a vCPU, as this Xen has it; None of one that was never online."""
        size = context_size(self._layout)
        with self._calls.buffer() as buffer:
            where = buffer.put(bytes(size), DATA)
            result = self._ask_domctl(_GETVCPUCONTEXT, domid, pack("<I4xQ", vcpu, where), buffer)
            if result == -ENODATA:
                return None
            checked(result, "getvcpucontext", domid)
            return buffer.get(size, DATA)

    def set_entry(self, domid: Domid, context: VcpuContext) -> None:
        """Sets the registers of vCPU 0 and puts it online."""
        if context.bits == 32 and (context.pc | context.dtb) >> 32:
            detail = "a 32-bit guest starts below 4 GiB"
            raise HypercallError("setvcpucontext", EINVAL, domid=domid, detail=detail)
        with self._calls.buffer() as buffer:
            registers = buffer.put(encode_entry(self._layout, context), DATA)
            self._domctl("setvcpucontext", _SETVCPUCONTEXT, domid, pack("<I4xQ", 0, registers), buffer)
