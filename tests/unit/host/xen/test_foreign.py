from __future__ import annotations

import ctypes
import io
from errno import EINVAL, EOPNOTSUPP, ESRCH
from struct import pack, unpack

import pytest

from xenvm.errors import HostError, HypercallError
from xenvm.host.xen import libs
from xenvm.host.xen.foreign import ForeignMemory

_PRIVATE_ANONYMOUS = 0x22


class Library:
    """libxenforeignmemory with anonymous memory in the place of a domain's."""

    def __init__(self) -> None:
        self.libc = libs.libc()
        self.libc.munmap.argtypes = ctypes.c_void_p, ctypes.c_size_t
        self.handle: int | None = 7
        self.errno = 0
        self.asked: list[tuple[int, ...]] = []
        self.living: dict[int, int] = {}
        self.resources: dict[int, int] = {}
        self.closed = 0

    def mmap(self, count: int) -> int:
        address = self.libc.mmap(0, count * 4096, 3, _PRIVATE_ANONYMOUS, -1, 0)
        self.living[address] = count
        return address

    def xenforeignmemory_open(self, logger: None, flags: int) -> int | None:
        ctypes.set_errno(self.errno)
        return self.handle

    def xenforeignmemory_close(self, handle: int) -> None:
        self.closed += 1

    def xenforeignmemory_map(
        self, handle: int, domid: int, prot: int, count: int, frames: bytes, errors: None
    ) -> int | None:
        self.asked.append((handle, domid, prot, count, *unpack(f"<{count}Q", frames)))
        ctypes.set_errno(self.errno)
        return None if self.errno else self.mmap(count)

    def xenforeignmemory_unmap(self, handle: int, address: int, count: int) -> None:
        assert self.living.pop(address) == count
        assert self.libc.munmap(address, count * 4096) == 0

    def xenforeignmemory_map_resource(self, handle: int, *where_and_how) -> int | None:
        *where, result, prot, flags = where_and_how
        self.asked.append((*where, prot, flags))
        ctypes.set_errno(self.errno)
        if self.errno:
            return None
        result._obj.value = self.table = self.mmap(1)
        return 99

    def xenforeignmemory_unmap_resource(self, handle: int, resource: int) -> None:
        self.resources[resource] = self.resources.get(resource, 0) + 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setattr(libs, "xenforeignmemory", lambda: library)
    return library


def test_pages_around_holes(library: Library) -> None:
    def mapped(handle: int, domid: int, prot: int, count: int, frames: bytes, errors: object) -> int:
        assert (handle, domid, prot, unpack(f"<{count}Q", frames)) == (7, 5, 1, tuple(range(0x40000, 0x40006)))
        errors._obj[:] = [-EINVAL, 0, 0, -EINVAL, 0, -EINVAL]  # type: ignore[attr-defined]
        address = library.mmap(count)
        for page in range(count):
            ctypes.memset(address + page * 4096, page, 4096)
        return address

    library.xenforeignmemory_map = mapped  # type: ignore[method-assign,assignment]
    runs = ForeignMemory().read(5, 0x40000, 6)
    assert runs == [(0x40001, b"\1" * 4096 + b"\2" * 4096), (0x40004, b"\4" * 4096)]
    assert library.living == {}


def test_pages_of_nobody(library: Library) -> None:
    """It is told for each page."""
    plain = library.xenforeignmemory_map

    def mapped(*arguments: object) -> int | None:
        arguments[-1]._obj[:] = [-ESRCH] * 6  # type: ignore[attr-defined]
        return plain(*arguments)  # type: ignore[arg-type]

    library.xenforeignmemory_map = mapped  # type: ignore[method-assign,assignment]
    with pytest.raises(HypercallError, match="map_foreign for domain 5: ESRCH"):
        ForeignMemory().read(5, 0x40000, 6)
    assert library.living == {}


def test_pages_that_cannot_be_mapped(library: Library) -> None:
    library.errno = EINVAL
    with pytest.raises(HypercallError, match="map_foreign for domain 5: EINVAL"):
        ForeignMemory().read(5, 0x40000, 6)


def test_a_window_shows_the_pages(library: Library) -> None:
    with ForeignMemory().map(5, 0x2_0000_0000, 3) as mapping:
        (address,) = library.living
        assert library.asked == [(7, 5, 3, 3, 0x2_0000_0000, 0x2_0000_0001, 0x2_0000_0002)]
        assert (len(mapping.view), mapping.view.format, mapping.view.readonly) == (3 * 4096, "B", False)
        mapping.view[4096:4100] = b"here"
        assert ctypes.string_at(address + 4096, 4) == b"here"
    assert library.living == {}


def test_files_are_read_straight_into_it(library: Library) -> None:
    with ForeignMemory().map(5, 0x40000, 2) as mapping:
        assert io.BytesIO(b"k" * 5000).readinto(mapping.view[100:]) == 5000
        assert bytes(mapping.view[99:102]) == b"\0kk"


def test_the_view_is_dead_after_close(library: Library) -> None:
    mapping = ForeignMemory().map(5, 0x40000, 1)
    mapping.close()
    mapping.close()
    with pytest.raises(ValueError, match="released"):
        mapping.view[0]


def test_an_error_inside_unmaps(library: Library) -> None:
    with pytest.raises(KeyError), ForeignMemory().map(5, 0x40000, 1):
        raise KeyError
    assert library.living == {}


def test_a_slice_that_outlives_the_window_sees_zeros(library: Library) -> None:
    with ForeignMemory().map(5, 0x40000, 2) as mapping:
        part = mapping.view[4096:]
        part[0] = 77
    assert part[0] == 0
    part[0] = 1
    ((address, count),) = library.living.items()
    assert ctypes.string_at(address + 4096, 1) == b"\1", "the address range is kept, with other pages"
    part.release()
    library.xenforeignmemory_unmap(7, address, count)


def test_a_window_in_use_at_this_moment_is_replaced_too(library: Library) -> None:
    mapping = ForeignMemory().map(5, 0x40000, 1)
    user = (ctypes.c_char * 4096).from_buffer(mapping.view)
    user[0] = b"x"
    mapping.close()
    assert user[0] == b"\0"


def test_pages_that_are_not_there(library: Library) -> None:
    library.errno = EINVAL
    with pytest.raises(HypercallError, match=r"map_foreign for domain 5: EINVAL \(not all of these frames are RAM\)"):
        ForeignMemory().map(5, 0x40000, 1)


def test_grants(library: Library) -> None:
    with ForeignMemory().grant_table(5) as table:
        table.write({0: b"12345678", 2: pack("<HHI", 1, 3, 0x39001)})
        assert library.resources == {}
    assert library.asked == [(5, 1, 0, 0, 1, 3, 0)]
    assert ctypes.string_at(library.table, 32) == b"12345678" + bytes(8) + pack("<HHI", 1, 3, 0x39001) + bytes(8)
    assert library.resources == {99: 1}


def test_no_resources(library: Library) -> None:
    library.errno = EOPNOTSUPP
    with pytest.raises(HypercallError) as caught:
        ForeignMemory().grant_table(5)
    assert caught.value.errno == EOPNOTSUPP


def test_a_refused_device(library: Library) -> None:
    library.handle, library.errno = None, EINVAL
    with pytest.raises(HostError, match="foreign memory cannot be opened: Invalid argument"):
        ForeignMemory()


def test_close_once(library: Library) -> None:
    memory = ForeignMemory()
    memory.close()
    memory.close()
    assert library.closed == 1
