"""Loads Xen's stable libraries, with no more declarations than are used (xencall.h, xenforeignmemory.h).

They carry no interface version: the same sonames serve every Xen from 4.14 on.
"""

from __future__ import annotations

from ctypes import CDLL, c_char_p, c_int, c_size_t, c_uint, c_uint16, c_uint64, c_ulong, c_void_p

from xenvm.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_HANDLE = c_void_p
_CALLS = {
    "xencall_open": (c_void_p, c_void_p, c_uint),
    "xencall_close": (c_int, _HANDLE),
    "xencall5": (c_int, _HANDLE, c_uint, c_uint64, c_uint64, c_uint64, c_uint64, c_uint64),
    "xencall_alloc_buffer_pages": (c_void_p, _HANDLE, c_size_t),
    "xencall_free_buffer_pages": (None, _HANDLE, c_void_p, c_size_t),
}
_FOREIGN = {
    "xenforeignmemory_open": (c_void_p, c_void_p, c_uint),
    "xenforeignmemory_close": (c_int, _HANDLE),
    "xenforeignmemory_map": (c_void_p, _HANDLE, c_uint, c_int, c_size_t, c_char_p, c_void_p),
    "xenforeignmemory_unmap": (c_int, _HANDLE, c_void_p, c_size_t),
    "xenforeignmemory_map_resource": (
        c_void_p,
        *(_HANDLE, c_uint16, c_uint, c_uint, c_ulong, c_ulong),
        *(c_void_p, c_int, c_int),
    ),
    "xenforeignmemory_unmap_resource": (c_int, _HANDLE, c_void_p),
}
_MMAP = {"mmap": (c_void_p, c_void_p, c_size_t, c_int, c_int, c_int, c_ulong)}
"""Result and arguments of each function; the array of frame numbers is passed as bytes."""


def xencall() -> CDLL:
    """libxencall: hypercalls and memory for their arguments."""
    return _load("libxencall.so.1", "libxencall1", _CALLS)


def xenforeignmemory() -> CDLL:
    """libxenforeignmemory: other domains' pages."""
    return _load("libxenforeignmemory.so.1", "libxenforeignmemory1", _FOREIGN)


def libc() -> CDLL:
    """The C library's mmap, which Python's own offers at no chosen address."""
    return _load(None, "libc6", _MMAP)


def _load(soname: str | None, package: str, functions: Mapping[str, tuple[type | None, ...]]) -> CDLL:
    try:
        library = CDLL(soname, use_errno=True)
        for name, (result, *arguments) in functions.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise HostError(f"{soname} cannot be used ({error}): install the Debian package {package}") from error
    return library
