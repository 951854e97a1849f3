"""A domain's RAM: it costs nothing until it is written, and every window onto it is the memory itself.

The address space is cut into slabs of 1 GiB, mapped by the operating system when they are first touched: anonymous
memory, or pages of a file with holes for a world that lasts, whose changes stay here until they are saved. Memory
that nobody has written to holds what a debug build of Xen puts there.
"""

from __future__ import annotations

import mmap
import os
import sys
from _thread import allocate_lock
from errno import ENOMEM

from xenvm.errors import HypercallError
from xenvm.host.sim.extents import Extents
from xenvm.types import PAGE_SHIFT, PAGE_SIZE, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

FRESH = b"\xc2"
"""Each byte of memory that nobody has written to."""

_SLAB_SHIFT = 18 if sys.maxsize > 1 << 32 else 12
"""Frames of a slab, as a power of two: 1 GiB, where the address space is large enough."""
_SLAB_BYTES = PAGE_SIZE << _SLAB_SHIFT
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # the module has no name for it before Python 3.13
_HUGE = 2 << 20


class Ram:
    """The memory of one domain, by guest frame; whoever calls checks that the domain has the frames."""

    def __init__(self, path: str | None = None, written: Iterable[tuple[int, int]] = ()) -> None:
        """`path`: the file that keeps it; `written`: the frames whose content that file has."""
        self._path = path
        self.written = Extents(written)
        self._from_file = bool(len(self.written))
        self._shown = Extents()
        """Frames that may differ from the file."""
        self._slabs: dict[int, memoryview] = {}
        self._laid: list[tuple[int, int, memoryview]] = []
        """Images that are there in place of a slab's own memory: first frame, the one behind, bytes."""
        self._lock = allocate_lock()  # a creation loads images beside other work

    def window(self, first: Gfn, count: int, *, overwrite: bool = False) -> memoryview:
        """The bytes of `count` frames, one of `pieces`; `overwrite` says that they will all be written now."""
        with self._lock:
            view = self._view(first, count)
            gaps = self.written.missing(first, first + count)
            if gaps:
                if not overwrite:
                    for start, end in gaps:
                        self._view(start, end - start)[:] = FRESH * ((end - start) * PAGE_SIZE)
                self.written.add(first, first + count)
            if self._path is not None:
                self._shown.add(first, first + count)
            return view

    def read(self, first: Gfn, count: int) -> bytes:
        """A copy of frames in whatever slabs; those that nobody has written to are zero, and stay so."""
        with self._lock:
            return b"".join(bytes(self._view(start, size)) for start, size in self.pieces(first, count))

    def pieces(self, first: Gfn, count: int) -> Iterator[tuple[Gfn, int]]:
        """A range of frames, cut where slabs and images end."""
        end = first + count
        while first < end:
            edges = (edge for start, behind, _ in self._laid for edge in (start, behind) if edge > first)
            cut = min(end, ((first >> _SLAB_SHIFT) + 1) << _SLAB_SHIFT, *edges)
            yield first, cut - first
            first = Gfn(cut)

    def can_lay(self, first: Gfn, count: int) -> bool:
        """Whether an image may lie there: not over another one, nor where a file has to keep the memory itself."""
        return self._path is None and all(first + count <= start or end <= first for start, end, _ in self._laid)

    def lay(self, first: Gfn, image: memoryview) -> None:
        """Puts an image's pages, which are this domain's own, in place of its memory; nobody has a window there yet."""
        end = first + len(image) // PAGE_SIZE
        with self._lock:
            self._laid.append((first, end, image))
            self.written.add(first, end)

    def forget(self, first: Gfn, count: int) -> None:
        """The frames are other memory now, that nobody has written to."""
        with self._lock:
            self.written.remove(first, first + count)

    def fill(self, first: Gfn, size: int, read_into: Callable[[memoryview], None]) -> None:
        """Has `size` bytes from a frame on filled, and clears the rest of the last page."""
        for start, count in self.pieces(first, -(-size // PAGE_SIZE)):
            with self.window(start, count, overwrite=True) as view:
                some = min(size, len(view))
                self._advise(start, some)
                with view[:some] as data:
                    read_into(data)
                view[some:] = bytes(len(view) - some)
                size -= some

    def save(self) -> None:
        """Puts what may have changed into the file."""
        if self._path is None:
            return
        fd = self._open(self._path)
        try:
            for start, end in self._shown:
                for first, count in self.pieces(Gfn(start), end - start):
                    _write(fd, self._view(first, count), first << PAGE_SHIFT)
        finally:
            os.close(fd)
        self._shown = Extents()

    def release(self) -> None:
        """Gives the memory back, as soon as no window is open any more."""
        self._slabs.clear()
        self._laid.clear()

    def _view(self, first: int, count: int) -> memoryview:
        for start, end, image in self._laid:
            if start <= first < end:
                at = (first - start) << PAGE_SHIFT
                return image[at : at + (count << PAGE_SHIFT)]
        slab = first >> _SLAB_SHIFT
        if slab not in self._slabs:
            try:
                self._slabs[slab] = self._map(slab)
            except OSError as error:
                reason = f"this machine gives no memory for it: {error.strerror}"
                raise HypercallError("map_foreign", ENOMEM, detail=reason) from error
        at = (first - (slab << _SLAB_SHIFT)) << PAGE_SHIFT
        return self._slabs[slab][at : at + (count << PAGE_SHIFT)]

    def _map(self, slab: int) -> memoryview:
        flags = mmap.MAP_PRIVATE | _NORESERVE
        if self._path is None or not self._from_file:
            return memoryview(mmap.mmap(-1, _SLAB_BYTES, flags=flags | mmap.MAP_ANONYMOUS))
        fd = self._open(self._path)
        try:
            end = (slab + 1) * _SLAB_BYTES
            if os.fstat(fd).st_size < end:
                os.truncate(fd, end)
            return memoryview(mmap.mmap(fd, _SLAB_BYTES, flags=flags, offset=slab * _SLAB_BYTES))
        finally:
            os.close(fd)

    @staticmethod
    def _open(path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def _advise(self, first: Gfn, size: int) -> None:
        """Large pages for a large image: four times as fast to fill."""
        slab = self._view(first, 1).obj
        if not self._from_file and size >= _HUGE and isinstance(slab, mmap.mmap) and hasattr(mmap, "MADV_HUGEPAGE"):
            start = (first << PAGE_SHIFT) % _SLAB_BYTES
            try:
                slab.madvise(mmap.MADV_HUGEPAGE, start, size)
            except OSError:
                pass  # a kernel without them


def _write(fd: int, data: memoryview, at: int) -> None:
    """All of it, or OSError."""
    while data:
        done = os.pwrite(fd, data, at)
        data, at = data[done:], at + done


class Window:
    """A window onto a domain's pages, as map_foreign gives it."""

    def __init__(self, ram: Ram, first: Gfn, count: int, on_close: Callable[[], object]) -> None:
        self._views = [ram.window(*piece) for piece in ram.pieces(first, count)]
        self._on_close: Callable[[], object] | None = on_close
        # Pages that lie in two slabs are shown as a copy, which is put back at the end.
        self.view = self._views[0] if len(self._views) == 1 else memoryview(bytearray(b"".join(self._views)))

    def close(self) -> None:
        """Unmaps; harmless a second time."""
        on_close, self._on_close = self._on_close, None
        if on_close is None:
            return
        if len(self._views) > 1:
            at = 0
            for view in self._views:
                view[:] = self.view[at : at + len(view)]
                at += len(view)
        try:
            self.view.release()
        except BufferError:
            pass  # somebody reads through it at this moment
        on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
