"""What pyxs' own suite asks of a store, in our words, on the real daemon and on ours: the same answers.

(The suite itself is in pyxs' repository only; run by hand, all its results are the same on both.)
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Thread

import pytest
import pyxs
from pyxs.exceptions import InvalidPath, InvalidPermission, PyXSError

from tests.conformance.conftest import KINDS
from tests.support.realstore import RealStore
from xenvm.testing.store import StoreServer


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "ours":
        server = StoreServer()
        yield server.path
        server.close()
        return
    shim = request.getfixturevalue("shim")
    with tempfile.TemporaryDirectory(prefix="xs") as folder, RealStore(Path(folder), shim) as store:
        yield store.socket


@pytest.fixture
def client(address: str) -> Iterator[pyxs.Client]:
    with pyxs.Client(unix_socket_path=address) as client:
        yield client


def test_nodes(client: pyxs.Client) -> None:
    with pytest.raises(PyXSError) as caught:
        client.read(b"/foo/bar")
    assert caught.value.args[0] == errno.ENOENT
    assert client.read(b"/foo/bar", b"baz") == b"baz"
    client[b"/foo/bar"] = b"boo"
    assert client[b"/foo/bar"] == b"boo" and client.read(b"/foo") == b""
    client.mkdir(b"/foo/dir")
    assert client.list(b"/foo") == [b"bar", b"dir"] and client.list(b"/foo/dir") == []
    with pytest.raises(PyXSError):
        client.list(b"/path/to/something")
    client.delete(b"/foo/bar")
    assert not client.exists(b"/foo/bar") and client.exists(b"/foo")


def test_permissions(client: pyxs.Client) -> None:
    client.mkdir(b"/foo")
    assert client.get_perms(b"/foo") == [b"n0"]
    for perms in ([b"b0"], [b"b0", b"n0", b"r0"]):
        client.set_perms(b"/foo", perms)
        assert client.get_perms(b"/foo") == perms
    with pytest.raises(InvalidPermission):
        client.set_perms(b"/foo", [b"x0"])


def test_domains(client: pyxs.Client) -> None:
    assert client.get_domain_path(0) == b"/local/domain/0"
    assert client.get_domain_path(999) == b"/local/domain/999"
    assert client.is_domain_introduced(0) and not client.is_domain_introduced(999)


@pytest.mark.parametrize("operation", ["read", "mkdir", "delete", "list", "exists", "get_perms"])
def test_paths_that_cannot_be(client: pyxs.Client, operation: str) -> None:
    with pytest.raises(InvalidPath):
        getattr(client, operation)(b"INVALID%PATH!")


def test_unknown_operations(client: pyxs.Client) -> None:
    with pytest.raises(PyXSError):
        client.execute_command(-42, b"/x\0")


def test_transactions(client: pyxs.Client, address: str) -> None:
    client.transaction()
    assert client.tx_id != 0
    with pytest.raises(PyXSError):
        client.transaction()
    client[b"/foo"] = b"1"
    client.rollback()
    assert client.tx_id == 0 and not client.exists(b"/foo")
    client.transaction()
    client[b"/foo"] = b"2"
    assert client.commit() and client[b"/foo"] == b"2"
    client.transaction()
    assert client[b"/foo"] == b"2"
    with pyxs.Client(unix_socket_path=address) as other:
        other[b"/foo"] = b"3"
    client[b"/foo"] = b"4"
    assert not client.commit() and client.tx_id == 0 and client[b"/foo"] == b"3"


def test_an_open_transaction_is_no_end(address: str) -> None:
    with pytest.raises(PyXSError), pyxs.Client(unix_socket_path=address) as client:
        client.transaction()
        client[b"/foo"] = b"x"
    with pyxs.Client(unix_socket_path=address) as client:
        assert not client.exists(b"/foo")


def test_a_monitor(client: pyxs.Client) -> None:
    with client.monitor() as monitor:
        monitor.watch(b"/foo", b"boo")
        waiter = monitor.wait()
        assert next(waiter) == (b"/foo", b"boo")
        client.write(b"/foo", b"x")
        assert next(waiter) == (b"/foo", b"boo")
        client.write(b"/foo/bar", b"x")
        assert next(waiter) == (b"/foo/bar", b"boo")
        client.write(b"/foo", b"leftover")
        monitor.unwatch(b"/foo", b"boo")
        client.write(b"/foo", b"unseen")
        with pytest.raises(InvalidPath):
            monitor.watch(b"@arbitraryPath", b"t")


def test_several_monitors(client: pyxs.Client) -> None:
    events: dict[bytes, list[tuple[bytes, bytes]]] = {}
    monitors = {token: client.monitor() for token in (b"boo", b"baz")}
    for token, monitor in monitors.items():
        monitor.watch(b"/foo", token)

    def take(token: bytes) -> None:
        events[token] = list(islice(monitors[token].wait(), 2))

    threads = [Thread(target=take, args=(token,), daemon=True) for token in monitors]
    for thread in threads:
        thread.start()
    for number in range(3):  # events that are the same and wait may be one
        client[b"/foo"] = b"%d" % number
    for thread in threads:
        thread.join(10)
    assert events == {token: [(b"/foo", token)] * 2 for token in monitors}
