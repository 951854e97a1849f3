"""The formats against Debian's own tools on Debian's own daemon, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import xenstored
from tests.support.realstore import missing
from tests.unit.cli.conftest import Xenvm
from xenbus.client import connect
from xenbus.perm import parse_perms
from xenbus.usage import limits, usage

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

VALUES = {
    "a": b"plain",
    "a/deep/er": b"x",
    "empty": b"",
    "all": bytes(range(256)),
    "nul": b"a\0b\0",
    "quote": b'say "hi" \\ back',
    "digits": b"\x011\x7fa\xff9",
    "lines": b"a\nb\r\n\t",
    "long": b"w" * 3000,
    "n" * 66: b"a",
    "n" * 70: b"a",
    "n" * 75: b"abc",
    "n" * 90: b"",
    **{f"v{size}": b"x" * size for size in range(62, 74)},
    **{f"e{size}": b"\x01" * size for size in range(10, 22)},
}


@pytest.fixture(scope="module")
def daemon() -> Iterator[xenstored.Daemon]:
    with xenstored.running() as daemon, connect(daemon.path) as store:
        for name, value in VALUES.items():
            store.write(f"/t/{name}", value)
        store.write("rel/a", b"1")
        store.set_perms("/t/a", parse_perms("n0,r5,b7"))
        store.set_perms("/t/a/deep", parse_perms("b5," + ",".join(f"r{domid}" for domid in range(6, 30))))
        yield daemon


@pytest.mark.parametrize("path", ["/", "/t", "/t/a", "/t/empty", "rel"])
@pytest.mark.parametrize("options", [[], ["-f"], ["-p"], ["-f", "-p"]], ids=str)
def test_ls(daemon: xenstored.Daemon, xenvm: Xenvm, options: list[str], path: str) -> None:
    assert same(daemon, xenvm, "ls", *options, path)


@pytest.mark.parametrize("words", [["/t"], ["-p", "/t"], ["rel"], ["-p", "rel"], ["/t/empty"], ["/none"]], ids=str)
def test_list(daemon: xenstored.Daemon, xenvm: Xenvm, words: list[str]) -> None:
    assert same(daemon, xenvm, "list", *words)


@pytest.mark.parametrize(
    "words",
    [*([f"/t/{name}"] for name in ("a", "empty", "all", "nul", "quote", "digits", "lines", "long")), ["rel/a"],
     ["-p", "/t/a", "rel/a"], ["-R", "/t/quote"], ["/none"], ["/t/a", "/none"]],
    ids=str,
)  # fmt: skip
def test_read(daemon: xenstored.Daemon, xenvm: Xenvm, words: list[str]) -> None:
    assert same(daemon, xenvm, "read", *words)


@pytest.mark.parametrize("words", [["/t"], ["/t", "/none"], ["/none"]], ids=str)
def test_exists(daemon: xenstored.Daemon, xenvm: Xenvm, words: list[str]) -> None:
    assert same(daemon, xenvm, "exists", *words)


@pytest.mark.parametrize("text", ["plain", "a\\n\\t\\r\\\\b", "\\x41\\x7e", "\\001\\7\\101", "ü"])
def test_write(daemon: xenstored.Daemon, xenvm: Xenvm, text: str) -> None:
    assert daemon.tool("write", "/theirs", text)[0] == 0
    assert xenvm("store", "write", "--socket", daemon.path, "/ours", text)[0] == 0
    with connect(daemon.path) as store:
        assert store.read("/ours") == store.read("/theirs")


def test_chmod(daemon: xenstored.Daemon, xenvm: Xenvm) -> None:
    with connect(daemon.path) as store:
        store.write("/perms", b"")
        assert xenvm("store", "chmod", "--socket", daemon.path, "/perms", "n0", "r5")[0] == 0
        assert store.get_perms("/perms") == parse_perms("n0,r5")
    assert xenvm("store", "chmod", "--socket", daemon.path, "@releaseDomain", "n0")[0] == 0


def test_a_whole_tree_there_and_back(daemon: xenstored.Daemon, xenvm: Xenvm, tmp_path: object) -> None:
    file = f"{tmp_path}/saved"
    assert xenvm("store", "export", "--socket", daemon.path, "-o", file, "/t")[0] == 0
    before = daemon.tool("ls", "-f", "-p", "/t")
    assert xenvm("store", "rm", "--socket", daemon.path, "/t")[0] == 0
    assert xenvm("store", "import", "--socket", daemon.path, file)[0] == 0
    assert daemon.tool("ls", "-f", "-p", "/t") == before


def test_the_server_tells_what_domains_use(daemon: xenstored.Daemon) -> None:
    with connect(daemon.path) as store:
        (first, *_rest) = usage(store)
        assert first.nodes > 40 and first.watches == 0 and first.memory
        assert limits(store)["nodes"] == 1000


def same(daemon: xenstored.Daemon, xenvm: Xenvm, name: str, *words: str) -> bool:
    theirs = daemon.tool(name, *words)
    code, out, _err = xenvm("store", name, "--socket", daemon.path, *words)
    assert (code, out.encode()) == theirs
    return True
