"""Xen's advisories about xenstored, each as what a server must do instead."""

from __future__ import annotations

import pytest

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Clock, Guest
from xenbus import wire
from xenbus.server.domains import BURST, RATE
from xenbus.server.engine import Engine

OK = wire.OK
HOME = "/local/domain/5"


def test_xsa_72_no_reply_is_longer_than_a_packet(dom0: RawClient) -> None:
    for number in range(60):
        dom0.mkdir(f"/a/{number:080}")
    assert dom0.ls("/a") == "E2BIG"
    tx = dom0.begin()
    assert dom0.ls("/a", tx) == "E2BIG"


def test_xsa_115_events_tell_nobody_what_he_may_not_read(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    dom0.mkdir("/secret")
    five.watch("/secret")
    five.watch("/", "root")
    five.events()
    dom0.write("/secret/a", b"x")
    dom0.chmod("/secret/a", "n0")
    dom0.rm("/secret/a")
    tx = dom0.begin()
    dom0.write("/secret/b", b"", tx)
    dom0.end(tx)
    assert five.events() == []
    dom0.chmod("/secret", "n0", "r5")
    dom0.write("/secret", b"x")
    assert five.events() == [(b"/secret", b"t"), (b"/secret", b"root")]
    dom0.chmod("/secret", "n0")
    assert five.events() == [(b"/secret", b"t"), (b"/secret", b"root")], "that it is lost may be seen"
    dom0.write("/secret", b"y")
    assert five.events() == []


def test_xsa_115_what_happens_in_a_transaction_is_watched_outside(dom0: RawClient) -> None:
    tx = dom0.begin()
    assert dom0.ask(wire.WATCH, "/a", "t", tx=tx) == OK
    assert dom0.end(tx, "F") == OK
    dom0.events()
    dom0.write("/a")
    assert dom0.events() == [(b"/a", b"t")]


def test_xsa_115_a_creation_that_fails_costs_nothing(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    domain = engine.domains.find(5)
    assert domain
    before = domain.usage.nodes, domain.usage.memory
    assert five.write("a/b/c", bytes(3000)) == "ENOSPC"
    assert (domain.usage.nodes, domain.usage.memory) == before
    assert five.ls("") == "EINVAL" and five.ls(HOME) == []


def test_xsa_206_a_guest_that_writes_all_the_time_is_slowed_down(
    clock: Clock, engine: Engine, dom0: RawClient, guest: Guest
) -> None:
    five = guest(5)
    for number in range(int(BURST) * 2):
        assert five.write("x", b"%d" % number) == OK, "nobody minds while there is no transaction"
    tx = dom0.begin()
    assert dom0.read(f"{HOME}/x", tx)
    five.connection.feed(wire.pack(wire.WRITE, 1, 0, b"x\0y") * int(BURST) * 2)
    taken = 0
    while five.connection.pending:
        taken += len(five.receive())
    assert taken == BURST + 1
    assert dom0.end(tx) == "EAGAIN"
    tx = dom0.begin()
    assert dom0.read(f"{HOME}/x", tx) == b"y"
    assert not five.connection.pending
    assert dom0.end(tx) == OK
    clock.now += 10 / RATE
    assert len(five.receive()) == 0
    engine.expire()
    assert five.connection.pending


@pytest.mark.parametrize("first", [5, 6])
def test_xsa_233_and_425_two_ends_of_a_pair(engine: Engine, dom0: RawClient, guest: Guest, first: int) -> None:
    five, six = guest(5), guest(6)
    dom0.ask(wire.SET_TARGET, "6", "5")
    for _time in range(2):
        five.connection.close()
        engine.introduce(5, 1, 1)
        engine.release(first)
        engine.release(11 - first)
    assert five.connection.closed and six.connection.closed
    assert engine.domains.introduced(5) is engine.domains.introduced(6) is None


def test_xsa_322_a_domain_inherits_nothing_of_its_name(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    guest(5).write("x")
    for path in ("/a", "@introduceDomain"):
        dom0.mkdir(path)
        dom0.chmod(path, "n0", "b5")
    engine.release(5)
    five = RawClient(engine, 5)
    assert five.read("/a") == five.write("/a") == five.read("x") == five.perms("@introduceDomain") == "EACCES"
    assert dom0.perms("/a") == dom0.perms("@introduceDomain") == ["n0"]


def test_xsa_323_the_length_of_a_path_is_that_of_its_absolute_form(guest: Guest) -> None:
    five = guest(5)
    for length, reply in ((2048, "ENOENT"), (2049, "EINVAL")):
        assert five.read("a" * length) == five.read(f"{HOME}/{'a' * length}") == reply


def test_xsa_324_events_fit_into_a_packet(dom0: RawClient) -> None:
    assert dom0.watch("/a", "t" * 4080) == OK
    assert len(dom0.events()) == 1
    dom0.write("/a/" + "b" * 20)
    assert dom0.events() == []
    dom0.write("/a/b")
    assert len(dom0.events()) == 1


def test_xsa_325_a_domain_outlives_its_connection(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    dom0.watch("@releaseDomain")
    five.write("x")
    dom0.events()
    five.connection.feed(b"\xff" * 16)
    assert five.connection.closed
    assert dom0.events() == []
    assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, "5") == b"T\0"
    engine.release(5)
    assert dom0.events() == [(b"@releaseDomain", b"t")]
    assert dom0.read(f"{HOME}/x") == "ENOENT"


def test_xsa_326_what_a_guest_keeps_is_bounded(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    domain = engine.domains.find(5)
    assert domain
    for number in range(128):
        five.watch("w" * 2000, f"{number}" + "t" * 2000)
    for number in range(990):
        five.write(f"{number % 40}/{number}", bytes(1900))
    opened = [five.begin() for _number in range(10)]
    for tx in opened:
        for number in range(990):
            five.write(f"{number % 40}/{number}", bytes(1901), tx)
    assert 2_000_000 < domain.usage.memory + domain.buffers <= 2_621_440
    for tx in opened:
        five.end(tx)
    five.raw(wire.RESET_WATCHES, b"")
    assert domain.buffers == 0


def test_xsa_330_a_reset_gives_everything_back(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    for _turn in range(10):
        for number in range(129):
            assert five.watch("x", str(number)) == OK
        for _number in range(11):
            five.begin()
        assert five.raw(wire.RESET_WATCHES, b"\0") == OK
        five.events()
    domain = engine.domains.find(5)
    assert domain
    assert (domain.watches, domain.transactions, domain.buffers, domain.outstanding) == (0, 0, 0, 0)


def test_xsa_352_only_domain_0_gives_nodes_away(dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    guest(6)
    tx = five.begin()
    assert five.chmod(HOME, "n6", tx=tx) == five.chmod(HOME, "n0") == "EPERM"
    assert five.end(tx) == OK
    assert dom0.perms(HOME) == ["n5"]


def test_xsa_353_the_root_is_checked_like_any_node(dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    assert five.chmod("/", "n5") == five.rm("/") == five.ls("/") == five.perms("/") == five.write("/") == "EACCES"
    assert dom0.perms("/") == ["n0"]


@pytest.mark.parametrize("inside", [True, False])
def test_xsa_414_415_and_421_all_or_nothing(engine: Engine, dom0: RawClient, guest: Guest, inside: bool) -> None:
    five = guest(5)
    domain = engine.domains.find(5)
    assert domain
    tx = five.begin() if inside else 0
    assert five.write("good", b"x", tx) == OK
    assert five.write("a/b/c", bytes(3000), tx) == "ENOSPC"
    assert five.read("a", tx) == five.read("a/b", tx) == "ENOENT"
    if inside:
        assert five.end(tx) == "ENOMEM"
    assert five.ls(HOME) == ([] if inside else ["good"])
    assert domain.usage.nodes == (1 if inside else 2)
    tx = five.begin()
    for path in ("x/y/z", "x/y"):
        five.write(path, b"", tx)
    five.rm("x", tx)
    assert five.end(tx) == OK
    assert domain.usage.nodes == (1 if inside else 2)


def test_xsa_415_a_quota_at_the_end(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    opened = [five.begin(), five.begin()]
    for which, tx in enumerate(opened):
        for number in range(600):
            assert five.mkdir(f"{which}/{number % 2}/{number}", tx) == OK
    assert [five.end(tx) for tx in opened] == [OK, "ENOSPC"]
    domain = engine.domains.find(5)
    assert domain and domain.usage.nodes == 604
    assert five.ls(HOME) == ["0"]


def test_xsa_417_a_permission_for_nobody_is_void_for_ever() -> None:
    living = {5}
    engine = Engine(exists=living.__contains__)
    dom0 = RawClient(engine)
    dom0.write("/a")
    assert dom0.chmod("/a", "n0", "r6") == OK
    assert dom0.perms("/a") == ["n0", "r6"]
    dom0.mkdir("/a/b")
    living.add(6)
    six = RawClient(engine, 6)
    assert six.read("/a") == six.read("/a/b") == "EACCES"
    again = Engine(exists=living.__contains__)
    again.restore(engine.records())
    assert RawClient(again, 6).read("/a") == "EACCES"


def test_xsa_418_depth_costs_no_stack(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    deep = "/x" * 1000
    assert dom0.mkdir(deep) == OK
    assert len(list(engine.tree.walk())) == 1003
    dom0.chmod("/x", "n5")
    tx = dom0.begin()
    dom0.rm("/x/x", tx)
    dom0.mkdir(deep, tx)
    assert dom0.end(tx) == dom0.rm("/x/x") == dom0.mkdir(deep) == OK
    engine.release(5)
    assert dom0.ls("/") == ["tool"]


def test_xsa_419_the_dead_s_nodes_go_wherever_they_are(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    guest(5)
    dom0.mkdir("/elsewhere/a")
    dom0.chmod("/elsewhere", "n0", "b5")
    RawClient(engine, 5).write("/elsewhere/a/b/c")
    dom0.chmod("/elsewhere/a", "n5", "b0")
    engine.release(5)
    assert dom0.ls("/elsewhere") == []


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 0xFFFFFFF0, 4097])
def test_xsa_420_lengths_are_unsigned(engine: Engine, dom0: RawClient, length: int) -> None:
    bad = RawClient(engine)
    bad.connection.feed(wire.HEADER.pack(wire.WRITE, 1, 0, length))
    assert bad.connection.closed
    assert dom0.ls("/") == ["tool"]


def test_xsa_481_a_folder_s_name_with_a_slash(dom0: RawClient, guest: Guest) -> None:
    for client in (dom0, guest(5)):
        assert client.read("/local/domain/") == client.watch("/local/domain/") == "EINVAL"


def test_xsa_483_a_new_domain_starts_with_nothing(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    for number in range(900):
        five.mkdir(f"{number}")
    dom0.rm(HOME)
    guest(5)
    engine.release(5)
    five = guest(5)
    domain = engine.domains.find(5)
    assert domain and domain.usage.nodes == 1
    assert {five.mkdir(f"{number}") for number in range(150)} == {OK}


def test_xsa_484_a_reset_inside_a_transaction(guest: Guest) -> None:
    five = guest(5)
    tx = five.begin()
    five.write("x", b"", tx)
    assert five.raw(wire.RESET_WATCHES, b"\0", tx) == OK
    assert five.read("x", tx) == "ENOENT"
    assert five.write("x") == OK


def test_xsa_416_nothing_is_kept_for_each_reply_that_waits(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    domain = engine.domains.find(5)
    assert domain
    request = wire.pack(wire.READ, 1, 0, b"x\0")
    five.connection.feed(request * 5000)
    assert domain.outstanding <= 20 and five.connection.blocked
    while five.connection.pending:
        five.connection.take()
    assert (domain.outstanding, domain.buffers) == (0, 0)
