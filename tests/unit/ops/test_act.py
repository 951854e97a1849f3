"""Actions carried out: cores, consoles, soft resets. The rest is in test_monitor.py and test_supervise.py."""

from __future__ import annotations

import os
import tty
from pathlib import Path

import pytest

from tests.support.fakehost import UUID, FakeHost
from xenvm.errors import DomainError
from xenvm.ops import act, dump, memo
from xenvm.ops.destroy import destroy
from xenvm.types import Domid

REBOOT, CRASH, SOFT_RESET = 1, 3, 5


def follow_up(world: FakeHost, code: int) -> tuple[list[str], Domid | None]:
    world.hyper.go_down(Domid(1), code)
    info, kept, said = world.hyper.domain(Domid(1)), memo.read(world.host, Domid(1), UUID), list[str]()
    assert info is not None and kept is not None and act.is_down(info)
    return said, act.act(world.host, info, kept, said.append)


@pytest.fixture
def dumps(world: FakeHost) -> Path:
    world.patch.setattr(dump.usual_path, "__defaults__", (str(world.folder / "dump"),))
    return world.folder / "dump"


@pytest.mark.parametrize(("action", "successor"), [("coredump-destroy", None), ("coredump-restart", 2)])
def test_a_core_first(world: FakeHost, dumps: Path, action: str, successor: int | None) -> None:
    world.create(on_crash=action, memory=4)
    said, domid = follow_up(world, CRASH)
    (core,) = dumps.iterdir()
    assert core.name.endswith("-g.1.core") and core.stat().st_mode & 0o777 == 0o600
    assert core.read_bytes()[:4] == b"\x7fELF"
    assert said[1] == f"the core is in {core}" and domid == successor


def test_no_room_for_a_core(world: FakeHost, dumps: Path) -> None:
    """The guest is destroyed all the same, as with xl."""
    dumps.write_text("in the way")
    world.create(on_crash="coredump-destroy")
    said, _ = follow_up(world, CRASH)
    assert said[1].startswith("no core could be written: ") and sorted(world.hyper.all) == [0]


def test_a_soft_reset_ends_the_guest(world: FakeHost) -> None:
    world.create()
    said, domid = follow_up(world, SOFT_RESET)
    assert domid is None and "cannot reset a domain softly" in said[1] and sorted(world.hyper.all) == [0]


def test_last_words_that_nobody_has_logged(world: FakeHost) -> None:
    daemon, client = os.openpty()
    tty.setraw(client)
    world.create()
    world.store.put("/local/domain/1/console/tty", os.ttyname(client))
    os.write(daemon, b"Kernel panic\n")
    follow_up(world, CRASH)
    assert (world.folder / "console/xenvm-g.log").read_bytes() == b"Kernel panic\n"
    os.close(daemon)
    os.close(client)


@pytest.mark.parametrize("tty_node", ["", "/dev/null", "\xff"])
def test_no_console_keeps_nobody_from_acting(world: FakeHost, tty_node: str) -> None:
    world.create()
    world.store.put("/local/domain/1/console/tty", tty_node)
    follow_up(world, CRASH)
    assert sorted(world.hyper.all) == [0]


def test_libxls_record_is_only_needed_for_a_restart(world: FakeHost) -> None:
    world.create()
    world.host.plumbing.userdata.UserData(Domid(1), UUID).write_config("{")
    with pytest.raises(DomainError, match="libxl's record of it is of no use"):
        follow_up(world, REBOOT)
    assert sorted(world.hyper.all) == [0, 1], "it stays as it went down"
    world.hyper.all[Domid(1)].code = None
    follow_up(world, CRASH)
    assert sorted(world.hyper.all) == [0]


def test_an_old_guest_is_set_aside_once(world: FakeHost) -> None:
    """Also if who did it died of it and another goes on."""
    world.create(on_crash="rename-restart", disk=None)
    world.hyper.go_down(Domid(1), CRASH)
    info = world.hyper.all[Domid(1)].info
    act._set_aside(world.host, info, "g")
    name = world.store.get("/local/domain/1/name")
    act._set_aside(world.host, info, "g")
    assert world.store.get("/local/domain/1/name") == name != b"g"
    kept = memo.read(world.host, Domid(1), UUID)
    assert kept is not None and kept.watch == "nobody"


def test_two_old_guests_of_one_minute_have_two_names(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda *_: "20260101T0000Z")
    world.create(on_crash="rename-restart", disk=None)
    for domid in (Domid(1), Domid(2)):
        world.hyper.go_down(domid, CRASH)
        info = world.hyper.all[domid].info
        kept = memo.read(world.host, domid, UUID)
        assert kept is not None and act.act(world.host, info, kept, lambda _: None) == domid + 1
    found = [world.store.get(f"/local/domain/{domid}/name") for domid in (1, 2, 3)]
    assert found == [b"g-20260101T0000Z", b"g-20260101T0000Z-2", b"g"]


def test_a_successor_that_is_refused_leaves_nothing(world: FakeHost) -> None:
    """The old guest keeps its disk, which the successor may not write as well."""
    world.create(on_crash="rename-restart")
    world.patch.setattr(act, "create", refused)
    with pytest.raises(DomainError, match="refused"):
        follow_up(world, CRASH)
    world.hyper.all[Domid(1)].code = CRASH
    destroy(world.host, Domid(1), UUID)
    assert world.store.children("/vm") == []


def refused(*_: object) -> Domid:
    raise DomainError("refused")
