from __future__ import annotations

import ctypes

import pytest

from xenvm.errors import HostError
from xenvm.host.xen import libs


@pytest.mark.parametrize(
    ("load", "package"),
    [(libs.xencall, "libxencall1"), (libs.xenforeignmemory, "libxenforeignmemory1")],
)
def test_a_missing_library_names_its_package(monkeypatch: pytest.MonkeyPatch, load, package: str) -> None:
    def missing(soname: str, use_errno: bool) -> None:
        raise OSError(f"{soname}: cannot open shared object file")

    monkeypatch.setattr(libs, "CDLL", missing)
    with pytest.raises(HostError, match=f"cannot open shared object file.*Debian package {package}$"):
        load()


def test_a_library_without_a_function_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libs, "CDLL", lambda soname, use_errno: ctypes.CDLL(None))
    with pytest.raises(HostError, match="libxencall1"):
        libs.xencall()


def test_pointers_and_64_bit_arguments_are_declared() -> None:
    functions = {**libs._CALLS, **libs._FOREIGN}
    pointers = ("xencall_open", "xencall_alloc_buffer_pages", "xenforeignmemory_map", "xenforeignmemory_map_resource")
    assert all(functions[name][0] is ctypes.c_void_p for name in pointers)
    assert functions["xencall5"][3:] == (ctypes.c_uint64,) * 5


def test_mmap_comes_from_the_c_library() -> None:
    assert libs.libc().mmap(0, 4096, 3, 0x22, -1, 0) > 0
