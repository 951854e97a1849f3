"""Memory costs nothing until it is written, and every window is the memory itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from xenvm.errors import HypercallError
from xenvm.host.sim.memory import FRESH, Ram, Window
from xenvm.types import PAGE_SIZE, Gfn

EDGE = Gfn(1 << 18)
"""The first frame of the second GiB."""


def test_fresh_memory_is_not_zero() -> None:
    ram = Ram()
    view = ram.window(Gfn(5), 2)
    assert bytes(view) == FRESH * 2 * PAGE_SIZE
    view[:3] = b"new"
    assert bytes(ram.window(Gfn(5), 1)[:4]) == b"new" + FRESH


def test_memory_given_anew_is_fresh_again() -> None:
    ram = Ram()
    ram.window(Gfn(5), 1)[:3] = b"old"
    ram.forget(Gfn(5), 1)
    assert bytes(ram.window(Gfn(5), 1)[:3]) == FRESH * 3


def test_it_is_filled_across_slabs_and_padded() -> None:
    ram, size = Ram(), PAGE_SIZE + 10
    sizes = []

    def read_into(view: memoryview) -> None:
        sizes.append(len(view))
        view[:] = b"k" * len(view)

    ram.fill(Gfn(EDGE - 1), size, read_into)
    assert sizes == [PAGE_SIZE, 10]
    assert bytes(ram.window(EDGE, 1)) == b"k" * 10 + bytes(PAGE_SIZE - 10)


def test_a_window_across_slabs_is_written_back() -> None:
    ram, closed = Ram(), list[bool]()
    with Window(ram, Gfn(EDGE - 1), 2, lambda: closed.append(True)) as window:
        window.view[PAGE_SIZE - 1 : PAGE_SIZE + 1] = b"ab"
    window.close()
    assert closed == [True], "a second close does nothing"
    assert ram.window(Gfn(EDGE - 1), 1)[-1:] == b"a" and ram.window(EDGE, 1)[:1] == b"b"


def test_a_machine_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("mmap.mmap", refuse)
    with pytest.raises(HypercallError, match=r"ENOMEM .this machine gives no memory for it: Cannot allocate memory"):
        Ram().window(Gfn(1), 1)


def test_a_closed_window_cannot_be_used() -> None:
    window = Window(Ram(), Gfn(1), 1, lambda: None)
    window.close()
    with pytest.raises(ValueError, match="released"):
        window.view[0] = 1


def test_a_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "ram"
    ram = Ram(str(path))
    view = ram.window(Gfn(0x40000), 1)
    view[:4] = b"kept"
    assert not path.exists(), "it is written when that is asked for"
    ram.save()
    view[:4] = b"lost"
    assert path.stat().st_blocks * 512 < 1 << 20, "it has holes"
    assert path.stat().st_mode & 0o777 == 0o600
    again = Ram(str(path), ram.written)
    window = again.window(Gfn(0x40000), 2)
    assert bytes(window[:4]) == b"kept" and bytes(window[-4:]) == FRESH * 4
    window[:4] = b"more"
    assert bytes(Ram(str(path), ram.written).window(Gfn(0x40000), 1)[:4]) == b"kept"
    again.save()
    assert bytes(Ram(str(path), again.written).window(Gfn(0x40000), 1)[:4]) == b"more"
