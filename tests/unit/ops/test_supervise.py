"""One supervisor for a host: what it sees to, what it leaves to others, what it goes on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.support.fakehost import UUID, FakeHost
from xenvm.errors import HostError
from xenvm.host.hyper import CreateRequest
from xenvm.host.open import open_host
from xenvm.host.plumbing import watching
from xenvm.ops import background, create, memo, restarts, supervise
from xenvm.ops.create import Options
from xenvm.ops.destroy import destroy
from xenvm.ops.restarts import Restart
from xenvm.ops.supervise import Supervisor
from xenvm.types import Domid

OTHER = "99999999-2222-3333-4444-555555555555"
POWEROFF, REBOOT, SUSPEND, CRASH = 0, 1, 2, 3


class Here:
    """A supervisor whose work is done at once and in this process, where the fake hypervisor is."""

    def __init__(self, world: FakeHost) -> None:
        self.world = world
        self.said: list[str] = []
        self.started: list[str] = []
        self.status: dict[int, int] = {}
        world.patch.setattr(background, "fork", self._fork)
        world.patch.setattr(os, "waitpid", lambda pid, how: (pid, 0))
        self.supervisor = Supervisor(world.host, open_host, self.said.append)

    def _fork(self, work: Callable[[Callable[[str], None]], object], what: str, log: str | None = None) -> int:
        self.started.append(what)
        work(self.said.append)
        return len(self.started)

    def look(self) -> list[str]:
        """What was said at one look."""
        before = len(self.said)
        self.supervisor.look()
        return self.said[before:]


@pytest.fixture
def here(world: FakeHost) -> Iterator[Here]:
    yield Here(world)


def kept(world: FakeHost, domid: int = 1, uuid: str = UUID) -> memo.Memo:
    found = memo.read(world.host, Domid(domid), uuid)
    assert found is not None
    return found


def test_a_guest_that_runs_is_let_be(world: FakeHost, here: Here) -> None:
    world.create()
    assert here.look() == [] and here.started == []


def test_each_death_once(world: FakeHost, here: Here) -> None:
    before = world.traces()
    domid = world.create()
    world.hyper.go_down(domid, POWEROFF)
    assert here.look() == ["domain 1 has shut down, reason 0: destroy"]
    assert here.look() == []
    assert world.traces() == before


def test_a_restart(world: FakeHost, here: Here) -> None:
    domid = world.create()
    world.hyper.go_down(domid, REBOOT)
    assert here.look() == ["domain 1 has shut down, reason 1: restart", "g is domain 2 now"]
    world.hyper.go_down(Domid(2), REBOOT)
    assert here.look()[-1] == "g is domain 3 now"
    assert kept(world, 3).spec.uuid == UUID and not watching.notes()


def test_what_is_preserved_is_not_looked_at_again(world: FakeHost, here: Here) -> None:
    domid = world.create(on_crash="preserve")
    world.hyper.go_down(domid, CRASH)
    assert here.look() == ["domain 1 has shut down, reason 3: preserve"]
    assert Here(world).look() == [], "not by the next supervisor either"


@pytest.mark.parametrize("action", ["destroy", "preserve", "restart", "rename-restart"])
def test_a_death_while_no_supervisor_was_there(world: FakeHost, here: Here, action: str) -> None:
    """The next one acts, and the one after that has nothing left to do."""
    domid = world.create(on_crash=action, disk=None)
    assert here.look() == []
    del here
    world.hyper.go_down(domid, CRASH)
    assert Here(world).look()[0] == f"domain 1 has shut down, reason 3: {action}"
    assert Here(world).look() == [] and not watching.notes()


def test_a_successor_ends_before_the_one_that_was_set_aside(world: FakeHost, here: Here) -> None:
    """They have one uuid, and each a /vm of its own."""
    before = world.traces()
    world.hyper.go_down(world.create(on_crash="rename-restart", disk=None), CRASH)
    assert here.look()[-1] == "g is domain 2 now"
    for domid in (Domid(2), Domid(1)):
        assert destroy(world.host, domid, UUID) == []
    assert world.traces() == before


def test_a_suspended_guest_sleeps(world: FakeHost, here: Here) -> None:
    world.hyper.go_down(world.create(), SUSPEND)
    assert here.look() == []


@pytest.mark.parametrize("watch", ["nobody", "foreground"])
def test_who_is_not_to_be_watched(world: FakeHost, here: Here, watch: str) -> None:
    domid = create.create(world.host, world.spec(), Options(watch=watch))
    world.hyper.go_down(domid, POWEROFF)
    assert here.look() == [] and domid in world.hyper.all


def test_guests_of_xl(world: FakeHost, here: Here) -> None:
    domid = world.create()
    os.unlink(world.folder / f"userdata/userdata-d.1.{UUID}.xenvm")
    world.hyper.go_down(domid, REBOOT)
    assert here.look() == [] and domid in world.hyper.all


def test_a_record_that_makes_no_sense_is_told_once(world: FakeHost, here: Here) -> None:
    world.hyper.go_down(world.create(), POWEROFF)
    (world.folder / f"userdata/userdata-d.1.{UUID}.xenvm").write_text("{")
    assert here.look() == ["domain 1: xenvm's record of it is of no use: no JSON"]
    assert here.look() == []


def test_a_monitor_that_lives_and_one_that_died(world: FakeHost, here: Here) -> None:
    domid = world.create()
    with watching.Duty(domid):
        world.hyper.go_down(domid, POWEROFF)
        assert here.look() == [] and here.started == []
    assert here.look() == ["domain 1 has shut down, reason 0: destroy"]


def test_somebody_was_faster(world: FakeHost, here: Here) -> None:
    """Between the look and the work another takes the guest, and dies of it."""
    domid = world.create()
    world.hyper.go_down(domid, POWEROFF)
    world.patch.setattr(here.supervisor, "_is_free", lambda number: True)
    with watching.Duty(domid):
        assert here.look() == [] and here.started == ["domain 1"]
        world.patch.setattr(here.supervisor, "_is_free", lambda number: not watching.on_duty(number))
        assert here.look() == []
    assert here.look() == ["domain 1 has shut down, reason 0: destroy"]


def test_what_failed_is_not_tried_again(world: FakeHost, here: Here) -> None:
    domid = world.create()
    world.hyper.go_down(domid, POWEROFF)
    world.patch.setattr(supervise, "act", lambda *arguments: None)
    assert here.look() == [] and here.look() == [] and here.started == ["domain 1"]


def test_a_worker_that_was_killed_has_not_failed(world: FakeHost, here: Here) -> None:
    domid = world.create()
    world.hyper.go_down(domid, POWEROFF)
    world.patch.setattr(supervise, "act", lambda *arguments: None)
    world.patch.setattr(os, "waitpid", lambda pid, how: (pid, 9))
    assert here.look() == [] and here.look() == [] and here.started == ["domain 1"] * 2


# What an earlier one has begun.


def begun(world: FakeHost, domid: Domid) -> Restart:
    """A restart whose actor died as soon as it had written it down."""
    world.hyper.go_down(domid, REBOOT)
    info = world.hyper.domain(domid)
    assert info is not None
    restart = Restart(info, kept(world))
    restarts.begin(world.host, restart)
    return restart


CUT = "g: going on with a restart that was cut short"


def test_killed_before_the_old_one_ended(world: FakeHost, here: Here) -> None:
    begun(world, world.create())
    assert here.look() == [CUT, "g is domain 2 now"]
    assert Domid(1) not in world.hyper.all and not watching.notes() and here.look() == []


def test_killed_while_there_was_none(world: FakeHost, here: Here) -> None:
    restart = begun(world, world.create())
    assert not destroy(world.host, restart.old.domid, UUID)
    assert here.look() == [CUT, "g is domain 2 now"]


def test_killed_in_the_middle_of_the_creation(world: FakeHost, here: Here) -> None:
    """The half of a guest is removed."""
    restart = begun(world, world.create())
    destroy(world.host, restart.old.domid, UUID)
    half = world.hyper.create(CreateRequest(UUID, 1, 3)).domid
    assert here.look() == [CUT, "g is domain 3 now"]
    assert half not in world.hyper.all


def test_killed_when_the_new_one_ran_already(world: FakeHost, here: Here) -> None:
    restart = begun(world, world.create())
    destroy(world.host, restart.old.domid, UUID)
    domid = create.create(world.host, restart.memo.spec)
    assert here.look() == [CUT, f"g is domain {domid} now"]
    assert sorted(world.hyper.all) == [0, domid], "it was not made twice"


def test_whoever_began_lives(world: FakeHost, here: Here) -> None:
    restart = begun(world, world.create())
    with watching.Duty(restart.old.domid):
        assert here.look() == [] and watching.notes()


def test_a_restart_that_only_a_foreground_process_may_do(world: FakeHost, here: Here) -> None:
    domid = create.create(world.host, world.spec(), Options(watch="foreground"))
    begun(world, domid)
    assert here.look() == [] and not watching.notes()


def test_a_note_that_makes_no_sense(world: FakeHost, here: Here) -> None:
    for number, text in enumerate(("", "7", '{"old": {}}', '{"old": {"domid": 1}, "memo": {}, "aside": true}')):
        watching.note(str(number), text)
    assert here.look() == []


# The loop.


def test_one_supervisor(world: FakeHost) -> None:
    with watching.Duty(0), pytest.raises(HostError, match="another supervisor runs on this host"):
        Supervisor(world.host, open_host, print).run()


def test_it_looks_again_and_tells_that_it_lives(world: FakeHost) -> None:
    looks = []

    def pulse() -> None:
        looks.append(watching.on_duty(0))
        if len(looks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Supervisor(world.host, open_host, lambda text: None).run(every=0.001, pulse=pulse)
    assert looks == [True] * 3 and not watching.on_duty(0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_in_processes_of_their_own(world: FakeHost, capfd: pytest.CaptureFixture[str]) -> None:
    """The real fork; the child has a copy of the hypervisor, so only the store and the files change."""
    for number, uuid in enumerate((UUID, OTHER), 1):
        world.create(name=f"g{number}", uuid=uuid, disk=None, vif=None)
        world.hyper.go_down(Domid(number), POWEROFF)
    world.hyper.on_death = lambda domid: None
    supervisor = Supervisor(world.host, open_host, lambda text: None)
    supervisor.look()
    for pid in list(supervisor._workers):
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not world.store.children("/libxl")
    assert capfd.readouterr().err.count("reason 0: destroy") == 2
