from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xenvm.errors import DeviceError, HostError
from xenvm.host.plumbing import loop


@pytest.fixture
def image() -> Iterator[Path]:
    """A file with a short name, which the driver keeps whole; it keeps 63 bytes."""
    with tempfile.TemporaryDirectory(prefix="loop") as folder:
        path = Path(folder) / "disk.img"
        path.write_bytes(b"xen" + bytes(1 << 20))
        yield path


class Driver:
    """A loop driver that answers from a script and notes the requests."""

    def __init__(self) -> None:
        self.requests: list[int] = []
        self.arguments: dict[int, Any] = {}
        self.failures: dict[int, list[int]] = {}
        self.free = iter(range(3, 1000))

    def __call__(self, _fd: int, request: int, argument: Any = 0) -> int:
        self.requests.append(request)
        self.arguments[request] = argument
        if self.failures.get(request):
            code = self.failures[request].pop(0)
            if code:
                raise OSError(code, os.strerror(code))
        return next(self.free) if request == loop._CTL_GET_FREE else 0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(loop, "ioctl", driver)
    monkeypatch.setattr(loop, "_CONTROL", os.devnull)
    monkeypatch.setattr(loop, "_open_node", lambda number, flags: os.open(os.devnull, flags))
    return driver


def test_layouts_are_the_kernels() -> None:
    assert loop._INFO.size == 232
    assert loop._CONFIG.size == 304


def test_configures_in_one_step(driver: Driver, image: Path) -> None:
    assert loop.attach(str(image), readonly=True).path == "/dev/loop3"
    assert driver.requests == [loop._CTL_GET_FREE, loop._CONFIGURE]
    _, block_size, info = loop._CONFIG.unpack(driver.arguments[loop._CONFIGURE])
    fields = loop._INFO.unpack(info)
    assert (block_size, fields[8]) == (0, loop._READ_ONLY)
    assert fields[9].split(b"\0")[0] == os.fsencode(image)[:56]


def test_configures_in_two_steps_on_an_old_kernel(driver: Driver, image: Path) -> None:
    driver.failures = {loop._CONFIGURE: [errno.EINVAL]}
    loop.attach(str(image), readonly=False)
    assert driver.requests[1:] == [loop._CONFIGURE, loop._SET_FD, loop._SET_STATUS64]


def test_takes_back_the_first_of_two_steps(driver: Driver, image: Path) -> None:
    driver.failures = {loop._CONFIGURE: [errno.EINVAL], loop._SET_STATUS64: [errno.EIO]}
    with pytest.raises(DeviceError, match=r"disk.img: cannot be put behind /dev/loop3: Input/output error"):
        loop.attach(str(image), readonly=False)
    assert driver.requests[-1] == loop._CLR_FD


def test_takes_the_next_device_when_another_was_faster(driver: Driver, image: Path) -> None:
    driver.failures = {loop._CONFIGURE: [errno.EBUSY, errno.EINVAL], loop._SET_FD: [errno.EBUSY]}
    assert loop.attach(str(image), readonly=False).path == "/dev/loop5"


def test_gives_up_when_others_are_always_faster(driver: Driver, image: Path) -> None:
    driver.failures = {loop._CONFIGURE: [errno.EBUSY] * 1000}
    with pytest.raises(HostError, match="every free loop device was taken"):
        loop.attach(str(image), readonly=False)


def test_says_how_to_get_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Path) -> None:
    monkeypatch.setattr(loop, "_CONTROL", str(tmp_path / "loop-control"))
    with pytest.raises(HostError, match="modprobe loop"):
        loop.attach(str(image), readonly=False)


def test_names_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"none.img: cannot be opened: No such file"):
        loop.attach(str(tmp_path / "none.img"), readonly=True)


@pytest.mark.parametrize(("code", "fine"), [(0, True), (errno.ENXIO, True), (errno.EPERM, False)])
def test_detach_of_a_free_device_is_fine(driver: Driver, code: int, fine: bool) -> None:
    driver.failures = {loop._CLR_FD: [code]}
    if fine:
        loop.detach(os.devnull)
    else:
        with pytest.raises(DeviceError, match="cannot be freed"):
            loop.detach(os.devnull)


def test_detach_of_a_missing_node_is_fine(tmp_path: Path) -> None:
    loop.detach(str(tmp_path / "loop9"))


def test_detach_refuses_what_is_no_loop_device(image: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be freed"):
        loop.detach(str(image))


def test_makes_a_missing_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop54321").mkdir()
    (tmp_path / "loop54321" / "dev").write_text("7:54321\n")
    made: list[tuple[str, int, int]] = []
    monkeypatch.setattr(loop, "_SYSFS", str(tmp_path))
    monkeypatch.setattr(os, "mknod", lambda *args: made.append(args))
    with pytest.raises(FileNotFoundError):
        loop._open_node(54321, os.O_RDONLY)
    assert made == [("/dev/loop54321", 0o060660, os.makedev(7, 54321))]


def sysfs(device: loop.LoopDevice, name: str) -> str:
    return Path(f"/sys/block/{Path(device.path).name}/{name}").read_text().strip()


def test_real_device_shows_the_file(loop_device: loop.LoopDevice, image: Path) -> None:
    assert Path(loop_device.path).read_bytes()[:3] == b"xen"
    assert os.stat(loop_device.path).st_rdev == loop_device.rdev
    assert (sysfs(loop_device, "loop/backing_file"), sysfs(loop_device, "ro")) == (str(image), "0")


def test_real_device_read_only(loop_device: loop.LoopDevice, image: Path) -> None:
    device = loop.attach(str(image), readonly=True)
    try:
        assert sysfs(device, "ro") == "1"
    finally:
        loop.detach(device.path)


def test_real_device_by_the_old_steps(
    loop_device: loop.LoopDevice, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = loop.ioctl

    def old_kernel(fd: int, request: int, argument: Any = 0) -> int:
        if request == loop._CONFIGURE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return really(fd, request, argument)

    monkeypatch.setattr(loop, "ioctl", old_kernel)
    try:
        device = loop.attach(str(image), readonly=True)
    except DeviceError as error:
        if "not permitted" not in str(error):
            raise
        pytest.skip(f"not allowed here: {error}")
    try:
        assert (sysfs(device, "loop/backing_file"), sysfs(device, "ro")) == (str(image), "1")
    finally:
        loop.detach(device.path)


def test_real_devices_over_one_file_are_found_by_any_name(loop_device: loop.LoopDevice, image: Path) -> None:
    other = image.with_name("other.img")
    other.hardlink_to(image)
    image.unlink()
    status = other.stat()
    assert loop.backed_by(status.st_dev, status.st_ino) == [loop_device]
    assert loop.backed_by(status.st_dev, status.st_ino + 1) == []


def test_real_device_is_freed_once(loop_device: loop.LoopDevice, image: Path) -> None:
    loop.detach(loop_device.path, str(image))
    loop.detach(loop_device.path, str(image))
    status = image.stat()
    assert loop.backed_by(status.st_dev, status.st_ino) == []


def test_real_device_with_another_file_is_left_alone(loop_device: loop.LoopDevice, image: Path) -> None:
    (image.parent / "next.img").write_bytes(b"")
    loop.detach(loop_device.path, str(image.parent / "next.img"))
    loop.detach(loop_device.path, str(image.parent / "none.img"))
    assert sysfs(loop_device, "loop/backing_file") == str(image)


def test_real_devices_of_long_names_are_told_apart(image: Path) -> None:
    """The driver keeps only the beginning of a name, which many files of one folder share."""
    folder = image.parent / ("x" * 80)
    folder.mkdir()
    ours, other = folder / "a.img", folder / "b.img"
    for path in (ours, other):
        path.write_bytes(bytes(1 << 20))
    try:
        device = loop.attach(str(ours), readonly=False)
    except HostError as error:
        pytest.skip(str(error))
    loop.detach(device.path, str(other))
    assert loop.backed_by(ours.stat().st_dev, ours.stat().st_ino) == [device]
    loop.detach(device.path, str(ours))
    assert loop.backed_by(ours.stat().st_dev, ours.stat().st_ino) == []


def test_real_device_over_a_replaced_file_is_freed(loop_device: loop.LoopDevice, image: Path) -> None:
    status = image.stat()
    image.rename(image.with_name("old.img"))
    image.write_bytes(b"")
    loop.detach(loop_device.path, str(image))
    assert loop.backed_by(status.st_dev, status.st_ino) == []


def test_real_devices_of_ours_are_known(loop_device: loop.LoopDevice, image: Path) -> None:
    """Those that another program has set up are not, however alike."""
    known = [own for own in loop.own() if own.path == loop_device.path]
    assert known == [loop.OwnLoop(loop_device.path, loop_device.rdev, str(image), False)]
    image.unlink()
    (own,) = (own for own in loop.own() if own.path == loop_device.path)
    assert (own.file, own.deleted) == (str(image), True)
    image.write_bytes(b"")


def test_the_mark_is_out_of_sight() -> None:
    name = loop._name("/srv/" + "x" * 100)
    assert len(name) < loop._NAME_SIZE and name.partition(b"\0")[0] == b"/srv/" + b"x" * 51
    assert loop._name("/a").partition(b"\0")[0] == b"/a"
