"""The back end of shared folders: what it says in the store, maps, serves, refuses and gives back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import pack_into

import pytest

from tests.support.peerworld import PeerWorld
from tests.unit.host.p9.client import Client, message
from tests.unit.host.p9.front import Front
from xenvm.errors import DeviceError
from xenvm.guest.class_nodes import any_device
from xenvm.host.p9.back import TURN, FolderDriver
from xenvm.ops.attach_class import attach_device
from xenvm.types import Gfn

RING = 0x40400
ORDER = 2


class Talk:
    """A guest that does nothing by itself, with folders whose front ends are here."""

    def __init__(self, live: PeerWorld) -> None:
        self.live, self.top = live, live.folder / "top"
        self.top.mkdir(exist_ok=True)
        (self.top / "hello").write_text("world")
        self.domid = live.create("talk", extra="xenvm.behaviour=dead")
        self.side = live.world.guest_side(self.domid)
        # In the place of the simulated host's own.
        self.driver = FolderDriver(live.world.peer_client(), live.world.back_side())
        self.said: list[str] = []
        self.driver.say = self.said.append
        live.world.services[-1] = self.driver
        self.rings: list[tuple[Front, int]] = []

    def attach(self, **values: str) -> None:
        info = self.live.world.hyper.domain(self.domid)
        assert info is not None
        given = {"tag": "share", "path": str(self.top), "security_model": "none", **values}
        device = attach_device(self.live.host, info, "9pfs", lambda devid: any_device("9pfs", devid, self.domid, given))
        self.front, self.back = device.frontend, device.backend

    def connect(self, count: int = 2, order: int = ORDER, first: int = RING, **nodes: object) -> None:
        """Makes the rings and tells of them; `nodes` instead of what they say."""
        found: dict[str, object] = {"version": 1, "num-rings": count}
        for number in range(count):
            gfns = [Gfn(first + number * 16 + each) for each in range(1 + (1 << ORDER))]
            page, *data = map(self.side.page, gfns)
            page[:] = bytes(4096)
            pack_into(f"<{1 + len(data)}I", page, 128, order, *(self.side.grant(gfn, 0) for gfn in gfns[1:]))
            port = self.side.alloc_unbound(0)
            self.rings.append((Front(page, data), port))
            found[f"ring-ref{number}"] = self.side.grant(gfns[0], 0)
            found[f"event-channel-{number}"] = port
        for name, value in {**found, **{name.replace("_", "-"): value for name, value in nodes.items()}}.items():
            self.live.world.store.write(f"{self.front}/{name}", str(value))
        self.live.write(f"{self.front}/state", "3")

    def ask(self, request: bytes, number: int = 0) -> bytes:
        front, port = self.rings[number]
        front.say(request)
        self.side.notify(port)
        self.live.world.settle()
        return front.hear()

    def state(self) -> bytes | None:
        return self.live.read(f"{self.back}/state")


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    live = PeerWorld(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    yield Talk(live)
    live.world.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_guest_reads_and_writes(talk: Talk) -> None:
    talk.attach()
    assert talk.state() == b"2"
    told = {name: talk.live.read(f"{talk.back}/{name}") for name in ("versions", "max-rings", "max-ring-page-order")}
    assert told == {"versions": b"1", "max-rings": b"4", "max-ring-page-order": b"6"}
    talk.connect()
    assert talk.state() == b"4"
    client = Client(talk.ask, msize=1 << 20)
    assert client.msize == 8192, "an answer has room in the ring"
    client.open(1, b"hello")
    assert client.read(1) == b"world"
    other = Client.__new__(Client)
    other._handle = lambda request: talk.ask(request, 1)
    client.walk(2)
    other("lcreate", 2, b"new", 0o101, 0o644, 0)  # one session on all rings
    for _ in range(20):
        client("write", 2, 0, b"x" * 3000)
    assert (talk.top / "new").read_bytes() == b"x" * 3000


def test_a_guest_of_qemu_is_left_to_it(talk: Talk) -> None:
    talk.live.write(f"/local/domain/0/device-model/{talk.domid}/state", "running")
    with pytest.raises(DeviceError, match="nobody serves it"):
        talk.attach()
    assert not talk.driver.devices


def test_it_closes(talk: Talk) -> None:
    talk.attach()
    talk.connect()
    Client(talk.ask).open(1, b"hello")
    talk.live.world.store.write(f"{talk.back}/online", "0")
    talk.live.write(f"{talk.back}/state", "5")
    talk.live.write(f"{talk.front}/state", "6")
    assert talk.state() == b"6" and not talk.driver.devices and not talk.driver._bus.ports
    assert not talk.driver.side._mapped  # type: ignore[attr-defined]


def test_a_guest_that_dies_leaves_nothing(talk: Talk) -> None:
    talk.attach()
    talk.connect()
    Client(talk.ask).open(1, b"hello")
    talk.live.world.store.remove(talk.front)
    talk.live.world.settle()
    side = talk.driver.side
    assert not talk.driver.devices and not side._mapped and not side._ports  # type: ignore[attr-defined]


def test_another_process_goes_on(talk: Talk) -> None:
    talk.attach()
    talk.connect()
    client = Client(talk.ask)
    talk.driver.close()
    talk.live.world.services[-1] = FolderDriver(talk.live.world.peer_client(), talk.live.world.back_side())
    talk.live.world.settle()
    with pytest.raises(OSError, match="walk"):
        client.walk(1)  # What it had open is gone: it has to mount anew.
    Client(talk.ask).open(1, b"hello")


def test_many_requests_take_turns(talk: Talk) -> None:
    talk.attach()
    talk.connect()
    Client(talk.ask, msize=4096)
    (end,) = talk.driver.devices.values()
    front, _port = talk.rings[0]
    front.say(message("getattr", 0, 0) * (TURN + 3))
    assert end.serve() and len(front.hear()) == TURN * 160
    talk.live.world.settle()
    assert len(front.hear()) == 3 * 160


def test_answers_wait_for_room(talk: Talk) -> None:
    talk.attach()
    talk.connect()
    client = Client(talk.ask)
    (talk.top / "hello").write_bytes(bytes(9000))
    client.open(1, b"hello")
    front, port = talk.rings[0]
    front.say(message("read", 1, 0, 8000) * 3)
    talk.side.notify(port)
    talk.live.world.settle()
    assert len(front.hear()) == 8011
    for _ in range(2):
        talk.side.notify(port)
        talk.live.world.settle()
        assert len(front.hear()) == 8011


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ({"version": 2}, "speaks version '2' of the rings, not 1"),
        ({"num_rings": 0}, "asks for '0' rings: it can have 1 to 4"),
        ({"num_rings": "many"}, "asks for 'many' rings"),
        ({"num_rings": 5}, "asks for '5' rings"),
        ({"num_rings": 3}, "has no sensible event channel"),
        ({"ring_ref1": "x"}, "has no sensible reference to a ring"),
        ({"ring_ref1": 12345}, "map_grant_ref"),
        ({"event_channel_1": 999}, "bind_interdomain"),
        ({"order": 9}, "a ring of order 9 is not possible"),
    ],
)
def test_what_a_guest_cannot_have(talk: Talk, nodes: dict[str, object], why: str) -> None:
    talk.attach()
    talk.connect(**nodes)  # type: ignore[arg-type]
    assert talk.state() == b"5" and why in talk.said[0], talk.said
    assert not talk.driver.side._mapped and not talk.driver.side._ports  # type: ignore[attr-defined]


def test_a_ring_that_cannot_be_ends_this_device_only(talk: Talk) -> None:
    talk.attach()
    talk.connect()
    bad, back = talk.rings.copy(), talk.back
    talk.rings.clear()
    talk.attach()
    talk.connect(first=RING + 64)
    bad[0][0].set(68, 1 << 31)
    talk.side.notify(bad[0][1])
    talk.live.world.settle()
    assert talk.live.read(f"{back}/state") == b"5" and "says that it holds 2147483648" in talk.said[0]
    assert talk.live.read(f"error/{back.removeprefix('/local/domain/0/')}/error")
    Client(talk.ask).open(1, b"hello")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"path": "/nothing/there"}, "/nothing/there cannot be shared: No such file"),
        ({"max-files": "5"}, "has max-files, which this server does not keep"),
        ({"max-space": "5"}, "has max-space"),
    ],
)
def test_what_cannot_be_shared(talk: Talk, values: dict[str, str], why: str) -> None:
    talk.attach(**values)
    talk.connect()
    assert talk.state() == b"5" and why in talk.said[0]


def test_a_limit(talk: Talk) -> None:
    talk.attach(**{"max-open-files": "2", "security_model": "passthrough"})
    talk.connect()
    client = Client(talk.ask)
    client.open(1, b"hello")
    with pytest.raises(OSError, match="walk"):
        client.walk(2, b"hello")
