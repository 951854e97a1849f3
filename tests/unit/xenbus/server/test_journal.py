"""The journal: what was acknowledged is there again, whatever the file's end looks like."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from xenbus import wire
from xenbus.server import journal as module
from xenbus.server.engine import Engine
from xenbus.server.files import ServerError
from xenbus.server.journal import MAGIC, Journal

Tree = list[tuple[bytes, bytes, bytes]]


class Kept:
    """An engine with its journal, and a client."""

    def __init__(self, path: Path) -> None:
        self.engine = Engine()
        self.journal = Journal(str(path), self.engine)
        self.journal.load()
        self.engine.on_commit = self.journal.add
        self.client = self.engine.connect(0)

    def ask(self, op: int, payload: bytes, tx: int = 0) -> bytes:
        self.client.feed(wire.pack(op, 1, tx, payload))
        self.journal.flush()
        return self.client.take()[wire.HEADER_SIZE :]

    def write(self, path: str, value: bytes = b"", tx: int = 0) -> None:
        assert self.ask(wire.WRITE, path.encode() + b"\0" + value, tx) == wire.OK

    def tree(self) -> Tree:
        return list(self.engine.records())

    def close(self) -> Tree:
        self.journal.close()
        return self.tree()


def reloaded(path: Path) -> Tree:
    return Kept(path).close()


def test_a_new_file(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state")
    assert kept.close() == list(Engine().records()) == reloaded(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o600


def test_everything_comes_back(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state")
    for name in ("z", "10", "9"):
        kept.write(f"/top/{name}", b"\0\xff binary")
    kept.ask(wire.SET_PERMS, b"/top/z\0n5\0r6\0b7\0")
    kept.ask(wire.SET_PERMS, b"@releaseDomain\0n0\0r5\0")
    kept.ask(wire.RM, b"/top/10\0")
    kept.write("/top/10/deep/er")
    kept.write("/gone/with/all")
    kept.ask(wire.RM, b"/gone\0")
    assert kept.close() == reloaded(tmp_path / "state") == reloaded(tmp_path / "state")


def test_a_transaction_is_one_record(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state")
    tx = int(kept.ask(wire.TRANSACTION_START, b"\0").rstrip(b"\0"))
    before = (tmp_path / "state").stat().st_size
    kept.write("/a", b"1", tx)
    kept.write("/b", b"2", tx)
    assert (tmp_path / "state").stat().st_size == before
    kept.ask(wire.TRANSACTION_END, b"T\0", tx)
    commits, _end = module.read(memoryview((tmp_path / "state").read_bytes()))
    assert b"/a" in commits[-1].tobytes()
    assert b"/b" in commits[-1].tobytes()
    kept.close()


def test_every_cut_gives_a_whole_commit(tmp_path: Path) -> None:
    kept, trees = Kept(tmp_path / "state"), {}
    trees[os.path.getsize(tmp_path / "state")] = kept.tree()
    for number in range(4):
        tx = int(kept.ask(wire.TRANSACTION_START, b"\0").rstrip(b"\0"))
        kept.write("/pair/one", b"%d" % number, tx)
        kept.write("/pair/two", b"%d" % number, tx)
        kept.ask(wire.TRANSACTION_END, b"T\0", tx)
        trees[os.path.getsize(tmp_path / "state")] = kept.tree()
    kept.close()
    data = (tmp_path / "state").read_bytes()
    for size in range(min(trees), len(data) + 1):
        (tmp_path / "cut").write_bytes(data[:size])
        assert reloaded(tmp_path / "cut") == trees[max(end for end in trees if end <= size)]


@pytest.mark.parametrize("size", range(len(MAGIC) + 1))
def test_a_file_that_was_hardly_begun(tmp_path: Path, size: int) -> None:
    (tmp_path / "state").write_bytes(MAGIC[:size])
    assert reloaded(tmp_path / "state") == list(Engine().records())


def test_after_a_cut_it_goes_on(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state")
    kept.write("/a", b"x")
    kept.write("/b", b"lost")
    kept.close()
    data = (tmp_path / "state").read_bytes()
    (tmp_path / "state").write_bytes(data[:-1])
    again = Kept(tmp_path / "state")
    again.write("/c", b"y")
    tree = again.close()
    assert tree == reloaded(tmp_path / "state")
    assert {path for path, _value, _perms in tree} >= {b"/a", b"/c"}
    assert b"/b" not in [path for path, _value, _perms in tree]


def test_a_changed_byte_ends_the_reading(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state")
    kept.write("/a", b"x")
    size = os.path.getsize(tmp_path / "state")
    tree = kept.tree()
    kept.write("/b", b"y")
    kept.close()
    data = bytearray((tmp_path / "state").read_bytes())
    data[size + 20] ^= 1
    (tmp_path / "state").write_bytes(data)
    assert reloaded(tmp_path / "state") == tree


def test_it_does_not_grow_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL", 10_000)
    kept = Kept(tmp_path / "state")
    sizes = []
    for number in range(2000):
        kept.write(f"/n/{number % 7}", b"%d" % number * 10)
        sizes.append(os.path.getsize(tmp_path / "state"))
    assert max(sizes) < 12_000
    assert kept.close() == reloaded(tmp_path / "state")
    assert not (tmp_path / "state.new").exists()


def test_big_stores_are_read_back(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state")
    for number in range(500):
        kept.write(f"/big/{number}", bytes(4000))
    kept.journal.compact()
    assert kept.close() == reloaded(tmp_path / "state")


def test_without_room_for_a_new_file_the_old_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path / "state")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        kept.journal.compact()
    kept.write("/a", b"x")
    assert kept.close() == reloaded(tmp_path / "state")
    assert not (tmp_path / "state.new").exists()


def test_without_room_for_the_first_file_it_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ServerError, match="cannot be written"):
        Kept(tmp_path / "state")


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("state")
    kept = Kept(tmp_path / "link")
    kept.write("/a", b"x")
    assert (tmp_path / "link").is_symlink()
    assert kept.close() == reloaded(tmp_path / "state")


def test_a_full_disk_is_told_and_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path / "state")
    kept.write("/a", b"x")
    tree, write, calls = kept.tree(), os.pwrite, []

    def short(fd: int, data: bytes, at: int) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(fd, data[:10], at)

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", short)
        with pytest.raises(ServerError, match="No space left"):
            kept.write("/b", b"y")
    kept.close()
    assert reloaded(tmp_path / "state") == tree


def test_one_server_at_a_time(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state")
    with pytest.raises(ServerError, match="in use"):
        Journal(str(tmp_path / "state"), Engine())
    kept.close()


@pytest.mark.parametrize("text", [b"#!/bin/sh\necho hello\n", MAGIC[:5] + b"?"])
def test_another_file_is_not_touched(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "state").write_bytes(text)
    with pytest.raises(ServerError, match="is not the state of a store"):
        Kept(tmp_path / "state")
    assert (tmp_path / "state").read_bytes() == text


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="none/state"):
        Journal(str(tmp_path / "none/state"), Engine())


@pytest.mark.parametrize(
    "entry",
    [
        (b"x", b"", b"n0\0"),
        (b"/a/b", b"", b"n0\0"),
        (b"/a/", b"", b"n0\0"),
        (b"", b"", b"n0\0"),
        (b"/", None, b""),
        (b"@releaseDomain", None, b""),
        (b"/a", b"", b"?\0"),
        (b"@unknown", b"", b"n0\0"),
    ],
)
def test_a_record_without_sense_is_refused(tmp_path: Path, entry: tuple[bytes, bytes | None, bytes]) -> None:
    (tmp_path / "state").write_bytes(MAGIC + module.record([(b"/", b"", b"n0\0")]) + module.record([entry]))
    with pytest.raises(ServerError, match="is no store that a server has written"):
        Kept(tmp_path / "state")
