from __future__ import annotations

import ctypes
from errno import EPERM

import pytest

from xenvm.errors import HostError
from xenvm.host.xen import libs
from xenvm.host.xen.buffers import PAGES
from xenvm.host.xen.calls import Calls


class Library:
    """libxencall with ordinary memory."""

    def __init__(self) -> None:
        self.handle: int | None = 0x7F00_0000_1000
        self.result, self.errno = 0, 0
        self.called: list[tuple[int, ...]] = []
        self.allocated: dict[int, ctypes.Array] = {}
        self.closed: list[int] = []
        self.room = True

    def xencall_open(self, logger: None, flags: int) -> int | None:
        ctypes.set_errno(self.errno)
        return self.handle

    def xencall5(self, *arguments: int) -> int:
        self.called.append(arguments)
        ctypes.set_errno(self.errno)
        return self.result

    def xencall_alloc_buffer_pages(self, handle: int, pages: int) -> int | None:
        if not self.room:
            ctypes.set_errno(12)
            return None
        memory = (ctypes.c_char * (pages * 4096))()
        self.allocated[ctypes.addressof(memory)] = memory
        return ctypes.addressof(memory)

    def xencall_free_buffer_pages(self, handle: int, address: int, pages: int) -> None:
        assert pages == PAGES
        del self.allocated[address]

    def xencall_close(self, handle: int) -> None:
        self.closed.append(handle)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setattr(libs, "xencall", lambda: library)
    return library


def test_arguments_are_filled_up_with_zeros(library: Library) -> None:
    Calls().hypercall(36, 0xFFFF_8000_1000)
    assert library.called == [(library.handle, 36, 0xFFFF_8000_1000, 0, 0, 0, 0)]


@pytest.mark.parametrize(("result", "errno", "answer"), [(0, 99, 0), (64, 99, 64), (-1, EPERM, -EPERM)])
def test_answers(library: Library, result: int, errno: int, answer: int) -> None:
    calls = Calls()
    library.result, library.errno = result, errno
    assert calls.hypercall(12, 6, 7) == answer


def test_buffers_are_the_librarys_memory(library: Library) -> None:
    with Calls().buffer() as buffer:
        buffer.put(b"xen", 100)
        assert library.allocated[buffer.address].raw[100:103] == b"xen"


def test_close_gives_everything_back_once(library: Library) -> None:
    calls = Calls()
    with calls.buffer(), calls.buffer():
        pass
    calls.close()
    calls.close()
    assert library.allocated == {}
    assert library.closed == [library.handle]
    with pytest.raises(HostError, match="closed"):
        calls.hypercall(17, 0, 0)
    with pytest.raises(HostError, match="closed"):
        calls.buffer()


def test_a_refused_device(library: Library) -> None:
    library.handle, library.errno = None, EPERM
    with pytest.raises(HostError, match="hypercall device cannot be opened: Operation not permitted"):
        Calls()


def test_no_memory(library: Library) -> None:
    library.room = False
    with pytest.raises(HostError, match="no memory for hypercalls"):
        Calls().buffer()
