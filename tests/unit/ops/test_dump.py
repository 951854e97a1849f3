"""Cores of guests, on the simulated host: a real file, sparse, with the pages that are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import unpack

import pytest

from tests.support.simworld import SimWorld
from tests.unit.guest.test_core import sections
from xenvm.errors import DomainError, HostError
from xenvm.host.hyper import DomainInfo
from xenvm.ops.dump import dump, usual_path
from xenvm.types import Domid, Gfn


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[SimWorld]:
    world = SimWorld(tmp_path)
    try:
        yield world
    finally:
        world.host.close()


def info(sim: SimWorld, domid: Domid) -> DomainInfo:
    found = sim.host.hyper.domain(domid)
    assert found is not None
    return found


def test_the_whole_of_a_guest(sim: SimWorld, tmp_path: Path) -> None:
    domid = sim.create(paused=True)
    with sim.host.hyper.map_foreign(domid, Gfn(0x43000), 1) as window:
        window.view[:5] = b"here!"
    path = tmp_path / "core"
    pages = dump(sim.host, info(sim, domid), str(path))
    found = sections(path.read_bytes())
    frames = unpack(f"<{pages}Q", found[".xen_pfn"][1])
    assert list(frames) == [*range(0x39000, 0x39004), *range(0x40000, 0x44000)]
    assert found[".xen_pages"][1][frames.index(0x43000) * 4096 :][:5] == b"here!"
    assert found[".xen_prstatus"][1][:1] == b"\1" and len(found[".xen_prstatus"][1]) == 352
    stat = path.stat()
    assert stat.st_mode & 0o777 == 0o600 and stat.st_blocks * 512 < stat.st_size // 4, "it has holes"
    assert info(sim, domid).paused


def test_memory_that_was_given_back_is_left_out(sim: SimWorld, tmp_path: Path) -> None:
    domid = sim.create(paused=True)
    sim.world.hyper.all[domid].frames.remove(0x40100, 0x43000)
    pages = dump(sim.host, info(sim, domid), str(tmp_path / "core"))
    assert pages == 4 + 0x100 + 0x1000


def test_a_running_guest_runs_on(sim: SimWorld, tmp_path: Path) -> None:
    domid = sim.create()
    dump(sim.host, info(sim, domid), str(tmp_path / "core"))
    assert not info(sim, domid).paused


def test_where_no_core_can_be(sim: SimWorld, tmp_path: Path) -> None:
    domid = sim.create(paused=True)
    for path, why in (
        (tmp_path, "Is a directory"),
        (tmp_path / "no/core", "No such file"),
        ("/dev/null", "plain file"),
    ):
        with pytest.raises(HostError, match=why):
            dump(sim.host, info(sim, domid), str(path))
    os.symlink(tmp_path / "victim", tmp_path / "link")
    with pytest.raises(HostError, match="the core cannot be written"):
        dump(sim.host, info(sim, domid), str(tmp_path / "link"))
    assert not (tmp_path / "victim").exists() and os.path.exists("/dev/null")


def test_a_file_that_was_there_is_for_its_owner_only_from_then_on(sim: SimWorld, tmp_path: Path) -> None:
    (tmp_path / "core").touch(0o666)
    (tmp_path / "core").chmod(0o666)
    dump(sim.host, info(sim, sim.create(paused=True)), str(tmp_path / "core"))
    assert (tmp_path / "core").stat().st_mode & 0o777 == 0o600


def test_half_a_core_is_none(sim: SimWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domid = sim.create(paused=True)

    def full(fd: int, data: bytes, at: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(HostError, match="core: the core cannot be written: No space left"):
        dump(sim.host, info(sim, domid), str(tmp_path / "core"))
    assert not (tmp_path / "core").exists()


def test_a_dying_guest(sim: SimWorld, tmp_path: Path) -> None:
    domid = sim.create(paused=True)
    with pytest.raises(DomainError, match="is dying"):
        dump(sim.host, info(sim, domid).replace(dying=True), str(tmp_path / "core"))


def test_usual_names(tmp_path: Path) -> None:
    path = usual_path("../g", Domid(3), str(tmp_path / "dump"))
    assert os.path.dirname(path) == str(tmp_path / "dump") and path.endswith("-.._g.3.core")
    assert (tmp_path / "dump").stat().st_mode & 0o777 == 0o700
