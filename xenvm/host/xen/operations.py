"""What all operations share: envelopes, interface numbers, and the one place that turns a refusal into an error."""

from __future__ import annotations

from errno import EACCES, ESRCH

from xenvm.errors import HypercallError
from xenvm.host.xen.abi import DOMID_FIRST_RESERVED, encode_domctl, encode_sysctl
from xenvm.host.xen.calls import DOMCTL, SYSCTL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.xen.abi import Layout
    from xenvm.host.xen.buffers import Buffer
    from xenvm.host.xen.calls import Calls


class Interface:
    """domctl or sysctl: an envelope whose interface number must be the running Xen's own.

    A development build may be one off its release. Xen compares the number before anything else, so trying the
    neighbours is harmless.
    """

    def __init__(self, calls: Calls, op: int, number: int) -> None:
        self._calls, self._op = calls, op
        self._numbers: tuple[int, ...] = (number, number + 1, number - 1)

    def issue(self, buffer: Buffer, message: bytes) -> int:
        """Sends a whole envelope; Xen's answer lies in `buffer`."""
        result = -EACCES
        for number in self._numbers:
            buffer.put(message)
            buffer.put(number.to_bytes(4, "little"), 4)
            result = self._calls.hypercall(self._op, buffer.address)
            if result != -EACCES:
                self._numbers = (number,)
                break
        return result


class Operations:
    """Base of the groups of operations."""

    def __init__(self, calls: Calls, layout: Layout) -> None:
        self._calls, self._layout = calls, layout
        self._domctls = Interface(calls, DOMCTL, layout.domctl)
        self._sysctls = Interface(calls, SYSCTL, layout.sysctl)

    def _domctl(self, name: str, cmd: int, domid: int, body: bytes = b"", buffer: Buffer | None = None) -> int:
        """Xen's result, zero or positive; what it wrote lies in `buffer`, if one is given."""
        if buffer is not None:
            return checked(self._ask_domctl(cmd, domid, body, buffer), name, domid)
        with self._calls.buffer() as own:
            return checked(self._ask_domctl(cmd, domid, body, own), name, domid)

    def _ask_domctl(self, cmd: int, domid: int, body: bytes, buffer: Buffer) -> int:
        """Xen's result, which may be a negative error number."""
        if not 0 <= domid < DOMID_FIRST_RESERVED:
            return -ESRCH
        return self._domctls.issue(buffer, encode_domctl(self._layout, cmd, domid, body))

    def _sysctl(self, name: str, cmd: int, body: bytes, buffer: Buffer) -> None:
        checked(self._sysctls.issue(buffer, encode_sysctl(self._layout, cmd, body)), name)

    def _command(self, name: str, domid: int, op: int, cmd: int, argument: bytes) -> bytes:
        """A hypercall of the common shape (command, pointer); returns the structure as Xen left it."""
        with self._calls.buffer() as buffer:
            checked(self._calls.hypercall(op, cmd, buffer.put(argument)), name, domid)
            return buffer.get(len(argument))


def checked(result: int, operation: str, domid: int | None = None, detail: str = "") -> int:
    """`result`, or HypercallError with a hint if it is negative."""
    if result < 0:
        from xenvm.host.xen.hints import hint

        raise HypercallError(operation, -result, domid=domid, detail=detail or hint(operation, -result))
    return result
