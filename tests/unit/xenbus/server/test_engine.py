from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Guest
from xenbus import wire
from xenbus.server.arguments import Refused
from xenbus.server.engine import Engine
from xenbus.server.tree import Change

OK = wire.OK
BOTH = ("@introduceDomain", "@releaseDomain")


def test_domains_come_and_go(engine: Engine, dom0: RawClient) -> None:
    for special in BOTH:
        dom0.watch(special)
    dom0.events()
    engine.introduce(5, 0x39001, 1)
    engine.introduce(5, 0x39001, 2)
    assert dom0.events() == [(b"@introduceDomain", b"t")], "the second time it only starts from scratch"
    engine.shut_down(5)
    engine.shut_down(5)
    assert dom0.events() == [(b"@releaseDomain", b"t")]
    dom0.ask(wire.RESUME, "5")
    engine.shut_down(5)
    engine.release(5)
    engine.release(5)
    assert dom0.events() == [(b"@releaseDomain", b"t")] * 2
    assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, "5") == b"F\0"


def test_which_domain_it_was(engine: Engine, dom0: RawClient) -> None:
    dom0.watch("@releaseDomain", "plain")
    dom0.watch("@releaseDomain", "deep", "1")
    dom0.watch("@releaseDomain/5", "five")
    dom0.watch("@releaseDomain/6", "six")
    dom0.watch("/", "root")
    dom0.events()
    engine.introduce(5, 1, 1)
    engine.release(5)
    release = b"@releaseDomain"
    assert dom0.events() == [(release, b"plain"), (release + b"/5", b"deep"), (release + b"/5", b"five")]


def test_guests_see_releases_and_what_they_may(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    for special in BOTH:
        five.watch(special)
    five.events()
    engine.introduce(6, 1, 1)
    engine.release(6)
    assert five.events() == [(b"@releaseDomain", b"t")]
    dom0.chmod("@introduceDomain", "n0", "r5")
    dom0.chmod("@releaseDomain", "n0")
    dom0.chmod("/", "r0")
    five.events()
    engine.introduce(6, 1, 1)
    engine.release(6)
    assert five.events() == [(b"@introduceDomain", b"t")]


def test_who_is_told_of_introductions(engine: Engine, dom0: RawClient) -> None:
    told: list[tuple[int, int, int]] = []
    engine.on_introduce = lambda *what: told.append(what)
    assert dom0.ask(wire.INTRODUCE, "5", "233473", "1") == OK
    assert told == [(5, 233473, 1)]

    def refuse(*_what: int) -> None:
        raise Refused("EACCES")

    engine.on_introduce = refuse
    assert dom0.ask(wire.INTRODUCE, "6", "1", "1") == "EACCES"
    assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, "6") == b"F\0"


def test_an_introduction_starts_from_scratch(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    five.watch("x")
    tx = five.begin()
    five.connection.feed(wire.pack(wire.READ, 1, 0, b"x\0")[:10])
    engine.introduce(5, 1, 1)
    dom0.write("/local/domain/5/x")
    assert not five.connection.pending and not five.connection.closed
    assert five.end(tx) == "ENOENT"
    assert five.read("x") == b""


def test_a_connection_ends_with_its_domain(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    released: list[int] = []
    engine.on_release = released.append
    engine.release(5)
    assert five.connection.closed == "its domain is gone"
    assert released == [5]
    assert engine.domains.introduced(5) is None


def test_the_dead_own_nothing(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    five.write("a/b")
    dom0.write("/other/x/y")
    dom0.chmod("/other/x", "n5")
    dom0.write("/readable/x")
    dom0.chmod("/readable", "n0", "r5", "r6")
    dom0.chmod("/readable/x", "n5", "r0")
    dom0.chmod("/tool", "n0", "w5")
    for path in ("/local", "/other/x/y", "/readable"):
        dom0.watch(path)
    dom0.events()
    engine.release(5)
    assert dom0.ls("/local/domain") == dom0.ls("/other") == dom0.ls("/readable") == []
    assert (dom0.perms("/readable"), dom0.perms("/tool")) == (["n0", "r6"], ["n0"])
    assert dom0.events() == [(b"/local/domain/5", b"t"), (b"/other/x/y", b"t"), (b"/readable/x", b"t")]


def test_the_root_outlives_its_owner(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    guest(5)
    for path in ("/", *BOTH):
        dom0.chmod(path, "r5", "b5")
    engine.release(5)
    assert dom0.perms("/") == dom0.perms("@releaseDomain") == ["r0"]
    assert dom0.ls("/") == ["tool", "local"]


def test_a_domain_that_was_never_introduced(engine: Engine, dom0: RawClient) -> None:
    dom0.watch("@releaseDomain")
    dom0.write("/x")
    dom0.chmod("/x", "n5")
    dom0.events()
    engine.release(5)
    assert dom0.read("/x") == "ENOENT"
    assert dom0.events() == []


def test_domain_0_stays(engine: Engine, dom0: RawClient) -> None:
    engine.release(0)
    assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, "0") == b"T\0"


def test_domains_that_do_not_exist() -> None:
    engine = Engine(exists={5}.__contains__)
    dom0 = RawClient(engine)
    dom0.write("/a")
    assert dom0.chmod("/a", "n6") == "ENOENT"
    assert dom0.chmod("/a", "n5", "r6") == OK
    assert dom0.ask(wire.INTRODUCE, "6", "1", "1") == "EINVAL"
    with pytest.raises(ValueError, match="domain 6 does not exist"):
        engine.connect(6)


def test_every_change_is_told_before_its_reply(engine: Engine, dom0: RawClient) -> None:
    told: list[list[tuple[bytes, bytes | None]]] = []

    def on_commit(changes: Sequence[Change]) -> None:
        assert not dom0.connection.pending
        told.append([(path, node and node.value) for path, node in changes])

    engine.on_commit = on_commit
    dom0.write("/a/b", b"1")
    dom0.mkdir("/a/b")
    dom0.chmod("/a/b", "n5")
    dom0.rm("/a")
    dom0.rm("/none")
    dom0.read("/a")
    assert told == [[(b"/a", b""), (b"/a/b", b"1")], [(b"/a/b", b"1")], [(b"/a", None)]]
    dom0.write("/x")
    dom0.chmod("/x", "n5")
    engine.release(5)
    assert told[-1] == [(b"/x", None)]


def test_records(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    guest(5).write("x", b"\0\xff")
    for name in ("10", "9"):
        dom0.mkdir(f"/a/{name}")
    dom0.chmod("/a", "n0", "r5", "r77")
    dom0.chmod("@introduceDomain", "r0")
    again = Engine(exists={5, 77}.__contains__)
    again.restore(engine.records())
    assert list(again.records()) == list(engine.records())
    client = RawClient(again)
    assert (client.ls("/a"), client.read("/local/domain/5/x")) == (["10", "9"], b"\0\xff")
    assert client.perms("@introduceDomain") == ["r0"]


def test_records_of_the_dead(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    guest(5).write("x", b"value")
    dom0.write("/a")
    dom0.chmod("/a", "n0", "r5", "r6")
    again = Engine(exists={6}.__contains__)
    again.restore([*engine.records(), (b"/tool", None, b""), (b"/tool", None, b"")])
    client = RawClient(again)
    assert (client.perms("/local/domain/5/x"), client.perms("/a")) == (["n0"], ["n0", "r6"])
    assert client.ls("/") == ["local", "a"]
