"""What can go wrong between us and a XenStore, as types; every error is one sentence that names operation and path.

::

    XenbusError
    ├── InvalidPath          a path that the protocol does not allow (also a ValueError)
    ├── InvalidValue         a value, permission or number that is out of bounds (also a ValueError)
    ├── NoStore              no store answers at any known address
    ├── StoreClosed          the connection is gone
    │   └── StoreProtocolError   ... because the server broke the protocol
    ├── DeviceFault          a device cannot work: what its other end says makes no sense
    │   └── RingError            ... in the indexes of a shared ring
    ├── StoreTimeout         no answer, or no change, in time
    └── StoreError           the server refused a request
        ├── NotFound             ENOENT
        ├── Conflict             EAGAIN: a transaction met another one
        ├── AccessDenied         EACCES, EPERM
        ├── Exists               EEXIST
        ├── TooBig               E2BIG
        ├── NoSpace              ENOSPC, ENOMEM
        └── Unsupported          ENOSYS
"""

from __future__ import annotations

import errno as _errno


class XenbusError(Exception):
    """Root of all errors of xenbus; ``str()`` is one sentence for the user."""


class InvalidPath(XenbusError, ValueError):
    """A path that the protocol does not allow."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(path, reason)

    def __str__(self) -> str:
        shown = self.path if len(self.path) <= 80 else self.path[:80] + "..."
        return f"{shown!r} is not a store path: {self.reason}"


class InvalidValue(XenbusError, ValueError):
    """A value, permission or number that is malformed or out of bounds."""


class NoStore(XenbusError):
    """No store answers at any known address."""


class StoreClosed(XenbusError):
    """The connection to the store at `address` is gone."""

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(address, reason)

    def __str__(self) -> str:
        return f"the connection to the store at {self.address} is closed: {self.reason}"


class StoreProtocolError(StoreClosed):
    """The server sent what the protocol does not allow; the connection was closed."""

    def __str__(self) -> str:
        return f"the store at {self.address} broke the protocol: {self.reason}"


class DeviceFault(XenbusError):
    """A device cannot work, as its other end, or its configuration, makes no sense."""


class RingError(DeviceFault):
    """The other end of a shared ring has written indexes, or a message, that cannot be."""


class StoreTimeout(XenbusError):
    """An answer or a change did not come in time."""


class StoreError(XenbusError):
    """The server refused the request `op` on `path`; `errno` is the error's number, `name` the one on the wire."""

    def __init__(self, name: str, op: str, path: str = "") -> None:
        self.name, self.op, self.path = name, op, path
        self.errno: int = getattr(_errno, name, _errno.EINVAL)
        super().__init__(name, op, path)

    def __str__(self) -> str:
        what = f"{self.op} {self.path}".rstrip()
        return f"the store refused {what}: {_MEANINGS.get(self.name, 'invalid request')} ({self.name})"


class NotFound(StoreError):
    """ENOENT: no such node, watch, transaction or domain."""


class Conflict(StoreError):
    """EAGAIN: another client changed what a transaction had touched."""


class AccessDenied(StoreError):
    """EACCES or EPERM."""


class Exists(StoreError):
    """EEXIST: the watch is registered already."""


class TooBig(StoreError):
    """E2BIG: the answer does not fit into one packet, or a quota."""


class NoSpace(StoreError):
    """ENOSPC or ENOMEM: a quota or the server's memory is used up."""


class Unsupported(StoreError):
    """ENOSYS: the server does not know the operation."""


_TYPES = {
    "ENOENT": NotFound,
    "EAGAIN": Conflict,
    "EACCES": AccessDenied,
    "EPERM": AccessDenied,
    "EEXIST": Exists,
    "E2BIG": TooBig,
    "ENOSPC": NoSpace,
    "ENOMEM": NoSpace,
    "ENOSYS": Unsupported,
}

_MEANINGS = {
    "EINVAL": "invalid request",
    "EACCES": "permission denied",
    "EEXIST": "it exists already",
    "EISDIR": "it is a directory",
    "ENOENT": "it does not exist",
    "ENOMEM": "the store is out of memory",
    "ENOSPC": "a quota is used up",
    "EIO": "input/output error",
    "ENOTEMPTY": "it is not empty",
    "ENOSYS": "the store does not know this operation",
    "EROFS": "the store is read-only",
    "EBUSY": "it is in use",
    "EAGAIN": "another client changed the same nodes",
    "EISCONN": "it is connected already",
    "E2BIG": "too big for one packet",
    "EPERM": "operation not permitted",
}


def store_error(name: str, op: str, path: str = "") -> StoreError:
    """The error of the type that fits the errno's name."""
    return _TYPES.get(name, StoreError)(name, op, path)
