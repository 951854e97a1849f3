"""Commands for the end of guests, and for their sleep."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.fakehost import UUID, FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import run
from xenvm.ops import dump, memo, power, restarts
from xenvm.ops.destroy import destroy
from xenvm.ops.restarts import Restart
from xenvm.types import Domid


def test_there_is_no_button_to_fall_back_to(world: FakeHost, xenvm: Xenvm) -> None:
    world.create()
    for command in ("shutdown", "reboot"):
        code, out, err = xenvm(command, "-F", "g")
        assert (code, out) == (run.UNSUPPORTED, "") and "no power button" in err
    assert world.store.get("/local/domain/1/control/shutdown") == b"", "it was not asked"


@pytest.mark.parametrize(
    ("words", "gone"), [(("-w",), False), (("-ww",), True), (("-w", "--wait"), True), (("-aw",), False)]
)
def test_what_is_waited_for(world: FakeHost, xenvm: Xenvm, words: tuple[str, ...], gone: bool) -> None:
    world.create()
    world.store.on_write("/local/domain/1/control/shutdown", lambda path, value: world.hyper.go_down(Domid(1), 0))
    waits: list[bool] = []
    world.patch.setattr(power, "wait_down", lambda host, domids, gone: waits.append(gone))
    assert xenvm("shutdown", *words, *(() if "-aw" in words else ("g",)))[0] == 0
    assert waits == [gone]


def test_a_core(world: FakeHost, xenvm: Xenvm, tmp_path: Path) -> None:
    world.create(memory=4)
    path = str(tmp_path / "core")
    assert xenvm("dump-core", "g", path) == (0, "", f"xenvm: 4 MiB of domain 1 are in {path}\n")
    world.patch.setattr(dump.usual_path, "__defaults__", (str(tmp_path / "dump"),))
    code, _, err = xenvm("dump-core", "1")
    assert code == 0 and os.listdir(tmp_path / "dump")[0] in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_core_that_is_cut_short(world: FakeHost, xenvm: Xenvm, tmp_path: Path, number: int) -> None:
    """By the end of a session, say: the guest goes on, and half a core is none."""
    world.create(memory=4)
    paused = []

    def end(*_: object) -> object:
        paused.append(world.hyper.all[Domid(1)].info.paused)
        signal.raise_signal(number)
        raise AssertionError

    world.patch.setattr(world.hyper, "read_ram", end)
    assert xenvm("dump-core", "g", str(tmp_path / "core"))[0] == run.INTERRUPTED
    assert paused == [True] and not world.hyper.all[Domid(1)].info.paused
    assert not (tmp_path / "core").exists()


def test_a_guest_that_is_just_being_made_again_is_destroyed(world: FakeHost, xenvm: Xenvm) -> None:
    """It is in the list all the time, so it can be destroyed all the time."""
    world.create()
    info, kept = world.hyper.all[Domid(1)].info, memo.read(world.host, Domid(1), UUID)
    assert kept is not None
    restarts.begin(world.host, Restart(info, kept))
    destroy(world.host, Domid(1), UUID)
    assert xenvm("destroy", "h")[0] == run.NO_DOMAIN
    assert xenvm("destroy", "g") == (0, "", "")
    assert xenvm("destroy", "g")[0] == run.NO_DOMAIN and restarts.under_way(world.host) == []


def test_suspend_and_resume(world: FakeHost, xenvm: Xenvm) -> None:
    world.create()
    assert xenvm("resume", "g") == (run.FAILED, "", "xenvm: domain 1 is not suspended\n")
    world.hyper.go_down(Domid(1), power.SUSPENDED)
    assert xenvm("suspend", "g")[0] == run.FAILED
    assert xenvm("resume", "g") == (0, "", "")
    assert not world.hyper.all[Domid(1)].info.shutdown
