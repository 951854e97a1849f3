"""The server on a real folder: what a guest can do in it, and that nothing leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.host.p9.client import Client, message
from tests.unit.host.p9.test_wire import REQUESTS
from xenvm.host.p9.server import Server
from xenvm.host.p9.wire import HEADER

MSIZE = 8192


class Guest(Client):
    """One with the folder `top`; `outside` lies beside it."""

    def __init__(self, folder: Path, **options: int) -> None:
        self.top, self.outside = folder / "top", folder / "outside"
        for made in (self.top, self.outside):
            made.mkdir()
        (self.outside / "secret").write_text("secret")
        self.server = Server(os.fsencode(self.top), MSIZE, **options)  # type: ignore[arg-type]
        super().__init__(self.server.handle)


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    before = len(os.listdir("/proc/self/fd"))
    made = Guest(tmp_path)
    yield made
    made.server.close()
    assert len(os.listdir("/proc/self/fd")) == before, "all descriptors are closed"


def refused(what: Callable[[], object]) -> str:
    """The errno of what is refused."""
    with pytest.raises(OSError) as caught:
        what()
    return errno.errorcode[caught.value.errno or 0]


# What it is for.


def test_a_file_is_made_written_and_read(guest: Guest) -> None:
    guest.walk(1)
    guest("lcreate", 1, b"new", 0o2 | 0o100, 0o100640, 0)
    assert guest("write", 1, 3, b"hello") == b"\x05\0\0\0"
    assert guest.read(1) == b"\0\0\0hello" and guest.read(1, 4, 2) == b"el" and guest.read(1, 100) == b""
    guest("fsync", 1, 0)
    guest("fsync", 1, 1)
    made = (guest.top / "new").stat()
    assert stat.S_IMODE(made.st_mode) == 0o640 and (guest.top / "new").read_bytes() == b"\0\0\0hello"
    told = guest.attributes(1)
    assert told["mode"] == made.st_mode and told["size"] == 8 and told["nlink"] == 1
    assert told["msec"] * 10**9 + told["mnsec"] == made.st_mtime_ns
    guest("clunk", 1)
    assert refused(lambda: guest.read(1)) == "EBADF"


def test_opening_a_file_that_is_there(guest: Guest) -> None:
    (guest.top / "log").write_text("one")
    guest.open(1, b"log", flags=0o2001)
    guest("write", 1, 0, b"two")
    assert refused(lambda: guest.read(1)) == "EBADF"
    assert refused(lambda: guest("lopen", 1, 0)) == "EINVAL"
    guest.walk(2)
    guest("lcreate", 2, b"log", 0o102, 0o644, 0)  # somebody was quicker; not O_EXCL
    assert guest.read(2) == b"onetwo"
    guest.walk(3)
    assert refused(lambda: guest("lcreate", 3, b"log", 0o302, 0o644, 0)) == "EEXIST"
    guest("lcreate", 3, b"log", 0o1102, 0o644, 0)
    assert guest.read(2) == b""
    assert refused(lambda: guest.open(4, b"log", flags=3)) == "EINVAL"


def test_folders(guest: Guest) -> None:
    qid = guest("mkdir", 0, b"sub", 0o1755, 0)
    assert qid[0] == 0x80 and stat.S_IMODE((guest.top / "sub").stat().st_mode) == 0o1755
    assert guest.walk(1, b"sub") == 1
    guest("mknod", 1, b"plain", 0o100600, 0, 0, 0)
    guest("renameat", 1, b"plain", 0, b"moved")
    guest.walk(2, b"moved")
    guest("link", 1, 2, b"again")
    assert (guest.top / "sub/again").stat().st_nlink == 2
    assert refused(lambda: guest("unlinkat", 0, b"sub", 0x200)) == "ENOTEMPTY"
    assert refused(lambda: guest("unlinkat", 0, b"sub", 0)) == "EISDIR"
    guest("unlinkat", 1, b"again", 0)
    guest("unlinkat", 0, b"sub", 0x200)
    assert os.listdir(guest.top) == ["moved"]
    assert refused(lambda: guest("mkdir", 2, b"x", 0o755, 0)) == "ENOTDIR"
    assert refused(lambda: guest("readdir", 2, 0, 100)) == "EBADF"


def test_a_folder_is_listed(guest: Guest) -> None:
    for number in range(300):
        (guest.top / f"{number:03}").touch()
    (guest.top / "link").symlink_to("nowhere")
    os.mkfifo(guest.top / "fifo")
    whole = sorted([b".", b"..", b"link", b"fifo", *(b"%03d" % number for number in range(300))])
    guest.open(1)
    assert sorted(guest.names(1)) == whole
    assert sorted(guest.names(1, count=100)) == whole, "from its beginning again"
    assert sorted(guest.names(1, count=1 << 30)) == whole
    listed = guest.names(1)
    assert guest.names(1, place=100) == listed[100:] and guest.names(1, place=304) == []
    assert refused(lambda: guest.names(1, place=1 << 40)) == "EINVAL"
    assert refused(lambda: guest("readdir", 1, 0, 10)) == "EINVAL"
    assert refused(lambda: guest.read(1)) == "EISDIR"
    first = guest("readdir", 1, 0, 300)[4:]
    place = int.from_bytes(first[13:21], "little")
    for name in os.listdir(guest.top)[:150]:
        os.unlink(guest.top / name)
    assert place == 1 and guest.names(1, place=1), "read on while files go"
    (guest.top / "file").touch()
    guest.open(2, b"file")
    assert refused(lambda: guest("readdir", 2, 0, 100)) == "ENOTDIR"


def test_attributes_are_changed(guest: Guest) -> None:
    (guest.top / "file").write_text("content")
    guest.walk(1, b"file")
    guest.change(1, 1, mode=0o100604)
    guest.change(1, 8, size=3)
    guest.change(1, 0x20 | 0x100, msec=2**64 - 5, mnsec=7)
    made = (guest.top / "file").stat()
    assert stat.S_IMODE(made.st_mode) == 0o604 and made.st_size == 3 and made.st_mtime_ns == -5 * 10**9 + 7
    guest.change(1, 0x10 | 0x80, asec=9)
    assert (guest.top / "file").stat().st_mtime_ns == made.st_mtime_ns
    guest.change(1, 0x20 | 0x40)
    assert (guest.top / "file").stat().st_mtime_ns > made.st_mtime_ns
    guest.change(1, 2 | 4, uid=os.getuid(), gid=os.getgid())
    assert refused(lambda: guest.change(1, 8, size=2**64 - 1)) == "EINVAL"
    guest.change(1, 0x20 | 0x100, msec=2**62)  # The kernel takes the last time that there is.
    assert refused(lambda: guest.change(0, 8, size=3)) == "EISDIR"


def test_the_rest(guest: Guest) -> None:
    told = guest("statfs", 0)
    assert len(told) == 60 and int.from_bytes(told[4:8], "little") == os.statvfs(guest.top).f_frsize
    (guest.top / "file").touch()
    guest.open(1, b"file")
    assert guest("lock", 1, 1, 0, 0, 0, 5, b"host") == b"\0"
    assert guest("getlock", 1, 1, 2, 3, 4, b"host") == pack("<BQQIH", 2, 2, 3, 4, 4) + b"host"
    assert guest("flush", 3) == b""
    for no in (("xattrwalk", 1, 2, b"user.x"), ("xattrcreate", 1, b"user.x", 3, 0), ("auth", 5, b"", b"", 0)):
        assert refused(lambda no=no: guest(*no)) == "ENOTSUP"  # type: ignore[misc]
    assert refused(lambda: guest("rename", 1, 0, b"other")) == "ENOTSUP"
    assert refused(lambda: guest("remove", 1)) == "ENOTSUP"
    assert refused(lambda: guest("getattr", 1, 0)) == "EBADF", "it is clunked all the same"
    for fid in (0, 2):
        assert refused(lambda fid=fid: guest("lock", fid, 1, 0, 0, 0, 5, b"")) == "EBADF"  # type: ignore[misc]


def test_sessions(guest: Guest) -> None:
    assert guest.msize == MSIZE
    assert guest("version", 1 << 20, b"9P2000.u") == MSIZE.to_bytes(4, "little") + b"\x07\0unknown"
    assert refused(lambda: guest.walk(1)) == "EBADF", "all fids are forgotten"
    assert refused(lambda: guest("version", 100, b"9P2000.L")) == "EMSGSIZE"
    guest.attach(0)
    assert refused(lambda: guest.attach(0)) == "EBADF"
    assert refused(lambda: guest("attach", 1, 0, b"", b"", 0)) == "EINVAL"
    assert refused(lambda: guest("attach", 1, 0xFFFFFFFF, b"", b"/etc", 0)) == "ENOENT"
    assert refused(lambda: guest.attach(0xFFFFFFFF)) == "EBADF"


def test_answers_fit(guest: Guest) -> None:
    guest("version", 4096, b"9P2000.L")
    guest.attach(0)
    (guest.top / "file").write_bytes(bytes(9000))
    guest.open(1, b"file")
    assert len(guest.read(1, 0, 0xFFFFFFFF)) == 4096 - 11
    os.symlink("x" * 4095, guest.top / "long")
    guest.walk(2, b"long")
    assert refused(lambda: guest("readlink", 2)) == "EMSGSIZE"


def test_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda _file, uid, gid: given.append((uid, gid)))
    guest = Guest(tmp_path)
    guest.attach(1, uid=1000)
    guest("mkdir", 1, b"a", 0o755, 100)
    guest("symlink", 1, b"b", b"x", 0xFFFFFFFF)
    guest("mknod", 0, b"c", 0o644, 0, 0, 5)
    guest.walk(2, fid=1)
    guest("lcreate", 2, b"d", 0o101, 0o644, 6)
    assert given == [(1000, 100), (1000, -1), (-1, 5), (1000, 6)]
    guest.server.close()


@pytest.mark.parametrize("strict", [True, False])
def test_a_file_system_without_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict: bool) -> None:
    def chown(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "chown", chown)
    guest = Guest(tmp_path, strict=strict)
    made = (("mkdir", 0, b"a", 0o755, 0), ("symlink", 0, b"b", b"x", 0), ("mknod", 0, b"c", 0o644, 0, 0, 0))
    for words in made:
        if strict:
            assert refused(lambda words=words: guest(*words)) == "EPERM"  # type: ignore[misc]
        else:
            guest(*words)
    assert len(os.listdir(guest.top)) == (0 if strict else 3)
    guest.server.close()


# A hostile guest.


@pytest.mark.parametrize("name", [b"", b".", b"a/b", b"/etc", b"../outside", b"x\0y"])
def test_what_is_no_name(guest: Guest, name: bytes) -> None:
    (guest.top / "file").touch()
    guest.walk(1, b"file")
    guest.walk(2)
    for words in (
        *(("walk", 0, 9, [name]), ("mkdir", 0, name, 0o755, 0), ("symlink", 0, name, b"x", 0), ("link", 0, 1, name)),
        *(("mknod", 0, name, 0o644, 0, 0, 0), ("lcreate", 2, name, 0o102, 0o644, 0), ("unlinkat", 0, name, 0)),
        *(("renameat", 0, b"file", 0, name), ("renameat", 0, name, 0, b"x")),
    ):
        assert refused(lambda words=words: guest(*words)) == "EINVAL", words  # type: ignore[misc]
    assert os.listdir(guest.top) == ["file"] and sorted(os.listdir(guest.outside)) == ["secret"]


def test_the_way_up_ends_at_the_top(guest: Guest) -> None:
    top = guest("getattr", 0, 0)[8:21]
    assert guest("walk", 0, 1, [b".."] * 3) == b"\x03\0" + top * 3
    assert guest.walk(2, b"..", b"outside", b"secret") == 1, "its name is not in there"
    assert refused(lambda: guest("clunk", 2)) == "EBADF", "a walk that did not come to its end has no fid"
    (guest.top / "a/b").mkdir(parents=True)
    assert guest("walk", 0, 3, [b"a", b"b", b"..", b"..", b".."])[-8:] == top[-8:]
    assert refused(lambda: guest("unlinkat", 3, b"..", 0x200)) == "EINVAL"
    assert refused(lambda: guest("mkdir", 0, b"..", 0o755, 0)) == "EINVAL"


def test_a_folder_that_was_moved_away_leads_nowhere_else(guest: Guest) -> None:
    (guest.top / "a/b").mkdir(parents=True)
    guest.walk(1, b"a", b"b")
    (guest.top / "a/b").rename(guest.outside / "b")
    assert guest.walk(2, b"..", b"..", fid=1) == 2
    guest("lopen", 2, 0)
    assert sorted(guest.names(2)) == [b".", b"..", b"a"]
    assert guest.walk(3, b"..", b"secret", fid=1) == 1


@pytest.mark.parametrize("target", ["../outside", "/etc", "../outside/secret", ".."])
def test_links_are_text(guest: Guest, target: str) -> None:
    (guest.top / "link").symlink_to(target)
    before = (guest.outside / "secret").stat()
    assert guest.walk(1, b"link", b"secret") == 1
    guest.walk(2, b"link")
    assert guest("readlink", 2)[2:] == target.encode()
    assert stat.S_ISLNK(guest.attributes(2)["mode"])
    assert refused(lambda: guest("lopen", 2, 0)) == "ELOOP"
    assert refused(lambda: guest.change(2, 1, mode=0o777)) == "ENOTSUP"
    assert refused(lambda: guest.change(2, 8, size=0)) == "ELOOP"
    assert refused(lambda: guest("mkdir", 2, b"x", 0o755, 0)) == "ENOTDIR"
    guest.change(2, 2, uid=os.getuid())
    guest.change(2, 0x20 | 0x100, msec=5)
    assert (guest.top / "link").lstat().st_mtime == 5
    guest.walk(3)
    assert refused(lambda: guest("lcreate", 3, b"link", 0o1102, 0o644, 0)) == "ELOOP"
    guest("link", 0, 2, b"hard")
    assert os.readlink(guest.top / "hard") == target
    guest("symlink", 0, b"again", os.fsencode(target), 0)
    assert os.readlink(guest.top / "again") == target
    after = (guest.outside / "secret").stat()
    assert (after.st_mtime_ns, after.st_size, after.st_nlink, after.st_mode) == (
        *(before.st_mtime_ns, before.st_size),
        *(before.st_nlink, before.st_mode),
    )
    assert os.listdir(guest.outside) == ["secret"]


def test_what_was_walked_to_is_what_is_opened(guest: Guest) -> None:
    (guest.top / "file").write_text("ours")
    (guest.top / "sub").mkdir()
    guest.walk(1, b"file")
    guest.walk(2, b"sub")
    (guest.top / "file").unlink()
    (guest.top / "file").symlink_to("../outside/secret")
    (guest.top / "sub").rmdir()
    (guest.top / "sub").symlink_to("../outside")
    guest("lopen", 1, 0)
    assert guest.read(1) == b"ours"
    assert refused(lambda: guest.walk(3, b"secret", fid=2)) == "ENOENT"
    assert refused(lambda: guest("mkdir", 2, b"x", 0o755, 0)) == "ENOENT"
    assert os.listdir(guest.outside) == ["secret"]


def test_nothing_but_files_and_folders_is_opened(guest: Guest) -> None:
    os.mkfifo(guest.top / "fifo")
    guest.walk(1, b"fifo")
    for flags in (0, 1, 2):
        assert refused(lambda flags=flags: guest("lopen", 1, flags)) == "EPERM"  # type: ignore[misc]
    guest.walk(2)
    assert refused(lambda: guest("lcreate", 2, b"fifo", 0o101, 0o644, 0)) == "EPERM"
    for kind in (0o010000, 0o020000, 0o060000, 0o140000):
        assert refused(lambda kind=kind: guest("mknod", 0, b"x", kind | 0o644, 1, 3, 0)) == "EPERM"  # type: ignore[misc]
    assert refused(lambda: guest.open(4, flags=1)) == "EISDIR"


def test_fids_are_counted(tmp_path: Path) -> None:
    guest = Guest(tmp_path, limit=5)
    for name in "abcdef":
        (guest.top / name).touch()
    for number, name in enumerate(b"abcd", 1):
        guest.walk(number, bytes((name,)))
    assert refused(lambda: guest.walk(9, b"e")) == "EMFILE" == refused(lambda: guest.walk(9))
    assert refused(lambda: guest("mkdir", 0, b"x", 0o755, 0)) == "EMFILE" and not (guest.top / "x").exists()
    guest("clunk", 1)
    guest.walk(9, b"e")
    guest("clunk", 9)
    for number in range(2, 5):
        guest("clunk", number)
    (guest.top / "1/2/3/4/5").mkdir(parents=True)
    assert guest.walk(9, b"1", b"2", b"3", b"4", b"5") == 4, "also those above what is held"
    assert guest.walk(9, b"1", b"2", b"3", b"4") == 4
    guest.server.close()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(REQUESTS.map(lambda each: message(each[0], *each[1])), st.binary(max_size=40)), max_size=20))
def test_whatever_is_asked_has_an_answer(guest: Guest, requests: list[bytes]) -> None:
    for raw in requests:
        asked = (len(raw) + 7).to_bytes(4, "little") + raw[4:] + bytes(7) if len(raw) < HEADER.size else raw
        reply = guest.server.handle(asked)
        assert int.from_bytes(reply[:4], "little") == len(reply) <= guest.server.msize
    assert os.listdir(guest.outside) == ["secret"]


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    assert refused(lambda: Server(os.fsencode(tmp_path / "nothing"), MSIZE)) == "ENOENT"
    (tmp_path / "file").touch()
    assert refused(lambda: Server(os.fsencode(tmp_path / "file"), MSIZE)) == "ENOTDIR"
