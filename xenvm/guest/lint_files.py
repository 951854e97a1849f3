"""The files that a configuration names, looked at as a host would: are they there, and what they should be?"""

from __future__ import annotations

import os

from xenvm.errors import ConfigError, ImageError, XenvmError
from xenvm.guest import dtb, image
from xenvm.guest.fdtblob import read_partial
from xenvm.guest.lint import finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from xenvm.guest.cfg import Diagnostic
    from xenvm.guest.spec import GuestSpec

_BZIMAGE_AT, _BZIMAGE = 0x202, b"HdrS"


def file_findings(spec: GuestSpec) -> list[Diagnostic]:
    """All findings about the files of one guest."""
    found = list(_missing(spec))
    if not found:
        found += _kernel(spec)
    return found


def _missing(spec: GuestSpec) -> Iterator[Diagnostic]:
    """Files that are not there; where a bootloader finds them, kernel and ramdisk lie in the disk."""
    named = [("device_tree", spec.device_tree)]
    if spec.bootloader is None:
        named += [("kernel", spec.kernel), ("ramdisk", spec.ramdisk)]
    for key, path in named:
        if path and not os.path.exists(path):
            yield finding(spec, "XV040", f"{path} is not there", key)
    for disk in spec.disks:
        local = disk.backend == "0" and disk.script is None and disk.format != "empty"
        if local and not os.path.exists(disk.target):
            yield finding(spec, "XV040", f"{disk.target} is not there", "disk", at=disk)


def _kernel(spec: GuestSpec) -> Iterator[Diagnostic]:
    try:
        if spec.device_tree:
            read_partial(spec.device_tree)
    except ImageError as error:
        yield finding(spec, "XV042", error.reason, "device_tree", error=True)
        return
    if spec.bootloader is not None:
        return
    try:
        kernel = image.open_kernel(spec.kernel)
    except ImageError as error:
        reason = "a kernel of x86 (bzImage), not of ARM" if _is_bzimage(spec.kernel) else error.reason
        yield finding(spec, "XV041", f"{spec.kernel}: {reason}", "kernel", error=True)
        return
    if kernel.bits == 32 and spec.sve:
        yield finding(spec, "XV064", "a 32-bit guest has no SVE", "sve", error=True)
    yield from _room(spec, kernel)


def _room(spec: GuestSpec, kernel: image.Kernel) -> Iterator[Diagnostic]:
    try:
        size = image.open_ramdisk(spec.ramdisk).size if spec.ramdisk else 0
    except ImageError as error:
        yield finding(spec, "XV041", f"{spec.ramdisk}: {error.reason}", "ramdisk", error=True)
        return
    try:
        dtb.lay_out(spec, kernel, size, dtb.TreeFacts())
    except ConfigError as error:
        yield finding(
            spec, "XV043", error.reason, "maxmem" if "maxmem" in (spec.places or {}) else "memory", error=True
        )
    except XenvmError:
        pass  # what depends on a host


def _is_bzimage(path: str) -> bool:
    if not os.path.isfile(path):  # a pipe would never end
        return False
    with open(path, "rb") as file:
        return file.read(_BZIMAGE_AT + 4)[_BZIMAGE_AT:] == _BZIMAGE
