"""Whether this process may drive a Xen host, told in a sentence before any library is loaded.

The libraries would say it on stderr, and later. Nodes: Linux's /dev/xen/privcmd, xenfs on /proc/xen, /sys/hypervisor.
"""

from __future__ import annotations

import os
import sys

from xenvm.errors import HostError

PRIVCMD = ("dev/xen/privcmd", "proc/xen/privcmd")


def check_host(root: str = "/") -> None:
    """HostError unless this is a 64-bit (or wholly 32-bit) ARM dom0 and the process may make hypercalls."""
    machine = os.uname().machine
    _check_width(machine)
    device = next((root + node for node in PRIVCMD if os.path.exists(root + node)), None)
    if device is None:
        raise HostError(_no_device(root))
    if not machine.startswith(("aarch64", "arm")):
        raise HostError(f"this host is {machine}: xenvm drives Xen on ARM only")
    _check_dom0(root)
    if not os.access(device, os.R_OK | os.W_OK):
        raise HostError(f"must be root: {device} cannot be opened for writing")


def _check_width(machine: str) -> None:
    # privcmd has no compat handler: a 32-bit process on a 64-bit kernel would get ENOTTY for every request.
    if sys.maxsize < 1 << 32 and machine in ("aarch64", "armv8l"):
        raise HostError("this Python is of 32 bits and the kernel of 64: install a 64-bit Python to drive Xen")


def _no_device(root: str) -> str:
    if _text(f"{root}sys/hypervisor/type") == "xen":
        return "/dev/xen/privcmd is missing although Xen runs here: load the kernel module xen-privcmd"
    return "this is not a Xen host: /dev/xen/privcmd is missing"


def _check_dom0(root: str) -> None:
    # Without xenfs nothing tells; a domU then learns it from the first hypercall.
    capabilities = _text(f"{root}proc/xen/capabilities")
    if capabilities is not None and "control_d" not in capabilities:
        raise HostError("this is a Xen guest, not dom0: only dom0 can drive the host")


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None
