"""Watches: which changes fire, whom, with which path and in which order."""

from __future__ import annotations

from tests.conformance.worlds import World
from xenbus import wire

OK = wire.OK


def test_the_first_event_comes_behind_the_reply(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.watch("/a", "t") == OK
    assert dom0.take_events() == [(b"/a", b"t")]
    assert dom0.order == ["WATCH", "WATCH_EVENT", "GET_DOMAIN_PATH"]


def test_own_changes_are_seen_before_the_reply(world: World) -> None:
    dom0 = world.dom0()
    dom0.watch("/a", "t")
    dom0.take_events()
    del dom0.order[:]
    dom0.write("/a", b"x")
    assert dom0.order == ["WATCH_EVENT", "WRITE"]


def test_which_paths_match(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    for path in ("/", "/a", "/a/b", "/ab", "/a/b/c"):
        one.watch(path, path)
    one.take_events()
    two.write("/a/b", b"x")
    assert sorted(one.take_events()) == [(b"/a/b", b"/"), (b"/a/b", b"/a"), (b"/a/b", b"/a/b")]


def test_parents_made_on_the_way_are_silent(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    one.watch("/a", "a")
    one.watch("/a/b", "b")
    one.take_events()
    two.write("/a/b/c", b"x")
    assert sorted(one.take_events()) == [(b"/a/b/c", b"a"), (b"/a/b/c", b"b")]


def test_removal_of_a_tree(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    two.write("/a/b/c/d")
    for path in ("/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/c/none"):
        one.watch(path, path)
    one.take_events()
    two.rm("/a/b")
    events = one.take_events()
    assert (b"/a/b/c/d", b"/a/b/c/d") in events
    assert (b"/a/b/c", b"/a/b/c") in events
    assert (b"/a/b", b"/a/b") in events
    assert (b"/a/b", b"/a") in events
    assert (b"/a/b", b"/") in events
    assert len(events) == 5
    assert events.index((b"/a/b/c/d", b"/a/b/c/d")) < events.index((b"/a/b/c", b"/a/b/c"))


def test_what_does_not_fire(world: World) -> None:
    dom0 = world.dom0()
    dom0.write("/a", b"x")
    dom0.watch("/", "t")
    dom0.take_events()
    dom0.mkdir("/a")
    dom0.rm("/none")
    dom0.read("/a")
    assert dom0.take_events() == []
    dom0.write("/a", b"x")
    assert dom0.take_events() == [(b"/a", b"t")]
    dom0.chmod("/a", "n0")
    assert dom0.take_events() == [(b"/a", b"t")]


def test_relative_watches_get_relative_paths(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    dom0.mkdir("/local/domain/5")
    dom0.chmod("/local/domain/5", "n5")
    guest.watch("data", "t")
    guest.watch("/local/domain/5/data", "u")
    assert sorted(guest.take_events()) == [(b"/local/domain/5/data", b"u"), (b"data", b"t")]
    dom0.write("/local/domain/5/data/x")
    assert sorted(guest.take_events()) == [(b"/local/domain/5/data/x", b"u"), (b"data/x", b"t")]


def test_twice_the_same(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.watch("name", "t") == OK
    assert dom0.watch("name", "t") == "EEXIST"
    assert dom0.watch("/local/domain/0/name", "t") == "EEXIST"
    assert dom0.watch("name", "u") == OK
    assert dom0.ask(wire.UNWATCH, "/local/domain/0/name", "t") == OK
    assert dom0.ask(wire.UNWATCH, "name", "t") == "ENOENT"


def test_malformed(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.ask(wire.WATCH, "/a") == "EINVAL"
    assert dom0.ask(wire.WATCH, "/a/", "t") == "EINVAL"
    assert dom0.ask(wire.WATCH, "@none", "t") in (OK, "EINVAL")
    assert dom0.raw(wire.WATCH, b"") == "EINVAL"
    assert dom0.ask(wire.UNWATCH, "/a") == "EINVAL"


def test_tokens_are_bytes(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.watch("/a", b"\xff\x01 token") == OK
    assert dom0.take_events() == [(b"/a", b"\xff\x01 token")]
    assert dom0.watch("/a", "") == OK
    assert dom0.take_events() == [(b"/a", b"")]


def test_an_event_that_is_too_long_is_dropped(world: World) -> None:
    dom0, other = world.dom0(), world.dom0()
    dom0.watch("/a", "x" * 4080)
    dom0.take_events()
    other.write("/a/" + "y" * 30)
    assert dom0.take_events() == []
    other.write("/a")
    assert len(dom0.take_events()) == 1


def test_commits_fire_once_a_node(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    one.watch("/", "t")
    one.take_events()
    tx = two.start()
    two.write("/a", b"1", tx)
    two.write("/b", b"1", tx)
    two.write("/a", b"2", tx)
    assert one.take_events() == []
    two.end(tx)
    assert sorted(one.take_events()) == [(b"/a", b"t"), (b"/b", b"t")]


def test_no_events_for_what_one_may_not_read(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    dom0.write("/top/secret")
    guest.watch("/top", "t")
    assert guest.take_events() == [(b"/top", b"t")]
    dom0.write("/top/secret", b"x")
    dom0.rm("/top/secret")
    assert guest.take_events() == []
    dom0.write("/top/open")
    dom0.chmod("/top/open", "r0")
    guest.take_events()
    dom0.write("/top/open", b"x")
    assert guest.take_events() == [(b"/top/open", b"t")]
    dom0.rm("/top/open")
    assert guest.take_events() == [(b"/top/open", b"t")]


def test_a_lost_permission_is_seen_once(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    dom0.write("/open")
    dom0.chmod("/open", "r0")
    guest.watch("/open", "t")
    guest.take_events()
    dom0.chmod("/open", "n0")
    guest.take_events()
    dom0.write("/open", b"x")
    assert guest.take_events() == []


def test_events_of_a_closed_watch_stop(world: World) -> None:
    dom0 = world.dom0()
    dom0.watch("/a", "t")
    dom0.take_events()
    dom0.ask(wire.UNWATCH, "/a", "t")
    dom0.write("/a")
    assert dom0.take_events() == []


def test_many_watches(world: World) -> None:
    one, two = world.dom0(), world.dom0()
    for number in range(2000):
        assert one.watch(f"/n/{number}", "t") == OK
    one.take_events()
    two.write("/n/1234")
    assert one.take_events() == [(b"/n/1234", b"t")]
