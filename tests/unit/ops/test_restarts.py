"""Guests that are being made again are in the list all the time."""

from __future__ import annotations

import pytest

from tests.support.fakehost import UUID, FakeHost
from xenvm.errors import NoSuchDomain
from xenvm.host.plumbing.watching import Duty
from xenvm.ops import act, memo, names, restarts
from xenvm.ops.destroy import destroy, end_for_good
from xenvm.ops.restarts import Restart
from xenvm.types import Domid


def rows(world: FakeHost, who: str | None = None) -> list[tuple[int, str | None, bool]]:
    found, known = names.listed(world.host, who)
    return [(info.domid, known[info.domid], info.shutdown) for info in found if info.domid]


def begun(world: FakeHost, aside: bool = False) -> Restart:
    world.hyper.go_down(Domid(1), 1)
    info, kept = world.hyper.domain(Domid(1)), memo.read(world.host, Domid(1), UUID)
    assert info is not None and kept is not None
    restart = Restart(info, kept, aside)
    restarts.begin(world.host, restart)
    assert restarts.under_way(world.host) == [restart]
    return restart


def test_at_every_hypercall_of_a_restart(world: FakeHost) -> None:
    """Whoever lists the guests just then sees it, once."""
    world.create()
    seen = []
    world.hyper.go_down(Domid(1), 1)
    info, kept = world.hyper.domain(Domid(1)), memo.read(world.host, Domid(1), UUID)
    assert info is not None and kept is not None

    def look() -> None:
        world.hyper.on_call = {}
        seen.append([name for _, name, _ in rows(world)])
        world.hyper.on_call = watched

    watched = dict.fromkeys(("destroy", "create", "populate", "physinfo", "set_params", "set_entry", "unpause"), look)
    world.hyper.on_call = watched
    with Duty(1):
        act.act(world.host, info, kept, lambda text: None)
    assert len(seen) >= 7 and all(found == ["g"] for found in seen), seen
    assert rows(world) == [(2, "g", False)]


@pytest.mark.parametrize("aside", [False, True])
def test_a_guest_that_is_destroyed_meanwhile_does_not_come_back(world: FakeHost, aside: bool) -> None:
    """One that was set aside is another than the one that is being made."""
    world.create(disk=None)
    restart, said = begun(world, aside), list[str]()
    end_for_good(world.host, Domid(1), UUID)
    successor = act.resume(world.host, restart, said.append)
    assert successor == (2 if aside else None) and sorted(world.hyper.all)[1:] == ([2] if aside else [])
    if not aside:
        assert said == ["g was destroyed meanwhile: it is not made again"]
    assert restarts.under_way(world.host) == []


def test_it_may_be_destroyed_at_the_last_moment(world: FakeHost) -> None:
    """The successor is there already, perhaps without a name as yet."""
    world.create(disk=None)
    restart, said = begun(world), list[str]()
    world.hyper.on_call = {"unpause": lambda: restarts.cancel(world.host, UUID)}
    assert act.resume(world.host, restart, said.append) is None
    assert sorted(world.hyper.all) == [0] and said == ["g was destroyed meanwhile: it is not made again"]


@pytest.mark.parametrize(("who", "aside", "found"), [("g", 0, 1), ("g", 1, 1), ("1", 0, 1), ("1", 1, 0), ("h", 0, 0)])
def test_a_guest_without_a_domain_is_destroyed(world: FakeHost, who: str, aside: int, found: int) -> None:
    world.create(disk=None)
    restart = begun(world, bool(aside))
    assert restarts.cancel_named(world.host, who) == bool(found)
    assert restarts.under_way(world.host) == ([] if found else [restart])


def test_as_the_domain_that_went_down(world: FakeHost) -> None:
    world.create()
    restart = begun(world)
    destroy(world.host, restart.old.domid, UUID)
    with Duty(1):
        assert rows(world) == [(1, "g", True)] == rows(world, "g") == rows(world, "1")
        with pytest.raises(NoSuchDomain):
            rows(world, "h")
    with Duty(0):
        assert rows(world) == [(1, "g", True)], "a supervisor will go on with it"
    assert rows(world) == [], "nobody lives who will make it again"


def test_a_domain_without_a_name_has_it(world: FakeHost) -> None:
    """The new one before it is in the store, the old one when it is no more."""
    world.create()
    begun(world)
    world.store.drop("/local/domain/1")
    with Duty(1):
        assert rows(world) == [(1, "g", True)]


def test_what_was_set_aside_is_no_gap(world: FakeHost) -> None:
    world.create()
    begun(world, aside=True)
    with Duty(1):
        assert rows(world) == [(1, "g", True)]
