"""Permissions, quotas and what only domain 0 may do."""

from __future__ import annotations

import pytest

from tests.conformance.client import Client
from tests.conformance.worlds import World
from xenbus import wire

OK = wire.OK


def home(world: World, domid: int = 5) -> Client:
    """A guest with a folder of its own."""
    dom0, guest = world.dom0(), world.guest(domid)
    dom0.mkdir(f"/local/domain/{domid}")
    assert dom0.chmod(f"/local/domain/{domid}", f"n{domid}") == OK
    return guest


def test_a_guest_sees_nothing_at_first(world: World) -> None:
    guest = world.guest(5)
    assert guest.read("/") == guest.ls("/") == guest.perms("/") == "EACCES"
    assert guest.read("/none") == guest.write("/none") == guest.rm("/none/none") == "EACCES"
    assert guest.rm("/") == "EACCES"
    assert guest.chmod("/", "n5") == "EACCES"


@pytest.mark.parametrize(
    ("perms", "read", "write"),
    [
        (("n0",), "EACCES", "EACCES"),
        (("r0",), b"x", "EACCES"),
        (("w0",), "EACCES", OK),
        (("b0",), b"x", OK),
        (("n0", "r5"), b"x", "EACCES"),
        (("n0", "w5"), "EACCES", OK),
        (("b0", "n5"), "EACCES", "EACCES"),
        (("n0", "r6", "b5"), b"x", OK),
        (("n0", "r5", "b5"), b"x", "EACCES"),
        (("n5",), b"x", OK),
        (("n6",), "EACCES", "EACCES"),
        (("r6",), b"x", "EACCES"),
        (("r6", "n5"), "EACCES", "EACCES"),
    ],
)
def test_who_may_what(world: World, perms: tuple[str, ...], read: str | bytes, write: str | bytes) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    world.guest(6)
    dom0.write("/node", b"x")
    assert dom0.chmod("/node", *perms) == OK
    assert dom0.perms("/node") == list(perms)
    assert guest.read("/node") == read
    assert guest.write("/node", b"y") == write
    assert guest.mkdir("/node/child") == write


def test_children_inherit(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    world.guest(6)
    dom0.mkdir("/top")
    dom0.chmod("/top", "r0", "b5", "w6")
    dom0.mkdir("/top/a/b")
    guest.mkdir("/top/c/d")
    assert dom0.perms("/top/a") == dom0.perms("/top/a/b") == ["r0", "b5", "w6"]
    assert dom0.perms("/top/c") == dom0.perms("/top/c/d") == ["r5", "b5", "w6"]


def test_missing_nodes_are_told_to_whom_may_know(world: World) -> None:
    guest = home(world)
    assert guest.read("none") == guest.ls("none/none") == guest.perms("none") == "ENOENT"
    assert guest.rm("none") == OK
    assert guest.rm("none/none") == "ENOENT"
    assert guest.read("/local/domain/6") == "EACCES"


def test_only_the_owner_sets_permissions(world: World) -> None:
    dom0, guest = world.dom0(), home(world)
    world.guest(6)
    dom0.write("/other")
    dom0.chmod("/other", "n0", "b5")
    assert guest.chmod("/other", "n0", "b5") == "EACCES"
    assert guest.write("mine") == OK
    assert guest.chmod("mine", "n5", "r6") == OK
    assert guest.chmod("mine", "n6") == "EPERM"
    assert guest.chmod("mine", "n0") == "EPERM"
    assert dom0.chmod("/local/domain/5/mine", "n6", "r5") == OK
    assert guest.chmod("mine", "n5") == "EACCES"


@pytest.mark.parametrize("perm", ["", "r", "5", "x5", "r5x", "rr5"])
def test_bad_permissions(world: World, perm: str) -> None:
    dom0 = world.dom0()
    dom0.write("/a")
    assert dom0.chmod("/a", perm) == "EINVAL"


def test_permissions_of_domains_that_do_not_exist(world: World) -> None:
    dom0 = world.dom0()
    dom0.write("/a")
    assert dom0.chmod("/a", "n77") == "ENOENT"
    assert dom0.chmod("/a", "n0", "r77") == OK
    guest = world.guest(77)
    assert guest.read("/a") == "EACCES"
    assert dom0.chmod("/a", "n0", "r77") == OK
    assert guest.read("/a") == b""


def test_set_permissions_of_nothing(world: World) -> None:
    dom0 = world.dom0()
    dom0.write("/a")
    assert dom0.ask(wire.SET_PERMS, "/a") == "EINVAL"
    assert dom0.ask(wire.SET_PERMS, "/none", "n0") == "ENOENT"


@pytest.mark.parametrize(
    ("op", "parts"),
    [
        (wire.INTRODUCE, ("6", "1", "3")),
        (wire.RELEASE, ("5",)),
        (wire.RESUME, ("5",)),
        (wire.SET_TARGET, ("5", "6")),
        (wire.IS_DOMAIN_INTRODUCED, ("5",)),
        (wire.CONTROL, ("print", "x")),
    ],
)
def test_what_guests_may_not(world: World, op: int, parts: tuple[str, ...]) -> None:
    assert world.guest(5).ask(op, *parts) == "EACCES"


def test_a_target_is_as_good_as_oneself(world: World) -> None:
    home(world, 5)
    dom0, model = world.dom0(), world.guest(6)
    assert model.write("/local/domain/5/x") == "EACCES"
    assert dom0.ask(wire.SET_TARGET, "6", "5") == OK
    assert model.write("/local/domain/5/x") == OK
    assert dom0.perms("/local/domain/5/x") == ["n6"]
    assert dom0.ask(wire.SET_TARGET, "6", "99") == "ENOENT"
    assert dom0.ask(wire.SET_TARGET, "99", "5") == "ENOENT"


def test_quota_of_nodes(world: World) -> None:
    dom0, guest = world.dom0(), home(world)
    replies = [guest.mkdir(f"{group}/{number}") for group in range(10) for number in range(110)]
    assert replies.count(OK) == replies.index("ENOSPC")
    assert set(replies[replies.index("ENOSPC") :]) == {"ENOSPC"}
    assert 950 < replies.count(OK) < 1000
    assert dom0.mkdir("/local/domain/5/more") == OK
    assert guest.rm("0") == OK
    assert guest.mkdir("0/0") == OK


def test_quota_of_a_node(world: World) -> None:
    guest = home(world)
    sizes = [size for size in range(1990, 2060) if guest.write("x", bytes(size)) == OK]
    assert sizes == [*range(1990, 2016)]
    assert guest.write("y", bytes(3000)) == "ENOSPC"
    assert guest.read("y") == "ENOENT"


def test_quota_of_permissions(world: World) -> None:
    dom0, guest = world.dom0(), home(world)
    assert guest.chmod("", "n5") == "EINVAL"
    guest.write("x")
    assert guest.chmod("x", *["n5"] * 5) == OK
    assert guest.chmod("x", *["n5"] * 6) == "ENOSPC"
    assert dom0.chmod("/local/domain/5/x", *["n5"] * 6) == OK


def test_quota_of_watches(world: World) -> None:
    guest = world.guest(5)
    replies = [guest.watch("x", str(number)) for number in range(140)]
    assert replies == [OK] * 129 + ["E2BIG"] * 11
    guest.take_events()
    assert guest.raw(wire.RESET_WATCHES, b"\0") == OK
    assert guest.watch("x", "again") == OK


def test_quota_of_transactions(world: World) -> None:
    guest = world.guest(5)
    replies = [guest.raw(wire.TRANSACTION_START, b"\0") for _number in range(12)]
    assert sum(isinstance(reply, bytes) for reply in replies) == 11
    assert set(replies[11:]) == {"ENOSPC"}
    assert guest.raw(wire.RESET_WATCHES, b"\0") == OK
    guest.start()
