"""What ties a domain to devices: event channels, parameters, UART, passthrough (public event_channel.h, hvm_op.h)."""

from __future__ import annotations

from errno import ENOBUFS
from struct import pack, unpack_from

from xenvm.errors import HypercallError
from xenvm.host.xen.buffers import DATA
from xenvm.host.xen.calls import EVENT_CHANNEL_OP, HVM_OP, MULTICALL
from xenvm.host.xen.operations import Operations, checked
from xenvm.types import Domid, Gfn, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ALLOC_UNBOUND = 6  # an event_channel_op
_SET_PARAM, _GET_PARAM = 0, 1  # hvm_ops
_ASSIGN_DEVICE, _BIND_PT_IRQ, _VUART_OP = 37, 38, 81
_IRQ_SPI = 4
_DEVICE_TREE = 1
_ENTRY_SIZE = 64
_LONGEST_PATH = 4096


class DeviceOperations(Operations):
    """Event channels and everything that comes with devices."""

    def alloc_unbound(self, domid: Domid, remote: Domid) -> Port:
        """A port in `domid` that `remote` can bind to."""
        argument = pack("<HHI", domid, remote, 0)
        answer = self._command("alloc_unbound", domid, EVENT_CHANNEL_OP, _ALLOC_UNBOUND, argument)
        return Port(unpack_from("<I", answer, 4)[0])

    def set_params(self, domid: Domid, params: Mapping[int, int]) -> None:
        """Writes HVM parameters, in order and in one trap; the error is that of the first that Xen refused."""
        arguments = b"".join(pack("<HHIQ", domid, 0, index, value) for index, value in params.items())
        with self._calls.buffer() as buffer:
            at = buffer.put(arguments, DATA)
            entries = (pack("<4Q32x", HVM_OP, 0, _SET_PARAM, at + 16 * n) for n in range(len(params)))
            address = buffer.put(b"".join(entries))
            checked(self._calls.hypercall(MULTICALL, address, len(params)), "multicall", domid)
            for n, index in enumerate(params):
                # A 32-bit Xen leaves the upper half of the result zero.
                (result,) = unpack_from("<i", buffer.view, _ENTRY_SIZE * n + 8)
                checked(result, f"set_param {index}", domid)

    def get_param(self, domid: Domid, index: int) -> int:
        """Reads one HVM parameter."""
        answer = self._command("get_param", domid, HVM_OP, _GET_PARAM, pack("<HHIQ", domid, 0, index, 0))
        value: int = unpack_from("<Q", answer, 8)[0]
        return value

    def init_vuart(self, domid: Domid, gfn: Gfn, console: Domid) -> Port:
        """Makes Xen emulate an SBSA UART whose ring is page `gfn`; before the first unpause."""
        with self._calls.buffer() as buffer:
            self._domctl("vuart_op", _VUART_OP, domid, pack("<IIQH", 0, 0, gfn, console), buffer)
            return Port(unpack_from("<I", buffer.view, 0x24)[0])

    def bind_irq(self, domid: Domid, irq: int) -> None:
        """Routes a host SPI to the same number in the domain."""
        self._domctl("bind_pt_irq", _BIND_PT_IRQ, domid, pack("<IIH", irq, _IRQ_SPI, irq))

    def assign_dt_device(self, domid: Domid, path: str) -> None:
        """Puts a device of the host's device tree behind the domain's IOMMU context."""
        text = path.encode() + b"\0"
        if len(text) > _LONGEST_PATH:
            raise HypercallError("assign_device", ENOBUFS, domid=domid, detail="the path is longer than a page")
        with self._calls.buffer() as buffer:
            # Newer releases demand that the size counts the NUL, older ones allow it.
            body = pack("<IIIxxxxQ", _DEVICE_TREE, 0, len(text), buffer.put(text, DATA))
            self._domctl("assign_device", _ASSIGN_DEVICE, domid, body, buffer)
