"""Recognises kernel and ramdisk files, and copies them into guest memory without holding them.

Headers: Linux' Documentation/arch/arm64/booting.rst (Image) and arch/arm/boot/compressed/head.S (zImage); gzip is
RFC 1952. Load addresses and sizes are those that libxenguest uses.
"""

from __future__ import annotations

import os
import stat

from xenbus.value import Value
from xenvm.errors import ImageError
from xenvm.guest.layout import RAM_BANKS, Region
from xenvm.types import PAGE_SIZE, Gpa, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO
    from typing import Protocol, Self
else:
    Protocol = object

MAX_SIZE = 1 << 30
"""Limit of a kernel (unpacked) and of a ramdisk, libxenguest's."""

_HEADER = 64
_ZIMAGE_HEADER = 0x30
_ZIMAGE_LOAD = Gpa(RAM_BANKS[0].start + 0x8000)
_ARM64_BRANCH = b"\x08\x00\x00\x14"
"""First instruction of arm64 kernels that have no magic number yet."""
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LEAST = 18
_GZIP_PADDING = 16
"""libxenguest unpacks into a buffer that much longer than the data, and loads the zeros too."""
_CHUNK = 1 << 18

_FOREIGN = (
    (b"\x7fELF", "an ELF file, which cannot be booted on ARM: give the kernel's Image or zImage"),
    (b"\x27\x05\x19\x56", "a uImage: give the Image or zImage inside it"),
    (b"\xd0\x0d\xfe\xed", "a device tree or FIT image, not a kernel"),
    (b"MZ", "an EFI program, not an arm64 Image"),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it first, only gzip is understood"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first, only gzip is understood"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it first, only gzip is understood"),
    (b"\x02\x21\x4c\x18", "compressed with lz4: unpack it first, only gzip is understood"),
    (b"BZh", "compressed with bzip2: unpack it first, only gzip is understood"),
    (b"\x5d\0\0", "compressed with lzma: unpack it first, only gzip is understood"),
)


class Reader(Protocol):
    """An open source, read from its beginning to its end; a context manager."""

    @property
    def stamp(self) -> Stamp | None:
        """Sources of equal stamps have the same bytes; None where nothing is known of them."""

    def read_into(self, view: memoryview) -> None:
        """Fills the whole of `view` (bytes, writable) with what comes next. ImageError: the file is not as it was."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Source(Protocol):
    """`size` bytes for guest memory: kernel, ramdisk or device tree, all loaded in one way."""

    @property
    def size(self) -> int:
        """How many bytes can be read in all."""

    def open(self) -> Reader:
        """Starts reading at the beginning."""


class Blob(Value):
    """A file that is loaded as it is."""

    path: str
    size: int

    def open(self) -> Reader:
        """ImageError if the file has gone or its size has changed."""
        return _FileReader(self.path, self.size)


class Kernel(Value):
    """A kernel file; `size` is that of the data as loaded, unpacked."""

    path: str
    bits: int
    """64 or 32."""
    load: Gpa
    entry: Gpa
    size: int
    gzip: bool = False

    @property
    def region(self) -> Region:
        """Where it is loaded."""
        return Region(self.load, self.size)

    def open(self) -> Reader:
        """ImageError if the file has gone or its size has changed."""
        return _GzipReader(self.path, self.size) if self.gzip else _FileReader(self.path, self.size)


class Held(Value):
    """Bytes in memory, as a source."""

    data: bytes

    @property
    def size(self) -> int:
        """Length of the data."""
        return len(self.data)

    def open(self) -> Reader:
        """Never fails."""
        return _HeldReader(self.data)


def open_kernel(path: str) -> Kernel:
    """Looks at a kernel file's header, and at the trailer too if it is gzip'd. ImageError: Xen could not boot it."""
    with _open(path) as file:
        size = _size(path, file)
        head = _read(path, file, _HEADER)
        if not head.startswith(_GZIP_MAGIC):
            return _recognise(path, head, size, gzip=False)
        size = _unpacked_size(path, file, size) + _GZIP_PADDING
    unpacked = bytearray(min(size, _HEADER))
    with _GzipReader(path, size) as reader:
        reader.read_into(memoryview(unpacked))
    return _recognise(path, bytes(unpacked), size, gzip=True)


def open_ramdisk(path: str) -> Blob:
    """Looks whether a ramdisk can be loaded. ImageError: missing, empty, not a file, larger than 1 GiB."""
    with _open(path) as file:
        return Blob(path, _size(path, file))


def read_file(path: str, limit: int) -> bytes:
    """A whole small file. ImageError, also when it has more than `limit` bytes."""
    with _open(path) as file:
        return _read(path, file, _size(path, file, limit))


def assumed_kernel(path: str, bits: int, size: int) -> Kernel:
    """A kernel whose file is not at hand: as a modern one of `bits` (64 or 32), `size` bytes unpacked."""
    load = _ZIMAGE_LOAD if bits == 32 else RAM_BANKS[0].start
    return Kernel(path, bits, load, load, size)


def _recognise(path: str, head: bytes, size: int, *, gzip: bool) -> Kernel:
    if len(head) >= _HEADER and (head[56:60] == b"ARM\x64" or head[:4] == _ARM64_BRANCH):
        load = entry = _image_load(path, int.from_bytes(head[8:16], "little"))
        return Kernel(path, 64, load, entry, size, gzip)
    if len(head) >= _ZIMAGE_HEADER and head[0x24:0x28] == b"\x18\x28\x6f\x01":
        entry = Gpa(int.from_bytes(head[0x28:0x2C], "little")) or _ZIMAGE_LOAD
        return Kernel(path, 32, _ZIMAGE_LOAD, entry, size, gzip)
    raise ImageError(path, _why_not(head))


def _image_load(path: str, text_offset: int) -> Gpa:
    if text_offset % PAGE_SIZE:
        raise ImageError(path, f"a text_offset of {text_offset:#x}, which is not a multiple of 4 KiB")
    if text_offset >= RAM_BANKS[0].size:
        raise ImageError(path, f"a text_offset of {text_offset:#x}, which is beyond a guest's memory")
    return Gpa(RAM_BANKS[0].start + text_offset)


def _why_not(head: bytes) -> str:
    if head.startswith(b"MZ") and head[4:8] == b"zimg":
        inside = head[24:56].split(b"\0")[0].decode("ascii", "replace")
        return f"an EFI zboot image, {inside} inside: give the plain Image"
    for magic, reason in _FOREIGN:
        if head.startswith(magic):
            return reason
    if len(head) < _HEADER:
        return f"too small for a kernel: {len(head)} bytes"
    return "neither an arm64 Image nor an arm zImage"


def _open(path: str) -> FileIO:
    try:
        return open(path, "rb", buffering=0, opener=_open_at_once)
    except (OSError, ValueError) as error:
        raise ImageError(path, _reason(error)) from error


def _open_at_once(path: str, flags: int) -> int:
    """Does not wait for a writer if `path` is a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)


def _size(path: str, file: FileIO, limit: int = MAX_SIZE) -> int:
    state = os.fstat(file.fileno())
    if not stat.S_ISREG(state.st_mode):
        raise ImageError(path, "not a regular file")
    if not state.st_size:
        raise ImageError(path, "an empty file")
    if state.st_size > limit:
        raise ImageError(path, f"larger than {limit >> 20} MiB")
    return state.st_size


def _read(path: str, file: FileIO, count: int) -> bytes:
    """Up to `count` bytes, fewer only at the end of the file."""
    data = b""
    try:
        while len(data) < count and (more := file.read(count - len(data))):
            data += more
    except OSError as error:
        raise ImageError(path, _reason(error)) from error
    return data


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _unpacked_size(path: str, file: FileIO, packed: int) -> int:
    """ISIZE, the last field of a gzip file; the reader checks it against the data."""
    if packed < _GZIP_LEAST:
        raise ImageError(path, "a truncated gzip file")
    file.seek(packed - 4)
    size = int.from_bytes(_read(path, file, 4), "little")
    if size > MAX_SIZE:
        raise ImageError(path, f"unpacks to more than {MAX_SIZE >> 20} MiB, or a truncated gzip file")
    return size


def _stamp(file: FileIO, unpacked: bool) -> Stamp:
    state = os.fstat(file.fileno())
    changed = max(state.st_mtime_ns, state.st_ctime_ns)
    return changed, state.st_mtime_ns, state.st_dev, state.st_ino, state.st_size, int(unpacked)


class _HeldReader:
    stamp = None

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def read_into(self, view: memoryview) -> None:
        view[:] = self._rest[: len(view)]
        self._rest = self._rest[len(view) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._rest.release()


class _FileReader:
    """Lets the kernel copy from the file straight into the guest's pages."""

    def __init__(self, path: str, size: int) -> None:
        self._path, self._file = path, _open(path)
        try:
            if _size(path, self._file) != size:
                raise ImageError(path, "changed its size since it was first looked at")
        except ImageError:
            self._file.close()
            raise
        self.stamp = _stamp(self._file, unpacked=False)

    def read_into(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            # Slices are released at once: while one lives, in a traceback say, its mapping cannot be undone.
            with view[done:] as rest:
                count = self._fill(rest)
            if not count:
                raise ImageError(self._path, "became shorter while it was read")
            done += count

    def _fill(self, rest: memoryview) -> int:
        try:
            return self._file.readinto(rest) or 0
        except OSError as error:
            raise ImageError(self._path, _reason(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


class _GzipReader:
    """Unpacks on the way, then adds the padding; `size` counts both."""

    def __init__(self, path: str, size: int) -> None:
        import zlib

        self._path, self._file = path, _open(path)
        self.stamp = _stamp(self._file, unpacked=True)
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._broken = zlib.error
        self._packed = b""
        self._left = size - _GZIP_PADDING

    def read_into(self, view: memoryview) -> None:
        count = min(len(view), self._left)
        done = 0
        while done < count:
            piece = self._unpack(min(count - done, 4 * _CHUNK))
            if not piece:
                raise ImageError(self._path, "a broken gzip file: it has less data than its trailer says")
            view[done : done + len(piece)] = piece
            done += len(piece)
        self._left -= count
        if count < len(view):
            if self._unpack(1):
                raise ImageError(self._path, "a broken gzip file: it has more data than its trailer says")
            view[count:] = bytes(len(view) - count)

    def _unpack(self, limit: int) -> bytes:
        """1..limit bytes; none only at the end of the data, checksum and all."""
        while not self._inflate.eof:
            packed = self._packed or _read(self._path, self._file, _CHUNK)
            if not packed:
                raise ImageError(self._path, "a truncated gzip file")
            try:
                data = self._inflate.decompress(packed, limit)
            except self._broken as error:
                raise ImageError(self._path, f"a broken gzip file: {error}") from error
            self._packed = self._inflate.unconsumed_tail
            if data:
                return data
        return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
