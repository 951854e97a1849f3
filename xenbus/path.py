"""Paths of the store, as pure functions (docs/misc/xenstore.txt): which are allowed, and how to take them apart."""

from __future__ import annotations

from xenbus.errors import InvalidPath

ABSOLUTE_MAX = 3072
"""XENSTORE_ABS_PATH_MAX: most bytes of an absolute path."""
RELATIVE_MAX = 2048
"""XENSTORE_REL_PATH_MAX: most bytes of a path relative to the connection's domain."""

_ALLOWED = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@"


def encode_path(path: str, *, special: bool = False) -> bytes:
    """The bytes of an allowed path, without NUL; raises InvalidPath. `special`: ``@releaseDomain`` and the like too."""
    raw = path.encode("utf-8", "surrogateescape")
    if raw.translate(None, _ALLOWED):
        raise InvalidPath(path, "only letters, digits and -/_@ are allowed")
    if raw == b"/":
        return raw
    if not raw or raw[-1:] == b"/" or b"//" in raw:
        raise InvalidPath(path, "a name is empty")
    if raw[:1] == b"@" and not special:
        raise InvalidPath(path, "special nodes can only be watched and have permissions")
    if len(raw) > (ABSOLUTE_MAX if raw[:1] == b"/" else RELATIVE_MAX):
        raise InvalidPath(path, "it is too long")
    return raw


def is_path(path: str, *, special: bool = False) -> bool:
    """Whether the protocol allows this path."""
    try:
        encode_path(path, special=special)
    except InvalidPath:
        return False
    return True


def join(base: str, *names: str) -> str:
    """`base` extended by relative paths; a `base` of ``/`` gives ``/name``."""
    return "/".join((base.rstrip("/"), *names))


def parent(path: str) -> str:
    """The path without its last name: ``/a`` gives ``/``, a single relative name gives ``""``."""
    head, slash, _name = path.rpartition("/")
    return head or slash


def basename(path: str) -> str:
    """The last name of a path."""
    return path.rpartition("/")[2]


def is_under(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or below it, by whole names."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")
