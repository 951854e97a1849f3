"""One guest is watched: in the foreground, and from a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakehost import BACKENDS, UUID, FakeHost
from xenvm.errors import HostError, ImageError
from xenvm.guest.blueprint import settled
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.host.open import open_host
from xenvm.host.plumbing.watching import Duty
from xenvm.ops import background, memo, monitor
from xenvm.ops.create import Options, create
from xenvm.types import Domid

Death = Callable[[FakeHost], object]


def down(domid: int, reason: str) -> Death:
    return lambda world: world.hyper.go_down(Domid(domid), SHUTDOWN_REASONS.index(reason))


def gone(domid: int) -> Death:
    return lambda world: world.hyper.destroy(Domid(domid))


def watch(world: FakeHost, domid: Domid, *deaths: Death) -> list[str]:
    """Runs the monitor. Each guest in turn meets its death when the monitor has looked at it."""
    said: list[str] = []
    coming = list(enumerate(deaths, domid))

    def looked() -> None:
        if coming and world.hyper.log[-1][1] == f"domain {coming[0][0]}":
            coming.pop(0)[1](world)

    world.hyper.on_call["domain"] = looked
    monitor.watch(world.host, domid, said.append)
    assert not coming
    return said


def test_destroy(world: FakeHost) -> None:
    before = world.traces()
    domid = world.create()
    assert watch(world, domid, down(1, "poweroff")) == ["domain 1 has shut down, reason 0: destroy"]
    assert world.traces() == before


def test_restart_again_and_again(world: FakeHost) -> None:
    before = world.traces()
    spec = settled(world.spec(uuid=None, vif=["bridge=xenbr0"]))
    domid = create(world.host, spec)
    macs = []
    world.store.on_write(f"{BACKENDS}/vif/*/0/mac", lambda path, value: macs.append(value))
    said = watch(world, domid, down(1, "reboot"), down(2, "reboot"), down(3, "poweroff"))
    assert said == [
        "domain 1 has shut down, reason 1: restart",
        "g is domain 2 now",
        "domain 2 has shut down, reason 1: restart",
        "g is domain 3 now",
        "domain 3 has shut down, reason 0: destroy",
    ]
    assert {mac for mac in macs if mac} == {(spec.nics[0].mac or "").encode()}, "the network knows it by its MAC"
    assert world.traces() == before


def test_a_restarted_guest_runs_even_if_it_was_created_paused(world: FakeHost) -> None:
    domid = world.create(paused=True)
    ran = []
    world.hyper.on_call["unpause"] = lambda: ran.append(True)
    watch(world, domid, down(1, "reboot"), down(2, "poweroff"))
    assert ran == [True]


def test_preserve(world: FakeHost) -> None:
    domid = world.create(on_crash="preserve")
    watch(world, domid, down(1, "crash"))
    assert world.hyper.all[domid].code == 3 and world.store.get("/local/domain/1/name") == b"g"
    kept = memo.read(world.host, domid, UUID)
    assert kept is not None and kept.watch == "nobody", "nobody is to look at it again"


def test_rename_restart(world: FakeHost) -> None:
    domid = world.create(on_crash="rename-restart", disk=None)
    watch(world, domid, down(1, "crash"), gone(2))
    aside = (world.store.get("/local/domain/1/name") or b"").decode()
    assert aside.startswith("g-2") and aside.endswith("Z")
    vm = (world.store.get("/local/domain/1/vm") or b"").decode()
    assert vm != f"/vm/{UUID}" and world.store.get(f"{vm}/name") == aside.encode()
    assert world.store.get("/local/domain/2/vm") == f"/vm/{UUID}".encode()


def test_somebody_else_destroys_it(world: FakeHost) -> None:
    domid = world.create()
    assert watch(world, domid, gone(1)) == ["domain 1 is gone"]


def test_one_watcher_only(world: FakeHost) -> None:
    domid = world.create()
    with Duty(domid):
        assert watch(world, domid) == ["domain 1 is watched by another process"]


def test_a_guest_of_xl_is_left_alone(world: FakeHost) -> None:
    domid = world.create()
    os.unlink(world.folder / f"userdata/userdata-d.1.{UUID}.xenvm")
    assert watch(world, domid, down(1, "poweroff")) == ["domain 1 is gone"]
    assert domid in world.hyper.all


def test_a_suspended_guest_is_not_down(world: FakeHost) -> None:
    """It sleeps, until somebody resumes it."""
    domid = world.create()

    def resume(world: FakeHost) -> None:
        world.hyper.all[domid].code = None
        world.store.fire("@releaseDomain")

    def looked() -> None:
        if steps:
            steps.pop(0)(world)

    steps: list[Death] = [down(1, "suspend"), resume, down(1, "poweroff")]
    world.hyper.on_call["domain"] = looked
    said: list[str] = []
    monitor.watch(world.host, domid, said.append)
    assert said == ["domain 1 has shut down, reason 0: destroy"]


def test_a_restart_that_fails_is_told(world: FakeHost) -> None:
    before = world.traces()
    domid = world.create()
    os.unlink(world.kernel)
    with pytest.raises(ImageError, match="Image: no such file"):
        watch(world, domid, down(1, "reboot"))
    assert world.traces() == before
    assert not world.host.plumbing.watching.notes()


# The process.


@pytest.fixture
def log(world: FakeHost) -> Path:
    return Path(background.LOG_FOLDER) / "xenvm-g.log"


def start(world: FakeHost, domid: Domid) -> int:
    """Starts the monitor's process; how it ended."""
    pids = []
    fork = os.fork
    world.patch.setattr(os, "fork", lambda: pids.append(fork()) or pids[0])
    monitor.start(open_host, domid, "g")
    return os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_it_works_in_a_process_of_its_own(world: FakeHost, log: Path) -> None:
    domid = world.create()
    world.hyper.go_down(domid, 0)
    world.hyper.on_death = lambda domid: None  # the child has only a copy of the hypervisor
    assert start(world, domid) == 0
    assert log.read_text().endswith(" domain 1 has shut down, reason 0: destroy\n")
    assert not world.store.children("/libxl"), "it reached the store over a connection of its own"
    assert world.host.store.read("/local/domain/0/name") == b"Domain-0", "ours still works"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("mistake", [False, True])
def test_what_ends_it_is_in_the_log(world: FakeHost, log: Path, mistake: bool) -> None:
    domid = world.create()
    if mistake:
        world.patch.setattr(monitor, "watch", lambda *arguments: 1 // 0)
    else:
        world.patch.setenv("XENSTORED_PATH", "/no/such")
    assert start(world, domid) == 1
    assert ("ZeroDivisionError" if mistake else "g: no store answers (/no/such: No such file") in log.read_text()


def test_no_process_to_be_had(world: FakeHost, log: Path) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    domid = world.create()
    world.patch.setattr(os, "fork", fork)
    with pytest.raises(HostError, match="g runs as domain 1, but nothing watches it: Resource temporarily"):
        monitor.start(open_host, domid, "g")


def test_a_supervisor_is_seen(world: FakeHost) -> None:
    assert not monitor.supervised(world.host)
    with Duty(0):
        assert monitor.supervised(world.host)
    assert not monitor.supervised(world.host)


def test_what_create_was_told_is_kept(world: FakeHost) -> None:
    domid = create(world.host, world.spec(), Options(watch="nobody"))
    kept = memo.read(world.host, domid, UUID)
    assert kept is not None and kept.watch == "nobody" and kept.spec.uuid == UUID
