"""gntdev and evtchn, with a kernel that maps files and sends events to itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EINVAL, ENOENT
from struct import pack, unpack, unpack_from

import pytest

from xenvm.errors import HostError, HypercallError
from xenvm.host.xen import backside
from xenvm.host.xen.backside import Dom0Side

PAGE = 4096
MAP, UNMAP, BIND, UNBIND, NOTIFY = 0x184700, 0x104701, 0x084501, 0x044503, 0x044504


class Kernel:
    """Grants are the pages of a file; an event channel is a pipe that gives back what is written to it."""

    def __init__(self) -> None:
        self.file = os.memfd_create("grants")
        os.truncate(self.file, 8 * PAGE)
        self.events, self.answers = os.pipe2(os.O_NONBLOCK)
        self.asked: list[tuple[int, tuple[int, ...]]] = []
        self.unmasked = b""
        self.refuse = 0

    def open(self, path: str, _flags: int) -> int:
        if path == self.missing:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT))
        return self.file if path == backside.GRANTS else self.events

    missing = ""

    def ioctl(self, device: int, number: int, argument: bytearray) -> int:
        size = number >> 16
        assert len(argument) == size and device == (self.file if number >> 8 & 0xFF == ord("G") else self.events)
        self.asked.append((number, unpack(f"<{size // 4}I", argument)))
        if self.refuse:
            raise OSError(self.refuse, os.strerror(self.refuse))
        if number == MAP:
            count, _pad, _index, domid, ref = unpack("<IIQII", argument)
            assert (count, domid) == (1, 5)
            argument[8:16] = pack("<Q", ref * PAGE if ref < 8 else 1)  # no page begins there
        return 77 if number == BIND else 0

    def write(self, device: int, data: bytes) -> int:
        assert device == self.events
        self.unmasked += data
        return len(data)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    made = Kernel()
    monkeypatch.setattr(backside, "ioctl", made.ioctl)
    monkeypatch.setattr(backside.os, "open", made.open)
    monkeypatch.setattr(backside.os, "write", made.write)
    yield made
    os.close(made.answers)


@pytest.fixture
def side(kernel: Kernel) -> Iterator[Dom0Side]:
    made = Dom0Side()
    yield made
    kernel.refuse = 0
    made.close()


def test_a_page_is_mapped_and_given_back(kernel: Kernel, side: Dom0Side) -> None:
    page = side.map_grant(5, 3)
    assert len(page) == PAGE
    page[:4] = b"abcd"
    assert os.pread(kernel.file, 4, 3 * PAGE) == b"abcd"
    side.unmap_grant(5, 3)
    with pytest.raises(ValueError):
        page[0]
    number, words = kernel.asked[-1]
    assert number == UNMAP and words == (3 * PAGE, 0, 1, 0)
    with pytest.raises(HypercallError):
        side.unmap_grant(5, 3)


def test_a_page_to_read_cannot_be_written(side: Dom0Side) -> None:
    with pytest.raises(TypeError):
        side.map_grant(5, 1, readonly=True)[0] = 1


def test_a_page_is_mapped_twice(side: Dom0Side) -> None:
    first, second = side.map_grant(5, 2), side.map_grant(5, 2)
    side.unmap_grant(5, 2)
    assert first[0] == 0
    side.unmap_grant(5, 2)
    del second


def test_a_slice_that_is_in_use_keeps_its_page(side: Dom0Side) -> None:
    part = side.map_grant(5, 2)[8:16]
    side.unmap_grant(5, 2)
    assert bytes(part) == bytes(8)


def test_refusals_name_the_domain(kernel: Kernel, side: Dom0Side) -> None:
    with pytest.raises(HypercallError, match=r"map_grant_ref for domain 5: \w+ \(grant reference 20\)"):
        side.map_grant(5, 20)
    assert kernel.asked[-1][0] == UNMAP, "what was reserved is given back"
    kernel.refuse = EINVAL
    with pytest.raises(HypercallError, match="bind_interdomain for domain 5: EINVAL"):
        side.bind(5, 9)


def test_events(kernel: Kernel, side: Dom0Side) -> None:
    assert side.bind(5, 9) == 77 and kernel.asked[-1] == (BIND, (5, 9))
    side.notify(77)
    assert kernel.asked[-1] == (NOTIFY, (77,))
    assert side.fileno() == kernel.events and side.pending() == set()
    os.writev(kernel.answers, [pack("<3I", 77, 78, 77)])
    assert side.pending() == {77, 78}
    assert unpack_from("<3I", kernel.unmasked) == (77, 78, 77)
    side.unbind(77)
    assert kernel.asked[-1] == (UNBIND, (77,))


def test_a_kernel_without_the_devices(kernel: Kernel) -> None:
    kernel.missing = backside.EVENTS
    with pytest.raises(HostError, match=r"/dev/xen/evtchn cannot be opened .*xen-evtchn"):
        Dom0Side()
    os.close(kernel.events)
