from __future__ import annotations

import pytest

from xenbus import request as ask
from xenbus import wire
from xenbus.errors import InvalidPath, InvalidValue
from xenbus.perm import Perm


@pytest.mark.parametrize(
    ("request_", "op", "payload"),
    [
        (ask.Read("/a"), 2, b"/a\0"),
        (ask.List("/a"), 1, b"/a\0"),
        (ask.ListPart("/a", 12), 22, b"/a\x0012\0"),
        (ask.Write("/a"), 11, b"/a\0"),
        (ask.Write("/a", "\u00e4"), 11, b"/a\0\xc3\xa4"),
        (ask.Write("a", b"\0\n\xff"), 11, b"a\0\0\n\xff"),
        (ask.Mkdir("/a"), 12, b"/a\0"),
        (ask.Remove("/a"), 13, b"/a\0"),
        (ask.GetPerms("@releaseDomain"), 3, b"@releaseDomain\0"),
        (ask.SetPerms("/a", [Perm(0), Perm(5, True)]), 14, b"/a\0n0\0r5\0"),
        (ask.Watch("@introduceDomain", "t"), 4, b"@introduceDomain\0t\0"),
        (ask.Watch("/a", "t", 0), 4, b"/a\0t\x000\0"),
        (ask.Unwatch("/a", "\udcff"), 5, b"/a\0\xff\0"),
        (ask.Begin(), 6, b"\0"),
        (ask.End(True), 7, b"T\0"),
        (ask.End(False), 7, b"F\0"),
        (ask.Introduce(5, 233473, 1), 8, b"5\x00233473\x001\0"),
        (ask.Release(5), 9, b"5\0"),
        (ask.DomainPath(5), 10, b"5\0"),
        (ask.IsIntroduced(5), 17, b"5\0"),
        (ask.Resume(5), 18, b"5\0"),
        (ask.SetTarget(5, 6), 19, b"5\x006\0"),
        (ask.Control("log", "on"), 0, b"log\0on\0"),
        (ask.GetFeature(), 23, b""),
        (ask.SetFeature(5, 6), 24, b"5\x006\0"),
        (ask.QuotaNames(), 25, b""),
        (ask.SetQuota(5, "nodes", 0), 26, b"5\0nodes\x000\0"),
    ],
    ids=repr,
)
def test_payloads(request_: ask.Request, op: int, payload: bytes) -> None:
    assert (request_.op, request_.payload) == (op, payload)


@pytest.mark.parametrize(
    ("request_", "payload", "value"),
    [
        (ask.Read("/a"), b"\0x\0", b"\0x\0"),
        (ask.Read("/a"), b"", b""),
        (ask.List("/a"), b"", ()),
        (ask.List("/a"), b"10\x009\0", ("10", "9")),
        (ask.ListPart("/a", 0), b"7\0a\0b\0", ("7", b"a\0b\0", False)),
        (ask.ListPart("/a", 0), b"7\0a\0b\0\0", ("7", b"a\0b\0", True)),
        (ask.ListPart("/a", 9), b"7\0\0", ("7", b"", True)),
        (ask.Write("/a"), b"OK\0", None),
        (ask.GetPerms("/a"), b"n0\0b5\0", (Perm(0), Perm(5, True, True))),
        (ask.Begin(), b"12\0", 12),
        (ask.IsIntroduced(1), b"T\0", True),
        (ask.IsIntroduced(1), b"F\0", False),
        (ask.DomainPath(1), b"/local/domain/1\0", "/local/domain/1"),
        (ask.Control("help"), b"text\0", "text"),
        (ask.GetFeature(), b"6\0", 6),
        (ask.QuotaNames(), b"nodes watches\0", ("nodes", "watches")),
    ],
    ids=repr,
)
def test_answers(request_: ask.Request, payload: bytes, value: object) -> None:
    assert request_.decode(payload) == value


@pytest.mark.parametrize(
    ("request_", "payload"),
    [
        (ask.Begin(), b"0\0"),
        (ask.Begin(), b"OK\0"),
        (ask.Begin(), b"4294967296\0"),
        (ask.IsIntroduced(1), b"X\0"),
        (ask.GetFeature(), b"x\0"),
        (ask.GetPerms("/a"), b"\0"),
        (ask.GetPerms("/a"), b"OK\0"),
        (ask.ListPart("/a", 0), b""),
    ],
    ids=repr,
)
def test_senseless_answers(request_: ask.Request, payload: bytes) -> None:
    with pytest.raises(ValueError):
        request_.decode(payload)


def test_refused_arguments() -> None:
    with pytest.raises(InvalidPath):
        ask.Read("/a/")
    with pytest.raises(InvalidPath):
        ask.Read("@releaseDomain")
    with pytest.raises(InvalidValue, match="token"):
        ask.Watch("/a", "t\0u")
    with pytest.raises(InvalidValue, match="NUL"):
        ask.Control("log\0x")
    with pytest.raises(InvalidValue, match="owner"):
        ask.SetPerms("/a", [])
    with pytest.raises(InvalidValue, match="write /a: 4097 bytes"):
        ask.Write("/a", bytes(4094))
    assert len(ask.Write("/a", bytes(4093)).payload) == wire.PAYLOAD_MAX


def test_equal_if_the_bytes_are() -> None:
    assert ask.Write("/a", "x") == ask.Write("/a", b"x") != ask.Write("/a", "y")
    assert ask.Read("/a") != ask.List("/a")
    assert len({ask.Mkdir("/a"), ask.Mkdir("/a"), ask.Remove("/a")}) == 2
    assert repr(ask.Write("/a", "x")) == "Write('/a', b'x')"
    assert repr(ask.Introduce(1, 2, 3)) == "Introduce('1', '2', '3')"


def test_arguments_can_be_read_back() -> None:
    assert ask.Write("/a", b"x\0y").value == b"x\0y"
    assert ask.SetPerms("/a", [Perm(0), Perm(1, True)]).perms == (Perm(0), Perm(1, True))
