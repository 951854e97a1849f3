"""Windows onto other domains' pages through libxenforeignmemory (xenforeignmemory.h)."""

from __future__ import annotations

from _weakref import ref  # weakref itself is more to load than this whole package
from ctypes import byref, c_char, c_int, c_void_p, get_errno, memmove, string_at
from errno import ESRCH
from os import strerror
from struct import pack

from xenvm.errors import HostError
from xenvm.host.xen import libs
from xenvm.host.xen.operations import checked
from xenvm.types import PAGE_SIZE, Domid, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_READ, _READ_WRITE = 1, 3
_PRIVATE_FIXED_ANONYMOUS_NORESERVE = 0x02 | 0x10 | 0x20 | 0x4000
_MMAP_FAILED = c_void_p(-1).value
_RESOURCE_GRANT_TABLE, _SHARED_TABLE = 1, 0


class ForeignMemory:
    """One handle of the library."""

    def __init__(self) -> None:
        self._library = libs.xenforeignmemory()
        self._handle: int | None = self._library.xenforeignmemory_open(None, 0)
        if self._handle is None:
            raise HostError(f"foreign memory cannot be opened: {strerror(get_errno())}")

    def map(self, domid: Domid, first: Gfn, count: int) -> ForeignMapping:
        """Maps `count` pages from `first` on, all or none."""
        frames = pack(f"<{count}Q", *range(first, first + count))
        address = self._library.xenforeignmemory_map(self._handle, domid, _READ_WRITE, count, frames, None)
        if address is None:
            checked(-get_errno(), "map_foreign", domid)
        return ForeignMapping(self, address, count)

    def read(self, domid: Domid, first: Gfn, count: int) -> list[tuple[Gfn, bytes]]:
        """Copies those of `count` pages from `first` on that the domain has, as runs of contiguous ones."""
        frames, errors = pack(f"<{count}Q", *range(first, first + count)), (c_int * count)()
        address = self._library.xenforeignmemory_map(self._handle, domid, _READ, count, frames, byref(errors))
        if address is None:
            checked(-get_errno(), "map_foreign", domid)
        try:
            if -ESRCH in errors:
                checked(-ESRCH, "map_foreign", domid)
            return [
                (Gfn(first + start), string_at(address + start * PAGE_SIZE, (end - start) * PAGE_SIZE))
                for start, end in _runs(list(errors))
            ]
        finally:
            self.unmap(address, count)

    def unmap(self, address: int, count: int) -> None:
        """Gives `count` pages back."""
        self._library.xenforeignmemory_unmap(self._handle, address, count)

    def grant_table(self, domid: Domid) -> GrantTable:
        """The first page of a domain's grant table; EOPNOTSUPP where Xen or the kernel cannot."""
        address = c_void_p()
        resource = self._library.xenforeignmemory_map_resource(
            *(self._handle, domid, _RESOURCE_GRANT_TABLE, _SHARED_TABLE, 0, 1),
            *(byref(address), _READ_WRITE, 0),
        )
        if resource is None:
            checked(-get_errno(), "map_resource", domid)
        return GrantTable(
            address.value or 0, lambda: self._library.xenforeignmemory_unmap_resource(self._handle, resource)
        )

    def close(self) -> None:
        """Closes the handle; mappings live on until they are closed or the process ends."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._library.xenforeignmemory_close(handle)


def _runs(errors: list[int]) -> list[tuple[int, int]]:
    """Where there are none: first, and the first behind."""
    edges = [at for at in range(len(errors) + 1) if _is_there(errors, at) != _is_there(errors, at - 1)]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _is_there(errors: list[int], at: int) -> bool:
    return 0 <= at < len(errors) and not errors[at]


class GrantTable:
    """The first page of a domain's grant table, entries of version 1; a context manager that unmaps it."""

    def __init__(self, address: int, unmap: Callable[[], object]) -> None:
        self.address, self._unmap = address, unmap

    def write(self, entries: Mapping[int, bytes]) -> None:
        """Writes entries of 8 bytes by their references."""
        for reference, entry in entries.items():
            memmove(self.address + len(entry) * reference, entry, len(entry))

    def close(self) -> None:
        """Unmaps it; once."""
        self._unmap()

    def __enter__(self) -> GrantTable:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class ForeignMapping:
    """A window onto a domain's pages; a context manager that unmaps."""

    view: memoryview
    """Writable bytes of the pages, in guest order."""

    def __init__(self, memory: ForeignMemory, address: int, count: int) -> None:
        self._memory, self._address, self._count = memory, address, count
        window = (c_char * (count * PAGE_SIZE)).from_address(address)
        self._window = ref(window)
        self.view = memoryview(window).cast("B")

    def close(self) -> None:
        """Unmaps; harmless a second time. Slices of the view that outlive it see zeros, not the domain."""
        count, self._count = self._count, 0
        if not count:
            return
        try:
            self.view.release()
        except BufferError:
            pass  # somebody reads through it at this moment
        if self._window() is None:
            self._memory.unmap(self._address, count)
        else:
            # Unmapping would leave slices that point nowhere, and their use would end the process. Fresh memory in
            # its place lets the domain go all the same.
            _replace(self._address, count * PAGE_SIZE)

    def __enter__(self) -> ForeignMapping:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _replace(address: int, size: int) -> None:
    fixed = libs.libc().mmap(address, size, _READ_WRITE, _PRIVATE_FIXED_ANONYMOUS_NORESERVE, -1, 0)
    if fixed == _MMAP_FAILED:
        raise HostError(f"a window onto a domain cannot be closed: {strerror(get_errno())}")
