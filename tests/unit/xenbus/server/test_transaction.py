from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.rawclient import RawClient
from xenbus import wire
from xenbus.server.engine import Engine

OK = wire.OK


@pytest.fixture
def other(engine: Engine) -> RawClient:
    return RawClient(engine)


@pytest.fixture
def tx(dom0: RawClient) -> int:
    for path in ("/a", "/a/b", "/a/b/c", "/d"):
        dom0.write(path, b"0")
    return dom0.begin()


def test_nothing_goes_in_or_out_before_the_end(dom0: RawClient, other: RawClient, tx: int) -> None:
    assert dom0.read("/a", tx) == b"0"
    other.write("/d", b"outside")
    assert dom0.read("/d", tx) == b"outside", "what was not looked at yet is not frozen"
    other.write("/d", b"again")
    assert dom0.read("/d", tx) == b"outside"
    dom0.write("/new/x", b"1", tx)
    assert dom0.ls("/", tx) == ["tool", "a", "d", "new"]
    assert other.read("/new") == "ENOENT"
    assert dom0.end(tx) == "EAGAIN"
    assert other.read("/new") == "ENOENT"


def test_own_changes_are_seen_inside(dom0: RawClient, tx: int) -> None:
    dom0.rm("/a/b", tx)
    assert dom0.read("/a/b/c", tx) == dom0.ls("/a/b", tx) == "ENOENT"
    assert dom0.rm("/a/b/c", tx) == "ENOENT"
    dom0.write("/a/b/d", b"1", tx)
    dom0.chmod("/a/b", "r0", tx=tx)
    assert (dom0.ls("/a/b", tx), dom0.ls("/a", tx), dom0.perms("/a/b", tx)) == (["d"], ["b"], ["r0"])
    assert dom0.end(tx) == OK
    assert (dom0.ls("/a/b"), dom0.perms("/a/b"), dom0.perms("/a/b/d")) == (["d"], ["r0"], ["n0"])


def test_order_of_children(dom0: RawClient, other: RawClient, tx: int) -> None:
    for name in ("10", "9", "b"):
        dom0.write(f"/a/{name}", b"", tx)
    dom0.rm("/a/10", tx)
    dom0.write("/a/10", b"", tx)
    assert dom0.ls("/a", tx) == ["b", "9", "10"]
    assert dom0.end(tx) == OK
    assert dom0.ls("/a") == ["b", "9", "10"]


def test_a_long_listing_inside(dom0: RawClient, tx: int) -> None:
    for number in range(1000):
        dom0.mkdir(f"/d/{number:04}", tx)
    assert dom0.ls("/d", tx) == "E2BIG"
    first, second = (dom0.ask(wire.DIRECTORY_PART, "/d", offset, tx=tx) for offset in ("0", "4000"))
    assert isinstance(first, bytes) and isinstance(second, bytes)
    assert first.partition(b"\0")[0] == second.partition(b"\0")[0]
    dom0.mkdir("/d/more", tx)
    third = dom0.ask(wire.DIRECTORY_PART, "/d", "0", tx=tx)
    assert isinstance(third, bytes) and third.partition(b"\0")[0] != first.partition(b"\0")[0]
    assert dom0.end(tx) == OK


Act = Callable[[RawClient, int], object]


def act(method: str, *arguments: object) -> Act:
    """A request of a client, inside a transaction or outside (0)."""
    return lambda client, tx: getattr(client, method)(*arguments, tx=tx)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (act("read", "/a"), act("write", "/a", b"1")),
        (act("read", "/a"), act("write", "/a", b"0")),
        (act("read", "/a"), act("chmod", "/a", "r0")),
        (act("read", "/none"), act("write", "/none")),
        (act("read", "/none/none"), act("write", "/none/none")),
        (act("ls", "/a"), act("write", "/a/new")),
        (act("ls", "/a"), act("rm", "/a/b")),
        (act("write", "/a", b"1"), act("write", "/a", b"2")),
        (act("write", "/a", b"1"), act("rm", "/a")),
        (act("write", "/a/new", b"1"), act("rm", "/a")),
        (act("write", "/a/new", b"1"), act("write", "/a/new", b"1")),
        (act("write", "/a/new", b"1"), act("chmod", "/a", "r0")),
        (act("write", "/new/x", b"1"), act("write", "/new/y", b"1")),
        (act("mkdir", "/a"), act("rm", "/a")),
        (act("mkdir", "/none"), act("mkdir", "/none")),
        (act("rm", "/a"), act("write", "/a/b/c/new")),
        (act("rm", "/a"), act("write", "/a/b/c", b"1")),
        (act("rm", "/a"), act("rm", "/a/b/c")),
        (act("rm", "/none"), act("write", "/none")),
        (act("chmod", "/a", "r0"), act("chmod", "/a", "n0")),
        (act("perms", "/a"), act("chmod", "/a", "r0")),
    ],
)
def test_conflicts(dom0: RawClient, other: RawClient, tx: int, inside: Act, outside: Act) -> None:
    inside(dom0, tx)
    outside(other, 0)
    before = list(walk(other))
    assert dom0.end(tx) == "EAGAIN"
    assert list(walk(other)) == before


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (act("read", "/a"), act("write", "/d", b"1")),
        (act("read", "/a"), act("write", "/a/new")),
        (act("read", "/a/b"), act("write", "/a", b"1")),
        (act("write", "/a", b"1"), act("write", "/a/b", b"1")),
        (act("write", "/a", b"1"), act("write", "/a/new")),
        (act("write", "/a/new", b"1"), act("write", "/a/other")),
        (act("write", "/a/new", b"1"), act("write", "/a", b"1")),
        (act("write", "/a/new", b"1"), act("rm", "/a/b")),
        (act("rm", "/a/b"), act("write", "/a/other")),
        (act("rm", "/a/b"), act("rm", "/d")),
        (act("chmod", "/a", "r0"), act("write", "/a/other")),
        (act("ls", "/a"), act("write", "/a/b", b"1")),
        (act("ls", "/a"), act("write", "/a/b/new", b"1")),
    ],
)
def test_no_conflicts(dom0: RawClient, other: RawClient, tx: int, inside: Act, outside: Act) -> None:
    inside(dom0, tx)
    outside(other, 0)
    assert dom0.end(tx) == OK


def walk(client: RawClient, path: str = "/") -> list[tuple[str, object, object]]:
    """All nodes."""
    names = client.ls(path)
    assert isinstance(names, list)
    below = [line for name in names for line in walk(client, f"{path.rstrip('/')}/{name}")]
    return [(path, client.read(path), client.perms(path)), *below]


def test_children_of_one_parent_merge(dom0: RawClient, other: RawClient, tx: int) -> None:
    second = other.begin()
    dom0.write("/a/x", b"1", tx)
    other.write("/a/y", b"2", second)
    other.rm("/a/b", second)
    assert dom0.end(tx) == other.end(second) == OK
    assert dom0.ls("/a") == ["x", "y"]


def test_many_guests_are_made_at_once_without_a_conflict(engine: Engine, dom0: RawClient) -> None:
    dom0.mkdir("/local/domain/0/backend/vbd")
    clients = [RawClient(engine) for _number in range(30)]
    opened = [client.begin() for client in clients]
    for domid, (client, tx) in enumerate(zip(clients, opened, strict=True), 1):
        for path in (f"/local/domain/{domid}/device/vbd/1/state", f"/local/domain/0/backend/vbd/{domid}/1/state"):
            assert client.rm(path.rpartition("/")[0].rpartition("/")[0], tx) in (OK, "ENOENT")
            assert client.write(path, b"1", tx) == OK
    assert {client.end(tx) for client, tx in zip(clients, opened, strict=True)} == {OK}


def test_the_changes_of_a_commit_make_the_same_tree_again(engine: Engine, dom0: RawClient, tx: int) -> None:
    told: list[tuple[bytes, bytes | None, bytes]] = list(engine.records())
    engine.on_commit = lambda changes: told.extend(
        (path, node and node.value, node.perms.lasting() if node else b"") for path, node in changes
    )
    dom0.rm("/a/b", tx)
    for path in ("/z/2", "/z/1", "/a/b", "/a/b/x/y", "/a/a"):
        dom0.write(path, path.encode(), tx)
    dom0.rm("/z/2", tx)
    dom0.write("/z/2", b"again", tx)
    dom0.chmod("/d", "r0", tx=tx)
    assert dom0.end(tx) == OK
    dom0.rm("/a/a")
    again = Engine()
    again.restore(told)
    assert list(again.records()) == list(engine.records())
    assert walk(RawClient(again)) == walk(dom0)


def test_a_death_spoils_what_names_the_dead(engine: Engine, dom0: RawClient, tx: int) -> None:
    engine.introduce(5, 1, 1)
    dom0.chmod("/a", "n0", "r5", tx=tx)
    engine.release(5)
    engine.introduce(5, 1, 1)
    assert dom0.end(tx) == "EAGAIN"
