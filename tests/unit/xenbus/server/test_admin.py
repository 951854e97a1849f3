from __future__ import annotations

import pytest

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Guest
from xenbus import wire
from xenbus.server.engine import Engine

OK = wire.OK


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (wire.INTRODUCE, ("6", "1", "3")),
        (wire.RELEASE, ("6",)),
        (wire.RESUME, ("5",)),
        (wire.SET_TARGET, ("5", "0")),
        (wire.IS_DOMAIN_INTRODUCED, ("5",)),
        (wire.CONTROL, ("help",)),
        (wire.SET_FEATURE, ("6", "0")),
        (wire.GET_FEATURE, ("5",)),
        (wire.GET_QUOTA, ()),
        (wire.SET_QUOTA, ("nodes", "0")),
    ],
)
def test_what_guests_may_not(guest: Guest, op: int, words: tuple[str, ...]) -> None:
    assert guest(5).ask(op, *words) == "EACCES"


@pytest.mark.parametrize("words", [("5",), ("5", "1"), ("5", "1", "0"), ("5", "1", "-1"), ("x", "1", "1")])
def test_malformed_introductions(dom0: RawClient, words: tuple[str, ...]) -> None:
    assert dom0.ask(wire.INTRODUCE, *words) == "EINVAL"


def test_release_and_resume(engine: Engine, dom0: RawClient) -> None:
    for op in (wire.RELEASE, wire.RESUME):
        assert dom0.ask(op, "0") == dom0.ask(op, "x") == dom0.ask(op) == "EINVAL"
        assert dom0.ask(op, "5") == "ENOENT"
    dom0.ask(wire.INTRODUCE, "5", "1", "1")
    assert dom0.ask(wire.RESUME, "5") == dom0.ask(wire.RELEASE, "5") == OK
    assert dom0.ask(wire.RELEASE, "5") == "ENOENT"


def test_domains(dom0: RawClient, guest: Guest) -> None:
    five = guest(5)
    assert dom0.ask(wire.GET_DOMAIN_PATH, "77") == five.ask(wire.GET_DOMAIN_PATH, "77") == b"/local/domain/77\0"
    assert dom0.ask(wire.GET_DOMAIN_PATH, "x") == dom0.ask(wire.IS_DOMAIN_INTRODUCED, "65536") == "EINVAL"
    for domid, known in (("0", b"T\0"), ("5", b"T\0"), ("6", b"F\0"), ("32752", b"T\0")):
        assert dom0.ask(wire.IS_DOMAIN_INTRODUCED, domid) == known


def test_targets(engine: Engine, dom0: RawClient, guest: Guest) -> None:
    guest(5)
    model = guest(6)
    path = "/local/domain/5/x"
    assert dom0.ask(wire.SET_TARGET, "6", "7") == dom0.ask(wire.SET_TARGET, "7", "6") == "ENOENT"
    assert dom0.ask(wire.SET_TARGET, "6") == "EINVAL"
    assert model.write(path) == "EACCES"
    assert dom0.ask(wire.SET_TARGET, "6", "5") == OK
    assert model.write(path) == OK
    assert dom0.perms(path) == ["n6"]
    engine.release(5)
    guest(5)
    assert model.write(path) == "EACCES", "a later domain of that id is another one"


def test_features(dom0: RawClient, guest: Guest) -> None:
    assert dom0.raw(wire.GET_FEATURE, b"") == guest(5).raw(wire.GET_FEATURE, b"") == b"14\0"
    assert dom0.ask(wire.SET_FEATURE, "6", "4") == OK
    assert dom0.ask(wire.GET_FEATURE, "6") == b"4\0"
    assert dom0.ask(wire.SET_FEATURE, "6", "1") == dom0.ask(wire.SET_FEATURE, "6") == "EINVAL"
    assert dom0.ask(wire.SET_FEATURE, "5", "4") == "EBUSY"
    assert dom0.ask(wire.SET_FEATURE, "32752", "4") == dom0.ask(wire.GET_FEATURE, "32752") == "ENOENT"
    assert dom0.ask(wire.GET_FEATURE, "1", "2") == "EINVAL"
    assert guest(6).raw(wire.GET_FEATURE, b"") == b"4\0"


def test_quotas(dom0: RawClient, guest: Guest) -> None:
    names = dom0.raw(wire.GET_QUOTA, b"")
    assert isinstance(names, bytes)
    assert set(names[:-1].split(b" ")) >= {b"nodes", b"memory", b"soft-memory", b"path-max"}
    assert dom0.ask(wire.SET_QUOTA, "5", "nodes", "3") == dom0.ask(wire.SET_QUOTA, "nodes", "2000") == OK
    assert dom0.ask(wire.GET_QUOTA, "nodes") == dom0.ask(wire.GET_QUOTA, "6", "nodes") == b"2000\0"
    assert dom0.ask(wire.GET_QUOTA, "5", "nodes") == b"3\0"
    for words in (("nosuch",), ("5", "nosuch"), ("5", "nodes", "1")):
        assert dom0.ask(wire.GET_QUOTA, *words) == "EINVAL"
    for words in (("nodes", "4294967295"), ("nosuch", "1"), ("nodes",)):
        assert dom0.ask(wire.SET_QUOTA, *words) == "EINVAL"
    assert dom0.ask(wire.SET_QUOTA, "32752", "nodes", "1") == "ENOENT"
    five = guest(5)
    assert [five.mkdir(name) for name in "abc"] == [OK, OK, "ENOSPC"]
    assert dom0.ask(wire.SET_QUOTA, "5", "nodes", "0") == five.mkdir("c") == OK


def test_domid_any_is_a_feature(dom0: RawClient, guest: Guest) -> None:
    dom0.write("/a", b"x")
    assert dom0.chmod("/a", "n0", "r32757") == OK
    assert guest(5).read("/a") == b"x"
    dom0.ask(wire.SET_FEATURE, "6", "4")
    six = guest(6)
    six.write("x", b"y")
    assert six.chmod("x", "n6", "r32757") == OK
    assert dom0.perms("/local/domain/6/x") == ["n6", "r32757"]
    assert guest(5).read("/local/domain/6/x") == "EACCES"
