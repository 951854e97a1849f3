"""Domains in the store: introduced, released, dead, and come again."""

from __future__ import annotations

import random

import pytest

from tests.conformance.client import Event
from tests.conformance.worlds import World
from xenbus import wire
from xenbus.server.ring import GuestEnd

OK = wire.OK


def test_introduced_or_not(world: World) -> None:
    dom0 = world.dom0()
    known = lambda domid: dom0.ask(wire.IS_DOMAIN_INTRODUCED, str(domid))  # noqa: E731
    assert (known(0), known(5)) == (b"T\0", b"F\0")
    world.guest(5)
    assert known(5) == b"T\0"
    assert dom0.ask(wire.RELEASE, "5") == OK
    assert known(5) == b"F\0"
    assert dom0.ask(wire.RELEASE, "5") == "ENOENT"


def test_special_events(world: World) -> None:
    dom0 = world.dom0()
    dom0.watch("@introduceDomain", "i")
    dom0.watch("@releaseDomain", "r")
    assert sorted(dom0.take_events()) == [(b"@introduceDomain", b"i"), (b"@releaseDomain", b"r")]
    world.guest(5)
    assert dom0.take_events() == [(b"@introduceDomain", b"i")]
    world.guest(5)
    assert dom0.take_events() == []
    world.destroy(5)
    assert dom0.take_events() == [(b"@releaseDomain", b"r")]


def test_a_shutdown_is_told_once_until_the_domain_is_resumed(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    dom0.watch("@releaseDomain", "r")
    dom0.take_events()

    def told() -> int:
        events: list[Event] = []
        for _turn in range(200):  # The daemon looks at its event channel when it likes to.
            events += dom0.take_events()
        assert set(events) <= {(b"@releaseDomain", b"r")}
        return len(events)

    world.shut_down(5)
    assert told() == 1
    world.shut_down(5)
    assert told() == 0
    assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, "5") == b"T\0"
    assert guest.ask(wire.GET_DOMAIN_PATH, "5") == b"/local/domain/5\0"
    assert dom0.ask(wire.RESUME, "5") == OK
    world.shut_down(5)
    assert told() == 1


def test_guests_do_not_learn_of_others(world: World) -> None:
    guest = world.guest(5)
    assert guest.watch("@introduceDomain", "i") == OK
    guest.take_events()
    world.guest(6)
    assert guest.take_events() == []


@pytest.mark.parametrize(
    ("op", "parts"),
    [
        (wire.INTRODUCE, ("5", "1")),
        (wire.INTRODUCE, ("5", "1", "0")),
        (wire.RELEASE, ("0",)),
        (wire.SET_TARGET, ("5",)),
    ],
)
def test_malformed(world: World, op: int, parts: tuple[str, ...]) -> None:
    world.create(5)
    assert world.dom0().ask(op, *parts) == "EINVAL"


def test_a_domain_that_does_not_exist(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.ask(wire.RESUME, "77") == "ENOENT"
    assert dom0.ask(wire.RELEASE, "77") == "ENOENT"


def test_the_dead_leave_nothing(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    dom0.mkdir("/local/domain/5/data")
    dom0.chmod("/local/domain/5/data", "n5")
    dom0.mkdir("/elsewhere")
    dom0.chmod("/elsewhere", "n0", "b5")
    guest.write("/elsewhere/mine", b"x")
    guest.write("data/x/y", b"z")
    world.destroy(5)
    assert dom0.ls("/local/domain/5") == []
    assert dom0.ls("/elsewhere") == []
    assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, "5") == b"F\0"


def test_a_new_domain_inherits_no_right(world: World) -> None:
    dom0 = world.dom0()
    world.guest(5)
    dom0.write("/secret", b"x")
    dom0.chmod("/secret", "n0", "b5")
    dom0.write("/secret/of", b"x")
    dom0.chmod("/secret/of", "n0", "b5")
    dom0.write("/last")  # 4.17 believes the permissions of the last node that was written before
    world.destroy(5)
    again = world.guest(5)
    assert again.read("/secret") == again.write("/secret/of") == "EACCES"


def test_reintroduction_forgets_watches_and_transactions(world: World) -> None:
    guest = world.guest(5)
    guest.watch("x", "t")
    tx = guest.start()
    again = world.guest(5)
    assert again.end(tx) == "ENOENT"
    assert again.watch("x", "t") == OK


def test_a_dead_domain_s_nodes_count_no_more(world: World) -> None:
    dom0 = world.dom0()
    for _life in range(3):
        guest = world.guest(5)
        dom0.mkdir("/local/domain/5")
        dom0.chmod("/local/domain/5", "n5")
        assert {guest.mkdir(f"{group}/{n}") for group in range(9) for n in range(100)} == {OK}
        world.destroy(5)


def test_control(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.ask(wire.CONTROL, "none") == "EINVAL"
    assert dom0.ask(wire.CONTROL, "print", "text") == OK
    assert isinstance(dom0.ask(wire.CONTROL, "help"), bytes)


def test_what_domain_0_uses(world: World) -> None:
    dom0 = world.dom0()

    def used() -> list[int]:
        reply = dom0.ask(wire.CONTROL, "quota", "0")
        assert isinstance(reply, bytes)
        found = dict(line.split(b":") for line in reply.splitlines()[1:] if b":" in line)
        return [int(value) for name, value in found.items() if name.split()[0] in (b"nodes", b"memory")]

    before = used()
    dom0.write("/some/where", b"a value")
    assert [after - now for after, now in zip(used(), before, strict=True)] == [2, 98]
    dom0.rm("/some")
    assert used() == before


@pytest.mark.parametrize("word", [2052, 2056])
def test_a_guest_that_breaks_its_ring_is_ignored_not_forgotten(world: World, word: int) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    dom0.watch("@releaseDomain", "r")
    dom0.take_events()
    guest.watch("x", "t")
    page = world.page(5)
    GuestEnd(page).send(wire.pack(wire.READ, 1, 0, b"x\0"))
    page[word : word + 4] = b"\x00\x00\x00\x70"
    world.notify(5)
    for _turn in range(1000):
        if page[2072]:
            break
        dom0.read("/")
    assert page[2072] == 2
    assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, "5") == b"T\0"
    assert dom0.write("/local/domain/5/x") == OK
    world.destroy(5)
    assert dom0.take_events() == [(b"@releaseDomain", b"r")]


def test_a_guest_that_does_not_read_is_not_read_from_for_ever(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    packet = wire.pack(wire.GET_DOMAIN_PATH, 1, 0, b"5\0")
    taken = 0
    for _turn in range(300):
        taken += GuestEnd(world.page(5)).send(packet)
        world.notify(5)
        dom0.read("/")
    assert 20 < taken // len(packet) < 300
    assert guest.reply(wire.GET_DOMAIN_PATH, 1, 0) == b"/local/domain/5\0"


def test_bytes_of_any_kind(world: World) -> None:
    """Nothing that clients send makes the server hang or die."""
    dice = random.Random(3)
    good = world.dom0()
    for _turn in range(60):
        for client in (world.dom0(), world.guest(5)):
            op, tx, size = (
                dice.choice((dice.randrange(30), dice.getrandbits(32))),
                dice.randrange(3),
                dice.randrange(60),
            )
            if op == wire.RM:
                continue  # A malformed one ends 4.17.
            payload = bytes(dice.choice(b"/\x00ab@059nr\xff") for _byte in range(size))
            client.channel.send(wire.HEADER.pack(op, 1, tx, size) + payload)
    assert good.read("/") == b""
