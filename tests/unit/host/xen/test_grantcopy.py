"""Copies by grants, with a kernel that does them in this process's own memory."""

from __future__ import annotations

import ctypes
import os
from errno import EINVAL, EOPNOTSUPP, ESRCH
from pathlib import Path
from struct import iter_unpack, pack, unpack, unpack_from

import pytest

from xenvm.errors import HypercallError
from xenvm.host.xen import grantcopy
from xenvm.host.xen.hypervisor import XenHypervisor
from xenvm.host.xen.operations import checked

PAGE = 4096
FIRST = 0x40000


class Table:
    """The first page of a domain's grant table."""

    def __init__(self) -> None:
        self.bytes = (ctypes.c_char * PAGE)()
        self.address = ctypes.addressof(self.bytes)
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    def frame(self, reference: int) -> int:
        permission, frame = unpack_from("<II", self.bytes, 8 * reference)
        assert permission == 1, "domain 0 may write"
        return int(frame)


class Kernel:
    """The domain's frames, foreign memory without mappings, and gntdev."""

    def __init__(self) -> None:
        self.table = Table()
        self.frames: dict[int, bytes] = {}
        self.counts: list[int] = []
        self.refusal = self.error = 0
        self.statuses: dict[int, int] = {}
        self.mapped: list[tuple[int, int, int]] = []

    def grant_table(self, domid: int) -> Table:
        checked(self.refusal, "map_resource", domid)
        return self.table

    def map(self, domid: int, first: int, count: int) -> object:
        self.mapped.append((domid, first, count))
        raise HypercallError("map_foreign", EINVAL)

    def close(self) -> None:
        pass

    def ioctl(self, _device: int, request: int, argument: bytes) -> None:
        assert request == 0x104708
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        count, address = unpack("=I4xQ", argument)
        self.counts.append(count)
        segments = (ctypes.c_char * (24 * count)).from_address(address)
        for at, (source, reference, offset, domid, length, flags, _) in enumerate(iter_unpack("<QIHHHHh2x", segments)):
            assert (source % PAGE, offset, domid, length, flags) == (0, 0, 5, PAGE, 2)
            frame = self.table.frame(reference)
            self.frames[frame] = ctypes.string_at(source, length)
            ctypes.memmove(address + 24 * at + 20, pack("<h", self.statuses.get(frame, 0)), 2)

    @property
    def written(self) -> bytes:
        assert sorted(self.frames) == list(range(FIRST, FIRST + len(self.frames)))
        return b"".join(self.frames[frame] for frame in sorted(self.frames))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, hyper: XenHypervisor) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(hyper, "_foreign_memory", kernel)
    monkeypatch.setattr(grantcopy, "ioctl", kernel.ioctl)
    monkeypatch.setattr(grantcopy, "DEVICE", "/dev/null")
    return kernel


def content(size: int) -> bytes:
    return b"".join(pack("<Q", number) for number in range(-(-size // 8)))[:size]


def fill(hyper: XenHypervisor, data: bytes) -> None:
    rest = memoryview(data)

    def read_into(view: memoryview) -> None:
        nonlocal rest
        view[:] = rest[: len(view)]
        rest = rest[len(view) :]

    hyper.fill(5, FIRST, len(data), read_into)
    assert not rest


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("size", [1, PAGE, PAGE + 1, 504 * PAGE, 504 * PAGE + 1, 3 * 504 * PAGE - 5])
def test_all_sizes(hyper: XenHypervisor, kernel: Kernel, size: int) -> None:
    before = open_files()
    fill(hyper, content(size))
    assert kernel.written == content(size).ljust(-(-size // PAGE) * PAGE, b"\0")
    assert sum(kernel.counts) == -(-size // PAGE)
    assert max(kernel.counts) <= 504
    assert kernel.mapped == []
    assert open_files() == before


def test_only_free_entries_are_used_and_all_are_taken_back(hyper: XenHypervisor, kernel: Kernel) -> None:
    kernel.table.bytes[:64] = b"R" * 64
    fill(hyper, content(600 * PAGE))
    assert kernel.table.bytes.raw == b"R" * 64 + bytes(PAGE - 64)
    assert kernel.table.closed == 1


def test_nothing_to_fill(hyper: XenHypervisor, kernel: Kernel) -> None:
    with pytest.raises(HypercallError, match="map_foreign"):
        hyper.fill(5, FIRST, 0, lambda view: None)


def test_a_frame_that_xen_refuses(hyper: XenHypervisor, kernel: Kernel) -> None:
    kernel.statuses = {FIRST + 2: -1}
    refused = "grant_copy for domain 5: EFAULT .frame 0x40002 of the domain cannot be written, status -1"
    with pytest.raises(HypercallError, match=refused):
        fill(hyper, content(4 * PAGE))
    assert kernel.table.bytes.raw == bytes(PAGE)


def test_a_kernel_that_refuses(hyper: XenHypervisor, kernel: Kernel) -> None:
    before, kernel.error = open_files(), EINVAL
    with pytest.raises(HypercallError, match="grant_copy for domain 5: EINVAL"):
        fill(hyper, content(PAGE))
    assert (kernel.table.closed, open_files()) == (1, before)


def test_a_source_that_fails(hyper: XenHypervisor, kernel: Kernel) -> None:
    before = open_files()
    with pytest.raises(ZeroDivisionError):
        hyper.fill(5, FIRST, 2 * PAGE, lambda view: 1 // 0)  # type: ignore[arg-type,return-value]
    assert (kernel.table.closed, kernel.frames, open_files()) == (1, {}, before)


def test_without_the_device_pages_are_mapped(
    hyper: XenHypervisor, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(grantcopy, "DEVICE", str(tmp_path / "gntdev"))
    with pytest.raises(HypercallError, match="map_foreign"):
        fill(hyper, content(PAGE + 1))
    assert kernel.mapped == [(5, FIRST, 2)]


def test_without_a_view_of_the_table_pages_are_mapped(hyper: XenHypervisor, kernel: Kernel) -> None:
    before, kernel.refusal = open_files(), -EOPNOTSUPP
    with pytest.raises(HypercallError, match="map_foreign"):
        fill(hyper, content(PAGE))
    assert (kernel.mapped, open_files()) == ([(5, FIRST, 1)], before)


def test_a_domain_that_is_not_there(hyper: XenHypervisor, kernel: Kernel) -> None:
    before, kernel.refusal = open_files(), -ESRCH
    with pytest.raises(HypercallError, match="map_resource for domain 5: ESRCH"):
        fill(hyper, content(PAGE))
    assert (kernel.mapped, open_files()) == ([], before)
