"""What can go wrong, as types; every error names its object in one sentence.

::

    XenvmError
    ├── ConfigError          the configuration: file, line, column
    ├── ImageError           a kernel, ramdisk or device tree file: path
    ├── HostError            this machine cannot do it: not dom0, not root, an unknown Xen, no bridge
    │   ├── HostAtRest           a simulated host on which nothing more will happen
    │   └── UnsupportedError     an option that this Xen or this guest lacks
    ├── HypercallError       the hypervisor refused: operation, domid, errno
    ├── DomainError          a domain is not what the command needs
    │   ├── NoSuchDomain
    │   ├── NoSuchPool           ... or a cpupool
    │   └── DomainExists
    ├── DeviceError          a device or its back end: the device's name
    │   └── NoSuchDevice
    └── WaitTimeout          a state did not come in time

The library raises, never prints and never exits; :mod:`xenvm.cli` maps the types to exit codes in one place.
"""

from __future__ import annotations

import errno as _errno


class XenvmError(Exception):
    """Root of all errors of xenvm; ``str()`` is one sentence for the user."""


class ConfigError(XenvmError):
    """A configuration that cannot be used: ``FILE:LINE:COLUMN: what is wrong``."""

    def __init__(self, reason: str, *, source: str = "", line: int = 0, column: int = 0) -> None:
        self.reason, self.source, self.line, self.column = reason, source, line, column
        super().__init__(reason)

    def __str__(self) -> str:
        place = [self.source or "config"] + [str(n) for n in (self.line, self.column) if n]
        return f"{':'.join(place)}: {self.reason}"


class ImageError(XenvmError):
    """A kernel, ramdisk or device tree file that cannot be used."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class HostError(XenvmError):
    """This machine cannot do what was asked."""


class HostAtRest(HostError):
    """Nothing more will ever happen by itself on a simulated host."""


class UnsupportedError(HostError):
    """The running Xen, or this guest, lacks what an option asks for."""


class HypercallError(XenvmError):
    """Xen refused an operation; `errno` is Xen's number (the same as Linux's)."""

    def __init__(self, operation: str, errno: int, *, domid: int | None = None, detail: str = "") -> None:
        self.operation, self.errno, self.domid, self.detail = operation, errno, domid, detail
        super().__init__(operation, errno)

    def __str__(self) -> str:
        name = _errno.errorcode.get(self.errno, str(self.errno))
        whom = "" if self.domid is None else f" for domain {self.domid}"
        return f"{self.operation}{whom}: {name}" + (f" ({self.detail})" if self.detail else "")


class DomainError(XenvmError):
    """A domain is missing, exists already, or is in the wrong state."""


class NoSuchDomain(DomainError):
    """No domain has this name or number."""

    def __init__(self, who: str | int) -> None:
        self.who = who
        super().__init__(f"{who} is an invalid domain identifier")


class NoSuchPool(DomainError):
    """No cpupool has this name or number."""

    def __init__(self, who: str) -> None:
        self.who = who
        super().__init__(f"there is no cpupool {who!r} on this host")


class DomainExists(DomainError):
    """A live domain has this name or uuid already."""


class DeviceError(XenvmError):
    """A device or its back end failed."""

    def __init__(self, device: str, reason: str) -> None:
        self.device, self.reason = device, reason
        super().__init__(f"{device}: {reason}")


class NoSuchDevice(DeviceError):
    """A device that a domain does not have."""


class WaitTimeout(XenvmError):
    """A state did not come within its deadline."""
