from __future__ import annotations

import pytest

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Guest
from xenbus import wire
from xenbus.server.engine import Engine

OK = wire.OK


def test_values_are_bytes(dom0: RawClient) -> None:
    value = bytes(range(256)) * 8
    assert dom0.write("/a/b", value) == OK
    assert dom0.read("/a/b") == value
    assert dom0.read("/a") == b""
    assert dom0.raw(wire.WRITE, b"/a") == "EINVAL"


def test_order_of_children(dom0: RawClient) -> None:
    for name in ("10", "9", "b"):
        dom0.mkdir(f"/a/{name}")
    dom0.rm("/a/9")
    dom0.mkdir("/a/9")
    assert dom0.ls("/a") == ["10", "b", "9"]
    assert dom0.ls("/") == ["tool", "a"]


def test_making_and_removing(dom0: RawClient) -> None:
    dom0.write("/a", b"x")
    assert dom0.mkdir("/a") == OK
    assert dom0.read("/a") == b"x"
    assert dom0.rm("/none") == OK
    assert dom0.rm("/none/none") == "ENOENT"
    assert dom0.rm("/") == "EINVAL"
    dom0.mkdir("/a/b/c")
    assert dom0.rm("/a") == OK
    assert dom0.read("/a/b/c") == dom0.ls("/a") == dom0.perms("/a") == "ENOENT"


def test_relative_paths(dom0: RawClient, guest: Guest) -> None:
    dom0.write("x", b"0")
    guest(5).write("x", b"5")
    assert dom0.read("/local/domain/0/x") == b"0"
    assert dom0.read("/local/domain/5/x") == b"5"


def parts(client: RawClient, path: str) -> tuple[set[bytes], list[str]]:
    """Generations and names of a listing in parts."""
    generations, names = set(), b""
    while not names.endswith(b"\0\0"):
        reply = client.ask(wire.DIRECTORY_PART, path, str(len(names)))
        assert isinstance(reply, bytes) and len(reply) <= wire.PAYLOAD_MAX
        generation, _nul, some = reply.partition(b"\0")
        generations.add(generation)
        names += some
    return generations, wire.split_strings(names[:-1])


def test_long_listings_come_in_parts(dom0: RawClient) -> None:
    expected = [f"child-{number}" for number in range(1500)]
    for name in expected:
        dom0.mkdir(f"/a/{name}")
    assert dom0.ls("/a") == "E2BIG"
    generations, names = parts(dom0, "/a")
    assert len(generations) == 1
    assert names == expected
    dom0.mkdir("/a/more")
    assert parts(dom0, "/a")[0] != generations


def test_parts_of_little(dom0: RawClient) -> None:
    dom0.mkdir("/a")
    reply = dom0.ask(wire.DIRECTORY_PART, "/a", "0")
    assert isinstance(reply, bytes) and reply.endswith(b"\0\0")
    assert dom0.ask(wire.DIRECTORY_PART, "/a", "99") == dom0.ask(wire.DIRECTORY_PART, "/a", "-1") == reply
    assert dom0.ask(wire.DIRECTORY_PART, "/a") == "EINVAL"
    assert dom0.ask(wire.DIRECTORY_PART, "/none", "0") == "ENOENT"


def test_a_name_that_no_part_can_hold(dom0: RawClient) -> None:
    """Two of the longest names together are too many, each alone is not."""
    for letter in "ab":
        assert dom0.mkdir("/" + letter * 2047) == OK
    assert parts(dom0, "/")[1] == ["tool", "a" * 2047, "b" * 2047]


def test_guests_need_rights(dom0: RawClient, guest: Guest) -> None:
    five, six = guest(5), guest(6)
    five.write("x", b"5")
    path = "/local/domain/5/x"
    assert six.read(path) == six.write(path) == six.rm(path) == six.mkdir(path) == six.perms(path) == "EACCES"
    five.chmod("x", "n5", "r6")
    assert six.read(path) == b"5"
    assert six.write(path) == six.mkdir(f"{path}/y") == six.chmod(path, "n5") == "EACCES"
    dom0.chmod(path, "n5", "b6")
    assert six.write(path, b"6") == six.mkdir(f"{path}/y/z") == OK
    assert dom0.perms(f"{path}/y") == ["n6", "b6"]


def test_what_is_missing_is_told_to_whom_may_know(guest: Guest) -> None:
    five = guest(5)
    assert five.read("none") == five.ls("none/none") == "ENOENT"
    assert five.read("/none") == five.rm("/none") == five.read("/local/domain/6/x") == "EACCES"


def test_only_domain_0_gives_nodes_away(dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    five.write("x")
    assert five.chmod("x", "n6") == five.chmod("x", "n0") == "EPERM"
    assert dom0.chmod("/local/domain/5/x", "n6", "r5") == OK
    assert five.chmod("x", "n5") == "EACCES"


@pytest.mark.parametrize("perms", [(), ("",), ("x5",), ("n",)])
def test_malformed_permissions(dom0: RawClient, perms: tuple[str, ...]) -> None:
    dom0.write("/a")
    assert dom0.chmod("/a", *perms) == "EINVAL"
    assert dom0.raw(wire.SET_PERMS, b"") == "EINVAL"


def test_special_nodes_have_permissions_only(dom0: RawClient, guest: Guest) -> None:
    assert dom0.perms("@releaseDomain") == ["n0", "r32757"]
    assert dom0.perms("@introduceDomain") == ["n0"]
    assert dom0.chmod("@introduceDomain", "n0", "r5") == OK
    assert guest(5).perms("@introduceDomain") == ["n0", "r5"]
    assert dom0.perms("@none") == dom0.chmod("@none", "n0") == "EINVAL"
    assert dom0.read("@releaseDomain") == dom0.write("@releaseDomain") == dom0.rm("@releaseDomain") == "EINVAL"


def test_quota_of_nodes(engine: Engine, guest: Guest) -> None:
    five = guest(5)
    replies = [five.mkdir(f"{number % 10}/{number}") for number in range(1100)]
    assert replies.count(OK) == 1000 - 1 - 10
    assert set(replies[replies.count(OK) :]) == {"ENOSPC"}
    assert five.mkdir("0/a/b") == "ENOSPC"
    assert five.read("0/a") == "ENOENT", "it is made as a whole or not at all"
    five.rm("0")
    assert five.mkdir("0/a/b") == OK
    assert engine.domains.find(5).usage.nodes <= 1000  # type: ignore[union-attr]


def test_quota_of_a_node(guest: Guest) -> None:
    five = guest(5)
    assert five.write("x", bytes(2015)) == OK
    assert five.write("x", bytes(2016)) == five.write("y", bytes(2016)) == "ENOSPC"
    assert five.read("x") == bytes(2015)
    assert five.mkdir("x/y") == "ENOSPC", "names of children count"
    assert five.chmod("x", "n5", "r0") == "ENOSPC", "permissions count"
    assert five.read("y") == "ENOENT"


def test_quota_of_permissions(dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    five.write("x")
    assert five.chmod("x", *["n5"] * 5) == OK
    assert five.chmod("x", *["n5"] * 6) == "ENOSPC"
    assert dom0.chmod("/local/domain/5/x", *["n5"] * 6) == OK


def test_limits_of_paths(dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    longest = "a" * 2048
    assert dom0.read(longest) == five.read(longest) == five.read(f"/local/domain/5/{longest}") == "ENOENT"
    assert dom0.read(longest + "a") == five.read(longest + "a") == dom0.read("/" + longest) == "EINVAL"


def test_quota_of_memory(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    dom0.ask(wire.SET_QUOTA, "5", "memory", "5000")
    assert five.write("x", bytes(2000)) == OK
    assert five.write("x/y/z", bytes(2000)) == OK
    assert five.write("big", bytes(1000)) == five.write("x/y", bytes(1000)) == "ENOMEM"
    assert five.rm("x") == five.write("big", bytes(1000)) == OK
