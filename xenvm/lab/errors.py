"""What can go wrong in the lab; ``str()`` is one sentence for the user.

::

    LabError
    ├── ToolMissing      a program of the host is not installed: names its Debian package
    ├── MirrorUnknown    apt's configuration names no Debian mirror
    ├── BuildFailed      a step of the image's build
    ├── NoLab            no such lab, or it is not running
    ├── LabExists        a lab of this name is up
    ├── BootFailed       dom0 did not answer in time: carries the end of the serial log
    ├── Disconnected     dom0 dropped a command's connection
    └── CommandFailed    a command in dom0 returned non-zero, or ran out of time
"""

from __future__ import annotations

from xenvm.errors import XenvmError


class LabError(XenvmError):
    """Root of the lab's errors."""


class ToolMissing(LabError):
    """A program that the lab needs on this machine is not installed."""

    def __init__(self, program: str, package: str) -> None:
        self.program, self.package = program, package
        super().__init__(f"{program} is missing: install the Debian package {package}")


class MirrorUnknown(LabError):
    """No Debian mirror could be derived from the machine's own apt."""


class BuildFailed(LabError):
    """A step of building an image failed."""


class NoLab(LabError):
    """No such lab, or it is not running."""


class LabExists(LabError):
    """A lab of this name is up already."""


class BootFailed(LabError):
    """The lab's machine did not come up; the end of its serial log is in the message."""


class Disconnected(LabError):
    """The connection to dom0's command server ended in the middle of a command."""


class CommandFailed(LabError):
    """A checked command in dom0 failed; `rc` is negative for a signal, 124 for a time-out."""

    def __init__(self, what: str, rc: int, stdout: str, stderr: str) -> None:
        self.what, self.rc, self.stdout, self.stderr = what, rc, stdout, stderr
        super().__init__(f"{what}: exit {rc}: {(stderr or stdout).strip()[-2000:]}")
