"""Loop devices: a regular file as a block device, by ioctl (linux/loop.h), with the defaults of ``losetup``."""

from __future__ import annotations

import errno
import os
import stat
import struct
from fcntl import ioctl

from xenbus.value import Value
from xenvm.errors import DeviceError, HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONTROL = "/dev/loop-control"
_SYSFS = "/sys/block"
_ATTEMPTS = 64

_SET_FD = 0x4C00
_CLR_FD = 0x4C01
_SET_STATUS64 = 0x4C04
_GET_STATUS64 = 0x4C05
_CONFIGURE = 0x4C0A  # Linux 5.8
_CTL_GET_FREE = 0x4C82

_READ_ONLY = 1
_DELETED = b" (deleted)"
_NAME_SIZE = 64
# Behind the name and its end: text that nobody looks at, by which a device is known as one of ours.
_MARK, _MARK_AT = b"xenvm", 57

# struct loop_info64: device, inode, rdevice, offset, sizelimit; number, encrypt_type, encrypt_key_size, flags;
# file_name, crypt_name, encrypt_key; init[2].
_INFO = struct.Struct("=5Q4I64s64s32s2Q")
# struct loop_config: fd, block_size, info, reserved[8].
_CONFIG = struct.Struct(f"=2I{_INFO.size}s64x")


class OwnLoop(Value):
    """A loop device that this toolstack has set up."""

    path: str
    """``/dev/loopN``."""
    rdev: int
    file: str
    """What it has, as the kernel calls it."""
    deleted: bool = False
    """Whether that file has no name any more."""


class LoopDevice(Value):
    """A loop device that is set up."""

    path: str
    """``/dev/loopN``."""
    rdev: int
    """Its device number, as ``os.major`` and ``os.minor`` take it apart."""


def attach(path: str, *, readonly: bool) -> LoopDevice:
    """Puts a regular file behind a free loop device.

    :raises DeviceError: the file cannot be opened or used.
    :raises HostError: there is no loop driver, or no free device.
    """
    try:
        backing = os.open(path, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(path, f"cannot be opened: {error.strerror}") from error
    try:
        for _ in range(_ATTEMPTS):
            device = _try_next(path, backing, readonly)
            if device is not None:
                return device
    finally:
        os.close(backing)
    raise HostError(f"{path}: every free loop device was taken by another process first, {_ATTEMPTS} times over")


def detach(node: str, path: str | None = None) -> None:
    """Frees a loop device, at its last close if it is still in use; one that is free already is fine.

    With `path`, a device that has another file by now is left alone: a second removal must not take it from its
    next user.

    :raises DeviceError: `node` is not a loop device.
    """
    try:
        fd = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.ENXIO:
            return
        raise DeviceError(node, f"cannot be opened: {error.strerror}") from error
    try:
        if path is None or _has_file(fd, path):
            ioctl(fd, _CLR_FD, 0)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise DeviceError(node, f"cannot be freed: {error.strerror}") from error
    finally:
        os.close(fd)


def backed_by(device: int, inode: int) -> list[LoopDevice]:
    """All loop devices over the file with these ``st_dev`` and ``st_ino``, by whatever name they got it."""
    found = (_inspect(number) for number in _bound())
    return [LoopDevice(*seen[:2]) for seen in found if seen is not None and seen[2][:2] == (device, inode)]


def own() -> list[OwnLoop]:
    """All loop devices that this toolstack has set up, by whichever of its programs."""
    found = []
    for number in _bound():
        seen = _inspect(number)
        if seen is not None and seen[2][9][_MARK_AT:].rstrip(b"\0") == _MARK:
            name = _backing_file(number)
            file = name.removesuffix(_DELETED)
            found.append(OwnLoop(seen[0], seen[1], os.fsdecode(file), file != name))
    return found


def _bound() -> list[int]:
    """The numbers of the devices that have a file."""
    try:
        names = sorted(name for name in os.listdir(_SYSFS) if name.startswith("loop"))
    except FileNotFoundError:
        return []
    return [int(name[4:]) for name in names if os.path.exists(f"{_SYSFS}/{name}/loop/backing_file")]


def _inspect(number: int) -> tuple[str, int, tuple[Any, ...]] | None:
    """Path, device number and status of a loop device; None if it was freed meanwhile."""
    fd = -1
    try:
        fd = _open_node(number, os.O_RDONLY)
        return f"/dev/loop{number}", os.fstat(fd).st_rdev, _status(fd)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return None
        raise HostError(f"/dev/loop{number} cannot be inspected: {error.strerror}") from error
    finally:
        if fd >= 0:
            os.close(fd)


def _has_file(fd: int, path: str) -> bool:
    """Whether this is the device's file, by its inode, or by its name if it was removed or replaced meanwhile."""
    real = os.path.realpath(path)
    fields, name = _status(fd), os.fsencode(real)
    known = fields[9].partition(b"\0")[0]
    if known == name or (known and name.startswith(known) and _full_name(fd) == name):
        return True
    try:
        status = os.stat(real)
    except OSError:
        return False
    return fields[:2] == (status.st_dev, status.st_ino)


def _full_name(fd: int) -> bytes:
    """The path of a device's file as sysfs has it: the ioctl's may be cut."""
    return _backing_file(os.minor(os.fstat(fd).st_rdev)).removesuffix(_DELETED)


def _backing_file(number: int) -> bytes:
    try:
        with open(f"{_SYSFS}/loop{number}/loop/backing_file", "rb") as file:
            return file.read().rstrip(b"\n")
    except OSError:
        return b""


def _status(fd: int) -> tuple[Any, ...]:
    """The fields of ``struct loop_info64``; ENXIO if the device is free."""
    status = bytearray(_INFO.size)
    ioctl(fd, _GET_STATUS64, status)
    return _INFO.unpack(status)


def _try_next(path: str, backing: int, readonly: bool) -> LoopDevice | None:
    """Sets up the device that the driver names as free; None if another process was faster."""
    number = _free_number()
    node = f"/dev/loop{number}"
    try:
        fd = _open_node(number, os.O_RDONLY if readonly else os.O_RDWR)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise HostError(f"{node} cannot be opened: {error.strerror}") from error
    try:
        _bind(fd, backing, path, readonly)
        return LoopDevice(node, os.fstat(fd).st_rdev)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return None
        raise DeviceError(path, f"cannot be put behind {node}: {error.strerror}") from error
    finally:
        os.close(fd)


def _free_number() -> int:
    try:
        control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            raise HostError(f"{_CONTROL}: the loop driver is missing; load it with 'modprobe loop'") from error
        raise HostError(f"{_CONTROL} cannot be opened: {error.strerror}") from error
    try:
        return ioctl(control, _CTL_GET_FREE)
    except OSError as error:
        raise HostError(f"there is no free loop device: {error.strerror}") from error
    finally:
        os.close(control)


def _open_node(number: int, flags: int) -> int:
    """Opens /dev/loopN, making the node first on a host whose /dev is not kept by devtmpfs or udev."""
    node = f"/dev/loop{number}"
    try:
        return os.open(node, flags | os.O_CLOEXEC)
    except FileNotFoundError:
        with open(f"{_SYSFS}/loop{number}/dev", encoding="utf-8") as file:
            major, minor = file.read().split(":")
        os.mknod(node, stat.S_IFBLK | 0o660, os.makedev(int(major), int(minor)))
        return os.open(node, flags | os.O_CLOEXEC)


def _bind(fd: int, backing: int, path: str, readonly: bool) -> None:
    """Sets up an open loop device in one step, or in two on a kernel that has no such step."""
    info = _info(path, _READ_ONLY if readonly else 0)
    try:
        ioctl(fd, _CONFIGURE, _CONFIG.pack(backing, 0, info))
        return
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTTY, errno.ENOSYS):
            raise
    ioctl(fd, _SET_FD, backing)
    try:
        ioctl(fd, _SET_STATUS64, info)
    except BaseException:
        ioctl(fd, _CLR_FD, 0)
        raise


def _info(path: str, flags: int) -> bytes:
    """``struct loop_info64`` with nothing but the name that ``losetup`` shows, and flags."""
    return _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, flags, _name(path), b"", b"", 0, 0)


def _name(path: str) -> bytes:
    """The name as other programs see it, up to a NUL, and behind it the mark."""
    return os.fsencode(path)[: _MARK_AT - 1].ljust(_MARK_AT, b"\0") + _MARK
