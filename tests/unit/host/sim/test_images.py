"""Guests of one kernel share its pages until they write to them, and nobody else can change what they have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simworld import SimWorld, arm64_image
from xenvm.errors import ImageError
from xenvm.host.sim import images
from xenvm.host.sim.images import Images
from xenvm.host.sim.memory import FRESH, Ram, Window
from xenvm.types import PAGE_SIZE, Gfn, Stamp

SIZE = images.LEAST + 10
STAMP: Stamp = (0, 1, 2)


class File:
    """Counts how often it is read."""

    reads = 0

    def __init__(self, letter: bytes = b"k") -> None:
        self.letter = letter

    def read_into(self, view: memoryview) -> None:
        self.reads += 1
        view[:] = self.letter * len(view)


@pytest.fixture
def shared() -> Iterator[Images]:
    made = Images()
    yield made
    made.close()


def test_it_is_kept_when_it_is_loaded_again(shared: Images) -> None:
    file = File()
    assert shared.get(STAMP, SIZE, file.read_into) is None
    first, second = (shared.get(STAMP, SIZE, file.read_into) for _ in range(2))
    assert first is not None and second is not None and file.reads == 1
    assert len(first) == images.LEAST + PAGE_SIZE and bytes(first[SIZE - 1 : SIZE + 3]) == b"k\0\0\0"
    first[:3] = b"own"
    assert bytes(second[:3]) == b"kkk"
    shared.close()
    assert bytes(second[-1:]) == b"\0", "guests keep what they have"


@pytest.mark.parametrize(("stamp", "size"), [(None, SIZE), (STAMP, images.LEAST - 1)])
def test_what_is_not_worth_it(shared: Images, stamp: Stamp | None, size: int) -> None:
    assert [shared.get(stamp, size, File().read_into) for _ in range(3)] == [None] * 3


def test_a_file_that_has_just_changed_is_read_each_time(shared: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: images.SETTLED_NS - 1)
    assert [shared.get(STAMP, SIZE, File().read_into) for _ in range(3)] == [None] * 3


def test_few_are_kept(shared: Images) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3 * images.MOST_KEPT):
        for _ in range(2):
            shared.get((0, number), SIZE, File().read_into)
    assert len(os.listdir("/proc/self/fd")) <= before + images.MOST_KEPT


def test_one_that_cannot_be_read(shared: Images) -> None:
    def read_into(_view: memoryview) -> None:
        raise ImageError("Image", "became shorter while it was read")

    before = len(os.listdir("/proc/self/fd"))
    shared.get(STAMP, SIZE, read_into)
    with pytest.raises(ImageError):
        shared.get(STAMP, SIZE, read_into)
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_around_an_image() -> None:
    ram, image = Ram(), memoryview(bytearray(b"i" * 2 * PAGE_SIZE))
    assert ram.can_lay(Gfn(5), 2)
    ram.lay(Gfn(5), image)
    assert not ram.can_lay(Gfn(6), 1) and ram.can_lay(Gfn(7), 1)
    assert list(ram.pieces(Gfn(4), 4)) == [(4, 1), (5, 2), (7, 1)]
    with Window(ram, Gfn(4), 4, lambda: None) as window:
        assert bytes(window.view) == FRESH * PAGE_SIZE + b"i" * 2 * PAGE_SIZE + FRESH * PAGE_SIZE
        window.view[PAGE_SIZE - 1 : PAGE_SIZE + 1] = b"ab"
    assert bytes(image[:2]) == b"bi" and bytes(ram.window(Gfn(4), 1)[-1:]) == b"a"


def test_memory_that_a_file_keeps_has_no_images(tmp_path: Path) -> None:
    assert not Ram(str(tmp_path / "ram")).can_lay(Gfn(5), 2)


def test_guests_of_a_kernel_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in the file at that time is what a guest gets."""
    monkeypatch.setattr(images, "SETTLED_NS", -(1 << 62))
    monkeypatch.setattr(images, "LEAST", 4096)
    world = SimWorld(tmp_path)
    seen = []
    for number, letter in enumerate(b"aaabbb"):
        if number % 3 == 0:
            (tmp_path / "Image").write_bytes(arm64_image()[:-1] + bytes([letter]))
        domid = world.create(name=f"g{number}", uuid=None, disk=None, vif=[])
        pages = arm64_image()
        with world.world.hyper.map_foreign(domid, Gfn(0x40000), len(pages) // PAGE_SIZE) as mapping:
            seen.append(bytes(mapping.view[len(pages) - 1 : len(pages)]))
            mapping.view[len(pages) - 1] = 0
    world.world.close()
    assert b"".join(seen) == b"aaabbb"
