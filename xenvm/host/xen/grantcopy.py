"""Copies into a domain that is being built, by grants of its own table (public grant_table.h, Linux' xen/gntdev.h).

A page that is mapped and unmapped changes dom0's page tables twice, each time by a hypercall of its own. Grant copies
need neither: a kernel image is in its place in a tenth of the time.
"""

from __future__ import annotations

import os
from ctypes import addressof, c_char, create_string_buffer, memmove
from errno import EFAULT, EOPNOTSUPP
from fcntl import ioctl
from struct import Struct, calcsize, pack

from xenvm.errors import HypercallError
from xenvm.types import PAGE_SIZE, Domid, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import Array
    from typing import Self

    from xenvm.host.xen.foreign import ForeignMemory, GrantTable

DEVICE = "/dev/xen/gntdev"
WINDOW = 504
"""Pages of one copy: the entries of the table's first page without the eight that are reserved."""

_FIRST_ENTRY = 8
_ENTRY_SIZE = 8
_PERMIT_DOM0 = 1
"""The first word of a version 1 entry: GTF_permit_access, domain 0."""
_ARGUMENT = "@IP"
_GRANT_COPY = calcsize(_ARGUMENT) << 16 | ord("G") << 8 | 8
_DESTINATION_IS_GRANT = 2
_SEGMENT = Struct("<QIHHHHh2x")
"""Our address; reference, offset and domain of the destination; length, flags, status."""
_STATUS = 20


def open_copier(memory: ForeignMemory, domid: Domid, pages: int) -> GrantCopier | None:
    """What copies up to `pages` pages at once; None where this kernel cannot, and pages must be mapped."""
    try:
        device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None  # The module xen-gntdev is not there.
    try:
        return GrantCopier(device, memory.grant_table(domid), domid, min(pages, WINDOW))
    except BaseException as error:
        os.close(device)
        if isinstance(error, HypercallError) and error.errno == EOPNOTSUPP:
            return None
        raise


def read_padded(view: memoryview, size: int, read_into: Callable[[memoryview], None]) -> None:
    """Has the first `size` bytes of a view filled, and clears the rest; no slice outlives it."""
    with view[:size] as data:
        read_into(data)
    with view[size:] as rest:
        rest[:] = bytes(len(rest))


class GrantCopier:
    """Copies pages into one domain by way of a buffer; a context manager that takes the grants back."""

    def __init__(self, device: int, table: GrantTable, domid: Domid, pages: int) -> None:
        self._device, self._table, self._domid, self._pages = device, table, domid, pages
        room = (c_char * ((self._pages + 1) * PAGE_SIZE))()
        skipped = -addressof(room) % PAGE_SIZE
        self._buffer = memoryview(room).cast("B")[skipped : skipped + self._pages * PAGE_SIZE]
        self._segments = self._describe(addressof(room) + skipped)

    def _describe(self, start: int) -> Array[c_char]:
        """One segment for each page: from the buffer's page to the grant of the same number."""
        words = [0, 0, PAGE_SIZE | _DESTINATION_IS_GRANT << 16] * self._pages
        words[0::3] = range(start, start + self._pages * PAGE_SIZE, PAGE_SIZE)
        grant = self._domid << 48 | _FIRST_ENTRY
        words[1::3] = range(grant, grant + self._pages)
        packed = pack(f"<{len(words)}Q", *words)
        return create_string_buffer(packed, len(packed))

    def fill(self, first: Gfn, size: int, read_into: Callable[[memoryview], None]) -> None:
        """Fills frames from `first` on with `size` bytes, buffer by buffer, and with zeros to the end of a page."""
        for start in range(0, size, len(self._buffer)):
            piece = min(size - start, len(self._buffer))
            count = -(-piece // PAGE_SIZE)
            read_padded(self._buffer[: count * PAGE_SIZE], piece, read_into)
            self._put(Gfn(first + start // PAGE_SIZE), count)

    def _put(self, first: Gfn, count: int) -> None:
        """Copies the first `count` pages of the buffer to the domain's frames from `first` on."""
        words = [_PERMIT_DOM0] * (2 * count)
        words[1::2] = range(first, first + count)
        self._write_entries(pack(f"<{2 * count}I", *words))
        try:
            ioctl(self._device, _GRANT_COPY, pack(_ARGUMENT, count, addressof(self._segments)))
        except OSError as error:
            raise HypercallError("grant_copy", error.errno or 0, domid=self._domid) from error
        done = memoryview(self._segments).cast("B")[: count * _SEGMENT.size]
        if any(done[_STATUS :: _SEGMENT.size]):
            raise HypercallError("grant_copy", EFAULT, domid=self._domid, detail=_refused(done, first))

    def close(self) -> None:
        """Takes all grants back; harmless a second time."""
        device, self._device = self._device, -1
        if device >= 0:
            self._write_entries(bytes(self._pages * _ENTRY_SIZE))
            self._table.close()
            os.close(device)

    def _write_entries(self, entries: bytes) -> None:
        memmove(self._table.address + _FIRST_ENTRY * _ENTRY_SIZE, entries, len(entries))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _refused(segments: memoryview, first: Gfn) -> str:
    statuses = [_SEGMENT.unpack_from(segments, at)[-1] for at in range(0, len(segments), _SEGMENT.size)]
    page = next(page for page, status in enumerate(statuses) if status)
    return f"frame {first + page:#x} of the domain cannot be written, status {statuses[page]}"
