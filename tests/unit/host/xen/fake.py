"""A door without Xen behind it: keeps the bytes of every hypercall and plays answers."""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from

from xenvm.host.xen.buffers import Buffers
from xenvm.host.xen.calls import DOMCTL, MULTICALL, SYSCTL, XEN_VERSION, XSM_OP, Calls

Answer = Callable[[memoryview, int, int], int]
"""(all memory of the buffer, offset of the argument, last plain argument) -> result"""


_ENVELOPES = {DOMCTL: 144, SYSCTL: 136, XSM_OP: 64}


class FakeCalls(Calls):
    """Answers 0 unless told otherwise; addresses are beyond 32 bits, so that a truncated one is noticed."""

    BASE = 0xFFFF_8000_1000

    def __init__(self, release: tuple[int, int] = (4, 17), extra: bytes = b".7") -> None:
        self.sent: list[tuple[int, int, bytes]] = []
        self.answers: dict[tuple[int, int], Answer | int] = {}
        self.memories: list[memoryview] = []
        self.closed = False
        self._buffers = Buffers(self._allocate)
        self._lasting = []
        major, minor = release
        self.answers[XEN_VERSION, 0] = major << 16 | minor
        self.answers[XEN_VERSION, 1] = answer(extra)

    def _allocate(self, pages: int) -> tuple[int, memoryview]:
        address = self.BASE + (len(self.memories) << 20)
        self.memories.append(memoryview(bytearray(b"\xa5" * pages * 4096)))
        return address, self.memories[-1]

    def close(self) -> None:
        self.closed = True

    def read(self, address: int, size: int) -> bytes:
        """What Xen would read at `address`."""
        memory, at = self._locate(address)
        return bytes(memory[at : at + size])

    def _locate(self, address: int) -> tuple[memoryview, int]:
        return self.memories[(address - self.BASE) >> 20], (address - self.BASE) & 0xFFFFF

    def hypercall(self, op: int, *arguments: int) -> int:
        assert len(arguments) <= 5
        if op in _ENVELOPES:
            (address,) = arguments
            message = self.read(address, _ENVELOPES[op])
            (cmd,) = unpack_from("<I", message)
        elif op == MULTICALL:
            address, cmd = arguments
            message = self.read(address, 64 * cmd)
        else:
            cmd, address = arguments
            message = self.read(address, 64) if address else b""
        self.sent.append((op, cmd, message))
        what = self.answers.get((op, cmd), 0)
        if isinstance(what, int):
            return what
        memory, at = self._locate(address)
        return what(memory, at, arguments[-1])

    def messages(self, op: int, cmd: int) -> list[bytes]:
        """The structures that went out under this number."""
        return [message for o, c, message in self.sent if (o, c) == (op, cmd)]


def answer(content: bytes, at: int = 0, result: int = 0) -> Answer:
    """Xen writes `content` at an offset of the structure."""

    def play(memory: memoryview, start: int, _last: int) -> int:
        memory[start + at : start + at + len(content)] = content
        return result

    return play


def in_turn(*answers: Answer | int) -> Answer:
    """One answer after the other."""
    rest = list(answers)

    def play(memory: memoryview, start: int, last: int) -> int:
        what = rest.pop(0)
        return what if isinstance(what, int) else what(memory, start, last)

    return play
