"""The door to Xen: raw hypercalls and the memory for their arguments, through libxencall."""

from __future__ import annotations

from xenvm.errors import HostError
from xenvm.host.xen.buffers import PAGES, Buffer, Buffers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from typing import NoReturn

# Hypercall numbers (public/xen.h).
MEMORY_OP, MULTICALL, XEN_VERSION, XSM_OP = 12, 13, 17, 27
SCHED_OP, EVENT_CHANNEL_OP, HVM_OP, SYSCTL, DOMCTL = 29, 32, 34, 35, 36


class Calls:
    """One handle of libxencall; the only thing that a test has to replace."""

    def __init__(self) -> None:
        """HostError if the library or the device refuses."""
        from ctypes import get_errno

        from xenvm.host.xen.libs import xencall

        self._library: CDLL = xencall()
        self._errno = get_errno
        self._handle: int | None = self._library.xencall_open(None, 0)
        if self._handle is None:
            raise HostError(f"the hypercall device cannot be opened: {_reason(get_errno())}")
        self._call: Callable[..., int] = self._library.xencall5
        self._buffers = Buffers(self._allocate)
        self._lasting: list[tuple[int, memoryview, int]] = []

    def hypercall(self, op: int, *arguments: int) -> int:
        """Xen's own answer: zero or positive, or a negative error number. Lets other threads run."""
        result = self._call(self._handle, op, *arguments, *(0,) * (5 - len(arguments)))
        return result if result >= 0 else -self._errno()

    def buffer(self) -> Buffer:
        """Safe memory for one hypercall's arguments, to be given back by ``with``."""
        return self._buffers.lend()

    def lend(self, content: bytes) -> int:
        """The address of a copy that Xen can read until this is closed; for what is larger than a buffer."""
        pages = max(1, -(-len(content) // 4096))
        address, view = self._allocate(pages)
        self._lasting.append((address, view, pages))
        view[: len(content)] = content
        return address

    def close(self) -> None:
        """Gives back memory and handle; harmless a second time."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        for address, view, pages in self._lasting:
            view.release()
            self._library.xencall_free_buffer_pages(handle, address, pages)
        for buffer in self._buffers.drain():
            buffer.view.release()
            self._library.xencall_free_buffer_pages(handle, buffer.address, PAGES)
        self._library.xencall_close(handle)
        self._call = _closed

    def _allocate(self, pages: int) -> tuple[int, memoryview]:
        from ctypes import c_char

        if self._handle is None:
            _closed()
        address = self._library.xencall_alloc_buffer_pages(self._handle, pages)
        if not address:
            raise HostError(f"no memory for hypercalls: {_reason(self._errno())}")
        return address, memoryview((c_char * (pages * 4096)).from_address(address)).cast("B")


def _closed(*_arguments: object) -> NoReturn:
    # The library would follow a NULL handle and end the process.
    raise HostError("the hypervisor's handle is closed")


def _reason(number: int) -> str:
    from os import strerror

    return strerror(number)
