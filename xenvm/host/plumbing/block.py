"""What the ``block`` hotplug script does, in process: a disk's target, who else uses it, and its loop device.

Follows tools/hotplug/Linux/block of Xen: the same rules of sharing, the same lock, the same values for the store.
The caller holds :func:`lock` from reading the other back ends until ``physical-device`` is written, or two
toolstacks at once could both find a disk free.
"""

from __future__ import annotations

import os
import stat

from xenbus.value import Value
from xenvm.errors import DeviceError
from xenvm.host.plumbing import loop
from xenvm.host.plumbing.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOCK = "/var/run/xen-hotplug/block"
_MOUNTINFO = "/proc/self/mountinfo"


class BlockTarget(Value):
    """What a disk's target turned out to be."""

    kind: str
    """``phy`` for a block device, ``file`` for a regular file."""
    path: str
    """Absolute, all links followed."""
    device: int
    """``st_dev`` of a file, ``st_rdev`` of a block device."""
    inode: int = 0
    """``st_ino`` of a file; 0 for a block device."""


class OtherDisk(Value):
    """A vbd back end of some domain, as its nodes in the store tell."""

    physical_device: str
    """Hexadecimal ``major:minor``."""
    mode: str
    vm: str
    """The domain's ``/vm/...`` path; empty if the domain is gone already."""
    domid: int


class BlockAttachment(Value):
    """A disk that blkback can open; the fields are the nodes to write."""

    physical_device: str
    physical_device_path: str
    node: str | None = None
    """The loop device, None for a block device."""

    def undo(self) -> None:
        """Frees the loop device."""
        if self.node is not None:
            loop.detach(self.node)


def lock(path: str = LOCK) -> FileLock:
    """Waits for and takes the lock that the block scripts hold while they check and attach."""
    return FileLock(path)


def resolve(target: str, mode: str) -> BlockTarget:
    """Looks at a disk's target; a name that is not absolute may also be one in /dev.

    :raises DeviceError: nothing there, neither device nor file, or a file without any write permission for mode w.
    """
    try:
        path = os.path.realpath(target if os.path.exists(target) else os.path.join("/dev", target), strict=True)
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DeviceError(target, f"cannot be used as a disk: {reason}") from error
    if stat.S_ISBLK(status.st_mode):
        return BlockTarget("phy", path, status.st_rdev)
    if not stat.S_ISREG(status.st_mode):
        raise DeviceError(target, "is neither a block device nor a regular file")
    if canonical_mode(mode) == "w" and not status.st_mode & 0o222:
        raise DeviceError(target, "is a read-only file, so no guest can have it read-write")
    return BlockTarget("file", path, status.st_dev, status.st_ino)


def canonical_mode(mode: str) -> str:
    """``r``, ``w``, or ``!`` (read-write without checks) for any of r, ro, w, rw, w!, rw!."""
    if "w" not in mode:
        return "r"
    return "!" if "!" in mode else "w"


def may_be_shared(target: BlockTarget) -> bool:
    """Whether another guest may have the disk already: a file only through a loop device that is there."""
    return target.kind == "phy" or bool(_devices(target))


def check_sharing(target: BlockTarget, mode: str, *, vm: str, others: Iterable[OtherDisk]) -> None:
    """Refuses a disk that is in use in a way that would destroy data; mode ``w!`` turns this off.

    Read-write needs the disk for itself, read-only tolerates readers. Disks of the same VM (`vm`: its ``/vm/...``
    path) never conflict, nor do those of a domain that is gone.

    :raises DeviceError: names the mount point or the domain that holds it.
    """
    wanted = canonical_mode(mode)
    if wanted == "!":
        return
    devices = _devices(target)
    if not devices:
        return
    use = "read-write" if wanted == "w" else "read-only"
    mount = _mounted(devices, writers_only=wanted == "r")
    if mount is not None:
        raise DeviceError(target.path, f"is mounted on {mount} in this host, so no guest can have it {use}")
    check_others(target, mode, devices, vm=vm, others=others)


def check_others(
    target: BlockTarget, mode: str, devices: Mapping[int, str], *, vm: str, others: Iterable[OtherDisk]
) -> None:
    """The half that is about other guests; `devices`: the target's device numbers, and their paths."""
    wanted = canonical_mode(mode)
    if wanted == "!":
        return
    use = "read-write" if wanted == "w" else "read-only"
    texts = {physical_device(device): path for device, path in devices.items()}
    for other in others:
        conflicts = wanted == "w" or canonical_mode(other.mode) == "w"
        if conflicts and other.physical_device in texts and other.vm not in ("", vm):
            via = f" through {texts[other.physical_device]}" if target.kind == "file" else ""
            raise DeviceError(target.path, f"is in use by domain {other.domid}{via}, so it cannot be attached {use}")


def attach(target: BlockTarget, mode: str, *, vm: str, others: Iterable[OtherDisk]) -> BlockAttachment:
    """Checks for sharing and sets up what blkback needs; the caller holds :func:`lock`."""
    check_sharing(target, mode, vm=vm, others=others)
    if target.kind == "phy":
        return BlockAttachment(physical_device(target.device), target.path)
    device = loop.attach(target.path, readonly=canonical_mode(mode) == "r")
    return BlockAttachment(physical_device(device.rdev), device.path, device.path)


def detach(node: str, path: str, lock_path: str = LOCK) -> None:
    """Frees the loop device that a back end's ``node`` names, if it still has the file `path` (the ``params``)."""
    with lock(lock_path):
        loop.detach(node, path)


def physical_device(rdev: int) -> str:
    """A device number as blkback reads it: hexadecimal ``major:minor``."""
    return f"{os.major(rdev):x}:{os.minor(rdev):x}"


def _devices(target: BlockTarget) -> dict[int, str]:
    """Device numbers, and paths, through which the target may be in use already."""
    if target.kind == "phy":
        return {target.device: target.path}
    return {device.rdev: device.path for device in loop.backed_by(target.device, target.inode)}


def _mounted(devices: Iterable[int], *, writers_only: bool) -> str | None:
    """Where one of the block devices is mounted in this host, if anywhere.

    mountinfo (proc_pid_mountinfo(5)) knows a file system's device even where the source is no path (``/dev/root``).
    """
    wanted = set(devices)
    with open(_MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            left, _, right = line.rstrip("\n").partition(" - ")
            _, _, number, _, point, options = left.split(" ")[:6]
            _, source, superblock = (*right.split(" "), "", "")[:3]
            readonly = "ro" in options.split(",") or "ro" in superblock.split(",")
            if not (readonly and writers_only) and wanted & {_number(number), _source(source)}:
                return _unescape(point)
    return None


def _number(text: str) -> int:
    major, _, minor = text.partition(":")
    return os.makedev(int(major), int(minor))


def _source(escaped: str) -> int:
    """Device number of a mount's source (btrfs hides it from mountinfo); -1 if that is no block device."""
    path = _unescape(escaped)
    if not path.startswith("/"):
        return -1
    try:
        status = os.stat(path)
    except OSError:
        return -1
    return status.st_rdev if stat.S_ISBLK(status.st_mode) else -1


def _unescape(text: str) -> str:
    """Undoes the kernel's three-digit octal escapes of blanks and backslashes."""
    first, *rest = text.split("\\")
    return first + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)
