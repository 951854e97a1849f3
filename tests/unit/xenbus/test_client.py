from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic

import pytest

from tests.support.fakestore import FakeStore
from xenbus import wire
from xenbus.client import Store, _addresses, connect
from xenbus.errors import (
    NoStore,
    NotFound,
    StoreClosed,
    StoreError,
    StoreProtocolError,
    StoreTimeout,
    TooBig,
    Unsupported,
)
from xenbus.perm import Perm
from xenbus.request import Discard, IsIntroduced, List, Mkdir, Read, Remove, Watch, Write


def soon() -> float:
    return monotonic() + 10


def test_values_are_bytes_and_may_be_anything(store: Store) -> None:
    for value in (b"", b"\0", b"a\0", bytes(range(256)), b"x" * 4000):
        store.write("/a/b", value)
        assert store.read("/a/b") == value
    store.write("/a/b", "h\u00e9")
    assert store.read("/a/b") == b"h\xc3\xa9"


def test_nodes(store: Store, fake: FakeStore) -> None:
    for name in ("10", "9", "b"):
        store.mkdir(f"/a/{name}")
    assert store.list("/a") == ("10", "9", "b")
    assert store.list("/a/b") == store.list_or_empty("/none") == ()
    assert store.read_or_none("/none") is None
    store.remove("/a/9")
    store.remove("/a/9")
    assert store.list("/a") == ("10", "b")
    with pytest.raises(NotFound, match=r"^the store refused rm /x/y: it does not exist \(ENOENT\)$"):
        store.remove("/x/y")
    store.write("name", "guest")
    assert fake.get("/local/domain/0/name") == b"guest"


def test_perms(store: Store) -> None:
    store.mkdir("/a")
    assert store.get_perms("/a") == (Perm(0),)
    store.set_perms("/a", (Perm(5), Perm(0, read=True)))
    store.mkdir("/a/b")
    assert store.get_perms("/a/b") == (Perm(5), Perm(0, read=True))


def test_domains(store: Store) -> None:
    assert store.domain_path(5) == "/local/domain/5"
    assert not store.is_introduced(5)
    store.introduce(5, 0x39001, 1)
    assert store.is_introduced(5)
    store.set_target(5, 6)
    store.resume(5)
    store.release(5)
    with pytest.raises(NotFound, match="release 5"):
        store.release(5)
    assert store.control("help") == "OK"


def test_a_batch_is_one_wait_and_raises_nothing(store: Store) -> None:
    before = store.waits
    replies = store.batch([Write("/a", "1"), Read("/a"), Read("/none"), List("/"), IsIntroduced(1), Mkdir("/b")])
    assert store.waits == before + 1
    assert [*replies[:2], *replies[3:]] == [None, b"1", ("a",), False, None]
    assert isinstance(replies[2], NotFound) and replies[2].path == "/none"
    assert store.batch([]) == [] and store.waits == before + 1


def test_batch_checked_raises_the_first_error(store: Store, fake: FakeStore) -> None:
    with pytest.raises(NotFound, match="/first"):
        store.batch_checked([Write("/a", "1"), Read("/first"), Read("/second"), Write("/b", "2")])
    assert fake.get("/b") == b"2"
    assert store.batch_checked([Read("/a"), Read("/b")]) == [b"1", b"2"]


def test_any_number_of_children(store: Store, fake: FakeStore) -> None:
    names = tuple(f"child-{number}" for number in range(1500))
    store.batch_checked([Mkdir(f"/a/{name}") for name in names])
    assert store.list("/a") == names
    assert store.batch([Read("/a"), List("/a")])[1] == names
    with store.transaction() as tx:
        assert tx.list("/a") == names


def test_children_that_change_while_they_are_listed(store: Store, fake: FakeStore) -> None:
    store.batch_checked([Mkdir(f"/a/child-{number}") for number in range(1500)])

    def change_first(packet: wire.Packet) -> bytes:
        fake.put("/a/another")
        return wire.pack(wire.DIRECTORY_PART, packet[1], 0, b"%d\0another\0\0" % (1 << 40))

    fake.inject(fake.count + 3, change_first)
    assert store.list("/a") == (*(f"child-{number}" for number in range(1500)), "another")


def test_a_server_without_directory_part(store: Store, fake: FakeStore) -> None:
    fake.inject(1, "E2BIG")
    fake.inject(2, "ENOSYS")
    with pytest.raises(TooBig, match="list /a: too big"):
        store.list("/a")


def test_unknown_errors_are_einval(store: Store, fake: FakeStore) -> None:
    fake.inject(1, "EQUOTA")
    fake.inject(2, "ENOSYS")
    with pytest.raises(StoreError, match=r"write /a: invalid request \(EINVAL\)"):
        store.write("/a", "")
    with pytest.raises(Unsupported):
        store.control("quota")


def test_a_store_that_never_answers(fake: FakeStore) -> None:
    fake.inject(1, "mute")
    fake.put("/a", "1")
    with connect(fake.path, timeout=0.02) as store:
        with pytest.raises(StoreTimeout, match=r"did not answer within 0.02 s: read /a$"):
            store.read("/a")
        store.timeout = 10
        assert store.read("/a") == b"1"


def test_a_server_that_closes_in_the_middle(store: Store, fake: FakeStore) -> None:
    fake.inject(3, "close")
    with pytest.raises(StoreClosed, match=f"the store at {fake.path} is closed"):
        store.batch([Write(f"/{number}") for number in range(5)])
    assert fake.children("/") == ["0", "1"]
    with pytest.raises(StoreClosed):
        store.read("/0")


def test_a_senseless_answer(store: Store, fake: FakeStore) -> None:
    fake.inject(1, lambda packet: wire.pack(packet[0], packet[1], 0, b"n0\0x\0"))
    with pytest.raises(StoreProtocolError, match="a senseless answer to get permissions of /a"):
        store.get_perms("/a")


def test_no_event_is_lost(store: Store, fake: FakeStore) -> None:
    store.watch("/a", "token \udcff")
    for number in range(3000):
        fake.put(f"/a/{number}")
        if number % 500 == 0:
            store.batch([Read("/")] * 3)
    expected = [("/a", "token \udcff"), *((f"/a/{number}", "token \udcff") for number in range(3000))]
    assert [store.next_event(soon()) for _ in expected] == expected
    assert store.next_event(0) is None


def test_unwatch(store: Store, fake: FakeStore) -> None:
    store.watch("/a", "t")
    store.unwatch("/a", "t")
    fake.put("/a")
    assert store.read("/a") == b""
    assert list(store.events(deadline=0)) == [("/a", "t")]
    with pytest.raises(NotFound, match="unwatch /a"):
        store.unwatch("/a", "t")


def test_events_with_a_selector(store: Store, fake: FakeStore) -> None:
    store.watch("device", "t")
    assert store.next_event(0) == ("device", "t")
    with selectors.DefaultSelector() as selector:
        selector.register(store, selectors.EVENT_READ)
        fake.put("/local/domain/0/device/vbd")
        assert selector.select(10)
    assert store.next_event(0) == ("device/vbd", "t")


def test_one_thread_waits_for_events_while_others_ask(store: Store, fake: FakeStore) -> None:
    store.watch("/event", "t")
    events: list[tuple[str, str] | None] = []
    waiter = threading.Thread(target=lambda: events.extend(store.next_event(soon()) for _ in range(2)))
    waiter.start()

    def ask(number: int) -> None:
        for turn in range(50):
            store.write(f"/{number}", f"{number}-{turn}")
            assert store.batch([Read(f"/{number}"), Read("/none")])[0] == f"{number}-{turn}".encode()
        done.append(number)

    done: list[int] = []
    askers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in askers:
        thread.start()
    for thread in askers:
        thread.join(10)
    assert sorted(done) == [0, 1, 2, 3]
    fake.put("/event")
    waiter.join(10)
    assert events == [("/event", "t"), ("/event", "t")]


def test_events_for_two_threads(store: Store, fake: FakeStore) -> None:
    store.call(Watch("/a", "t"))
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(store.next_event(soon()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    fake.put("/a")
    for thread in threads:
        thread.join(10)
    assert seen == [("/a", "t"), ("/a", "t")]


def test_where_a_store_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XENSTORED_PATH", raising=False)
    monkeypatch.delenv("XENSTORED_RUNDIR", raising=False)
    devices = ["/dev/xen/xenbus", "/proc/xen/xenbus"]
    assert _addresses() == ["/run/xenstored/socket", "/var/run/xenstored/socket", *devices]
    monkeypatch.setenv("XENSTORED_RUNDIR", "/r")
    assert _addresses() == ["/r/socket", *devices]
    monkeypatch.setenv("XENSTORED_PATH", "/p")
    assert _addresses() == ["/p"]


def test_the_environment_s_store(fake: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENSTORED_PATH", fake.path)
    with connect() as store:
        assert store.link.address == fake.path
        store.mkdir("/a")


# pyxs leaves the socket that it could not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(NoStore, match=r"no store answers \(/none: No such file or directory\)"):
        connect("/none")
    stale = str(tmp_path / "stale")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(stale)
    with pytest.raises(NoStore, match="stale: Connection refused"):
        connect(stale)


def test_a_device_is_opened_as_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "xenbus")
    with connect(str(tmp_path / "xenbus"), timeout=10) as store:
        assert store.read("/a") == b"/a\0", "a pipe gives back what is written: a READ of this path"


def test_closing_twice_is_well_and_using_then_is_told(fake: FakeStore) -> None:
    store = connect(fake.path)
    store.close()
    store.close()
    with pytest.raises(StoreClosed, match="this program closed it"):
        store.read("/")


def test_opening_a_store_leaves_pyxs_whole(fake: FakeStore) -> None:
    """Only the connections are imported; who wants all of pyxs afterwards gets it."""
    script = (
        "import sys; from xenbus.client import connect; connect(sys.argv[1]).close();"
        "assert 'pyxs.client' not in sys.modules; import pyxs; pyxs.Client; import pyxs.connection"
    )
    subprocess.run([sys.executable, "-c", script, fake.path], check=True)


def test_discarding_what_is_not_there_is_no_error(store: Store) -> None:
    store.write("/a/b", "x")
    assert store.batch([Discard("/a/b"), Discard("/a/b"), Discard("/no/such/parent")]) == [None, None, None]
    assert isinstance(store.batch([Remove("/no/such/parent")])[0], NotFound)
    assert store.transact([Discard("/no/such/parent"), Write("/c", "y")], checked=False)[0] is None
