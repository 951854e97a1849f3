"""Requests on nodes: what each answers, for domain 0 and for a guest."""

from __future__ import annotations

import pytest

from tests.conformance.client import Closed
from tests.conformance.worlds import World
from xenbus import wire

OK = wire.OK


def test_a_new_store(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.perms("/") == ["n0"]
    assert dom0.ls("/") == ["tool"]
    assert dom0.ls("/tool") == ["xenstored"]
    assert dom0.read("/tool") == b""


def test_write_makes_parents(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.write("/a/b/c", b"x\0\xff") == OK
    assert dom0.read("/a/b/c") == b"x\0\xff"
    assert dom0.read("/a/b") == b""
    assert dom0.ls("/a") == ["b"]
    assert dom0.ls("/a/b/c") == []


def test_values_of_any_size(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.write("/a", bytes(4093)) == OK
    assert dom0.read("/a") == bytes(4093)
    assert dom0.write("/a", b"") == OK
    assert dom0.read("/a") == b""


def test_children_are_in_order_of_their_making(world: World) -> None:
    dom0 = world.dom0()
    for name in ("z", "10", "9", "a"):
        dom0.mkdir(f"/top/{name}")
    dom0.rm("/top/10")
    dom0.write("/top/10")
    dom0.write("/top/z", b"again")
    assert dom0.ls("/top") == ["z", "9", "a", "10"]


def test_relative_paths(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    assert dom0.write("name", b"zero") == OK
    assert dom0.read("/local/domain/0/name") == b"zero"
    dom0.mkdir("/local/domain/5")
    dom0.chmod("/local/domain/5", "n5")
    assert guest.write("data/x", b"mine") == OK
    assert dom0.read("/local/domain/5/data/x") == b"mine"
    assert dom0.perms("/local/domain/5/data/x") == ["n5"]


def test_mkdir_and_rm_of_what_is_there_or_not(world: World) -> None:
    dom0 = world.dom0()
    dom0.write("/a/b", b"value")
    assert dom0.mkdir("/a/b") == OK
    assert dom0.read("/a/b") == b"value"
    assert dom0.rm("/a/none") == OK
    assert dom0.rm("/none/none") == "ENOENT"
    assert dom0.rm("/a") == OK
    assert dom0.read("/a/b") == "ENOENT"
    assert dom0.rm("/") == "EINVAL"
    assert dom0.mkdir("/") == OK


@pytest.mark.parametrize(
    "path",
    [
        *("", "//", "/a/", "/a//b", "/a b", "/a+b", "/a\n", "/\xe9", "a//b", "@", "@a", "/@", "@releaseDomain/"),
        *("@releaseDomain", "@releaseDomain/5", "/local/domain/"),
    ],
)
@pytest.mark.parametrize("op", [wire.READ, wire.DIRECTORY, wire.WRITE, wire.MKDIR, wire.RM])
def test_bad_paths(world: World, path: str, op: int) -> None:
    dom0 = world.dom0()
    good = {"/@": "ENOENT" if op in (wire.READ, wire.DIRECTORY) else OK}
    assert dom0.ask(op, path) == good.get(path, "EINVAL")


def test_the_length_of_paths(world: World) -> None:
    guest = world.guest(5)
    for path in ("a" * 2048, "/local/domain/5/" + "a" * 2048, "/" + "a" * 2047):
        assert guest.read(path) == "EACCES"
        assert guest.read(path + "a") == "EINVAL"


@pytest.mark.parametrize("op", [wire.READ, wire.DIRECTORY, wire.MKDIR, wire.GET_PERMS])
@pytest.mark.parametrize("payload", [b"/a", b"/a\0x", b"/a\0\0", b"/a\0/b\0", b""])
def test_one_path_and_nothing_else(world: World, op: int, payload: bytes) -> None:
    reply = world.dom0().raw(op, payload)
    # 4.17 answers with whatever error it met last; its RM even ends the daemon.
    assert reply == "EINVAL" or (world.name == "real" and isinstance(reply, str))


def test_write_needs_a_path(world: World) -> None:
    dom0 = world.dom0()
    assert dom0.raw(wire.WRITE, b"/a") == "EINVAL"
    assert dom0.raw(wire.WRITE, b"/a\0") == OK


@pytest.mark.parametrize("op", [15, 16, 20, 27, 100, 0xFFFF, 0xFFFFFFFF])
def test_unknown_operations(world: World, op: int) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    for client in (dom0, guest):
        assert client.raw(op, b"") == client.raw(op, b"/\0") == "ENOSYS"


def test_a_list_too_long_for_one_packet(world: World) -> None:
    dom0 = world.dom0()
    names = [f"node-{number:04}" for number in range(500)]
    for name in names:
        dom0.mkdir(f"/top/{name}")
    assert dom0.ls("/top") == "E2BIG"
    found, offset = b"", 0
    generation = b""
    while not found.endswith(b"\0\0"):
        reply = dom0.ask(wire.DIRECTORY_PART, "/top", str(offset))
        assert isinstance(reply, bytes)
        generation, _nul, part = reply.partition(b"\0")
        assert int(generation) > 0
        found += part
        offset = len(found)
    assert found[:-2].decode().split("\0") == names
    assert dom0.ask(wire.DIRECTORY_PART, "/top", "99999") == generation + b"\0\0"
    assert dom0.ask(wire.DIRECTORY_PART, "/top") == "EINVAL"
    assert dom0.ask(wire.DIRECTORY_PART, "/none", "0") == "ENOENT"


def test_the_path_of_a_domain(world: World) -> None:
    dom0, guest = world.dom0(), world.guest(5)
    for client in (dom0, guest):
        assert client.ask(wire.GET_DOMAIN_PATH, "77") == b"/local/domain/77\0"
    assert dom0.raw(wire.GET_DOMAIN_PATH, b"7") == "EINVAL"


def test_a_packet_that_is_too_long_ends_the_connection_only(world: World) -> None:
    bad, guest, good = world.dom0(), world.guest(5), world.dom0()
    bad.channel.send(wire.HEADER.pack(wire.READ, 1, 0, 4097) + bytes(100))
    with pytest.raises(Closed):
        bad.channel.receive()
    guest.channel.send(wire.HEADER.pack(wire.READ, 1, 0, 0xFFFFFFFF))
    with pytest.raises(Closed):
        guest.channel.receive()
    assert good.read("/") == b""
    assert good.ask(wire.IS_DOMAIN_INTRODUCED, "5") == b"T\0"


def test_packets_in_pieces(world: World) -> None:
    for client in (world.dom0(), world.guest(5)):
        packet = wire.pack(wire.GET_DOMAIN_PATH, 7, 0, b"9\0")
        for number in range(len(packet)):
            client.channel.send(packet[number : number + 1])
        assert client.reply(wire.GET_DOMAIN_PATH, 7, 0) == b"/local/domain/9\0"


def test_many_requests_at_once(world: World) -> None:
    for client in (world.dom0(), world.guest(5)):
        packets = [wire.pack(wire.GET_DOMAIN_PATH, number, 0, b"9\0") for number in range(1, 300)]
        client.channel.send(b"".join(packets[:30]))
        for number in range(1, 31):
            assert client.reply(wire.GET_DOMAIN_PATH, number, 0) == b"/local/domain/9\0"


def test_deep_trees(world: World) -> None:
    dom0 = world.dom0()
    path = "/top" + "/d" * 1000
    assert dom0.write(path, b"x") == OK
    assert dom0.read(path) == b"x"
    assert dom0.rm("/top/d") == OK
    assert dom0.ls("/top") == []
