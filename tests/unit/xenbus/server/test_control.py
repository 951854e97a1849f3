from __future__ import annotations

import pytest

from tests.support.rawclient import RawClient
from tests.unit.xenbus.server.conftest import Guest
from xenbus import wire
from xenbus.server.engine import Engine

OK = wire.OK


def text(client: RawClient, *words: str) -> str:
    reply = client.ask(wire.CONTROL, *words)
    assert isinstance(reply, bytes) and reply.endswith(b"\0")
    return reply[:-1].decode()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("",),
        ("nosuch",),
        ("help", "x"),
        ("check", "x"),
        ("print",),
        ("print", "a", "b"),
        ("log", "x"),
        ("quota", "set", "nodes"),
        ("quota", "set", "nodes", "0"),
        ("quota", "set", "nosuch", "1"),
        ("quota", "5", "6"),
        ("quota-soft", "nodes"),
        ("quota-soft", "set", "nodes", "1"),
    ],
)
def test_malformed(dom0: RawClient, words: tuple[str, ...]) -> None:
    assert dom0.ask(wire.CONTROL, *words) == "EINVAL"


def test_help_and_check(dom0: RawClient) -> None:
    assert {line.split()[0] for line in text(dom0, "help").splitlines()} >= {"print", "quota", "log"}
    assert dom0.ask(wire.CONTROL, "check") == OK


def test_print_and_log(engine: Engine, dom0: RawClient) -> None:
    assert dom0.ask(wire.CONTROL, "print", "nobody listens") == OK
    told: list[str] = []
    engine.on_print = told.append
    dom0.ask(wire.CONTROL, "print", b"hello \xff")
    assert told.pop() == r"hello \xff"
    assert "off" in text(dom0, "log")
    dom0.ask(wire.CONTROL, "log", "on")
    assert "on" in text(dom0, "log")
    told.clear()
    dom0.read("/a")
    dom0.ask(wire.CONTROL, "log", "off")
    dom0.read("/b")
    assert told[0] == r"domain 0: READ b'/a\x00'"
    assert len(told) == 2


def test_quotas(dom0: RawClient, guest: Guest) -> None:
    assert dom0.ask(wire.CONTROL, "quota", "set", "nodes", "7") == OK
    assert dom0.ask(wire.CONTROL, "quota-soft", "set", "memory", "8") == OK
    assert "nodes            :        7 " in text(dom0, "quota")
    assert "memory           :        8 " in text(dom0, "quota-soft")
    guest(5).write("x")
    assert "nodes            :        2\n" in text(dom0, "quota", "5")
    assert dom0.ask(wire.CONTROL, "quota", "77") == "ENOENT"


def test_what_domain_0_uses(dom0: RawClient, guest: Guest) -> None:
    """The numbers are those of the C daemon."""
    before = text(dom0, "quota", "0")
    assert "nodes            :        3\n" in before and "memory           :      132\n" in before
    dom0.write("/a/b", b"1")
    after = text(dom0, "quota", "0")
    assert "nodes            :        5\n" in after and "memory           :      207\n" in after
    dom0.ask(wire.RM, "/a")
    assert text(dom0, "quota", "0") == before
