"""A real Xen-on-ARM host on any Linux machine: Debian's Xen, dom0 and guests under QEMU's emulation.

::

    image = lab.build("bookworm")           packages -> a bootable image in the user's cache
    with lab.up(suite="bookworm") as host:  a machine; the working tree is live in its dom0
        host.run(["xl", "list"]).stdout
"""

from __future__ import annotations

from xenvm.lab.builder import build, ensure
from xenvm.lab.client import Result
from xenvm.lab.errors import LabError
from xenvm.lab.host import BOOT_TIMEOUT, Lab, boot, check_name, find, labs
from xenvm.lab.image import Image
from xenvm.lab.progress import Bar, Progress, silent
from xenvm.lab.qemu import Options
from xenvm.lab.suites import SUITES

__all__ = [
    "SUITES", "Bar", "Image", "Lab", "LabError", "Options", "Progress", "Result", "build", "find", "labs", "up",
]  # fmt: skip


def up(
    name: str | None = None, suite: str = "bookworm", options: Options | None = None, *,
    progress: Progress = silent, timeout: float = BOOT_TIMEOUT,
) -> Lab:  # fmt: skip
    """Boot a lab, named like its suite unless told otherwise; its image is built if there is none."""
    checked = check_name(name or suite)
    return boot(ensure(suite, progress), checked, options, progress=progress, timeout=timeout)
