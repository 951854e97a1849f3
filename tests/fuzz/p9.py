"""Shared folders: messages of 9P2000.L for a server on a real folder, which is made anew now and then."""

from __future__ import annotations

import os
import shutil
from random import Random
from struct import pack

from tests.fuzz import scratch
from tests.unit.host.p9.client import TYPES, message
from xenvm.host.p9 import wire
from xenvm.host.p9.server import Server

MSIZE = 4096


class Served:
    """A server that takes everything, answers each message that has a header, and never leaves its folder."""

    def __init__(self) -> None:
        self._home, self._turn = os.path.join(scratch(), "p9"), 0
        self._server: Server | None = None

    def _fresh(self) -> Server:
        if self._server:
            self._server.close()
        shutil.rmtree(self._home, ignore_errors=True)
        os.makedirs(f"{self._home}/top/a/b")
        for path, target in (("top/out", "../beside"), ("top/a/up", "../.."), ("beside", "nowhere")):
            os.symlink(target, f"{self._home}/{path}")
        with open(f"{self._home}/top/f", "wb") as file:
            file.write(b"content" * 100)
        server = Server(f"{self._home}/top", MSIZE, limit=50)
        server.handle(message("attach", 0, wire.NO_FID, b"", b"", os.getuid()))
        return server

    def __call__(self, data: bytes) -> None:
        if self._server is None or self._turn % 500 == 0:
            self._server = self._fresh()
        self._turn += 1
        while len(data) >= wire.HEADER.size:
            size = min(max(int.from_bytes(data[:4], "little"), wire.HEADER.size), MSIZE, len(data))
            request, data = data[:size], data[size:]
            reply = self._server.handle(request)
            assert int.from_bytes(reply[:4], "little") == len(reply) <= MSIZE
        assert sorted(os.listdir(self._home)) == ["beside", "top"] and os.readlink(f"{self._home}/beside") == "nowhere"


_NAMES = (b"a", b"b", b"f", b"up", b"out", b"new", b"..", b".", b"", b"a/b", b"/", b"x\0", b"n" * 300)
_NUMBERS = (0, 0, 1, 1, 2, 3, 4, 7, 0o100, 0o1102, 0o100644, 0o40755, 0x1FF, 4096, 1 << 31, 0xFFFFFFFF)


def messages(dice: Random) -> bytes:
    """Some requests, with names and fids that there may be."""
    return b"".join(_message(dice) for _ in range(dice.randrange(1, 6)))


def _message(dice: Random) -> bytes:
    name = dice.choice([*TYPES, "walk", "walk", "lopen", "attach"])
    values: list[object] = []
    for letter in TYPES[name][1]:
        if letter == "n":
            values.append([dice.choice(_NAMES) for _ in range(dice.randrange(4))])
        elif letter in "sd":
            values.append(dice.choice(_NAMES))
        else:
            most = 1 << {"b": 8, "h": 16, "i": 32, "q": 64}[letter]
            values.append(dice.choice((*_NUMBERS, most - 1)) % most)
    made = message(name, *values)
    return made if dice.random() < 0.9 else pack("<I", dice.choice((0, 7, 4096, 0xFFFFFFFF))) + made[4:]


MESSAGES = [
    message("walk", 0, 1, [b"f"]) + message("lopen", 1, 2) + message("read", 1, 0, 4096) + message("clunk", 1),
    message("walk", 0, 2, [b"a", b"b"]) + message("lopen", 2, 0) + message("readdir", 2, 0, 999) + message("clunk", 2),
    message("walk", 0, 3, []) + message("lcreate", 3, b"new", 0o1102, 0o644, 0) + message("write", 3, 0, b"words"),
    message("mkdir", 0, b"d", 0o755, 0) + message("renameat", 0, b"d", 0, b"e") + message("unlinkat", 0, b"e", 0x200),
]
