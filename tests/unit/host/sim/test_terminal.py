"""The console client of a simulated host."""

from __future__ import annotations

import fcntl
import os
import pty
import select
from pathlib import Path
from threading import Thread

import pytest

from tests.support.simworld import SimWorld
from xenvm.errors import DeviceError
from xenvm.host.sim import terminal
from xenvm.host.sim.host import SimHost, open_world
from xenvm.ops.create import create
from xenvm.ops.destroy import destroy
from xenvm.types import Domid


def attach(sim: SimWorld, typed: bytes, **named: int) -> tuple[str, str]:
    """Why a session ended, and what was shown."""
    into, out = os.pipe(), os.pipe()
    os.write(into[1], typed)
    os.close(into[1])
    try:
        why = sim.world.plumbing.console.attach("", domid=Domid(1), stdin=into[0], stdout=out[1], **named)
        os.close(out[1])
        return why, os.read(out[0], 1 << 16).decode()
    finally:
        os.close(into[0])
        os.close(out[0])


def test_a_pipe(sim: SimWorld) -> None:
    sim.create()
    why, shown = attach(sim, b"nproc\r\x1d")
    assert why == "closed", "the escape character has no meaning in a pipe"
    assert "Booting Linux" in shown and shown.count("\r\n1\r\n") == 1


def test_a_guest_that_ends(sim: SimWorld) -> None:
    domid = sim.create()
    why, shown = attach(sim, b"poweroff\r")
    assert why in ("closed", "hangup") and "Power down" in shown
    info = sim.host.hyper.domain(domid)
    assert info is not None and info.shutdown


def test_a_terminal_ends_by_the_escape_character(sim: SimWorld) -> None:
    sim.create()
    theirs, ours = pty.openpty()
    os.write(theirs, b"echo hello\r\x1dlost")
    out = os.pipe()
    assert sim.world.plumbing.console.attach("", domid=Domid(1), stdin=ours, stdout=out[1]) == "escape"
    assert b"\r\nhello\r\n" in os.read(out[0], 1 << 16)
    for fd in (theirs, ours, *out):
        os.close(fd)


def test_no_such_console(sim: SimWorld) -> None:
    with pytest.raises(DeviceError, match="console 0 of domain 1"):
        attach(sim, b"")
    sim.create()
    with pytest.raises(DeviceError, match="console 1 of domain 1"):
        attach(sim, b"", number=1)


class Client:
    """A client in a thread, at a terminal, on a host in a folder that lets others have it; `why` it has ended."""

    def __init__(self, folder: Path, domid: Domid, ahead: bytes = b"") -> None:
        """`ahead` is in its output's pipe already."""
        self.theirs, self._ours = pty.openpty()
        self._out, self._into = os.pipe()
        fcntl.fcntl(self._into, fcntl.F_SETPIPE_SZ, 4096)
        os.write(self._into, ahead)
        self.shown = b""
        self.why = ""
        self._folder, self._domid = folder, domid
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with open_world(str(self._folder)) as host:
            host.courteous = True
            console = host.world.plumbing.console
            self.why = console.attach("", domid=self._domid, stdin=self._ours, stdout=self._into)
        os.close(self._into)

    def wait_for(self, text: bytes) -> None:
        """Until the client has shown this."""
        while text not in self.shown:
            assert select.select([self._out], [], [], 20)[0], self.shown
            self.shown += os.read(self._out, 1 << 16)

    def end(self) -> str:
        """Why it has ended, by itself."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.shown += os.read(self._out, 1 << 16)
        for fd in (self.theirs, self._ours, self._out):
            os.close(fd)
        return self.why


@pytest.fixture
def shared(sim: SimWorld, tmp_path: Path) -> tuple[Path, Domid]:
    """The folder of a host, and a guest of it."""
    with open_world(str(tmp_path / "shared")) as host:
        return tmp_path / "shared", create(host, sim.spec())


@pytest.fixture
def client(shared: tuple[Path, Domid]) -> Client:
    return Client(*shared)


def other(client: Client, tmp_path: Path) -> SimHost:
    """The host, once the client has let it go."""
    client.wait_for(b"sim# ")
    return open_world(str(tmp_path / "shared"))


def test_others_have_the_world_while_nobody_types(client: Client, tmp_path: Path) -> None:
    with other(client, tmp_path) as host:
        host.store.write("/local/domain/1/control/sysrq", "h")
    client.wait_for(b"sysrq: 'h'")
    os.write(client.theirs, b"nproc\r")
    client.wait_for(b"\r\n1\r\n")
    os.write(client.theirs, b"\x1d")
    assert client.end() == "escape"


def test_last_words_of_a_guest_that_another_one_ends(client: Client, tmp_path: Path) -> None:
    with other(client, tmp_path) as host:
        host.store.write("/local/domain/1/control/shutdown", "poweroff")
        host.world.settle()
        info = host.hyper.domain(Domid(1))
        assert info is not None
        destroy(host, info.domid, info.uuid)
    assert client.end() == "hangup" and client.shown.count(b"Power down") == 1


def test_one_client_at_a_time(client: Client, tmp_path: Path) -> None:
    with other(client, tmp_path) as host, pytest.raises(DeviceError, match="already in use by another client"):
        host.world.plumbing.console.attach("", domid=Domid(1))
    os.write(client.theirs, b"\x1d")
    assert client.end() == "escape"


def test_who_leaves_waits_for_nobody(client: Client, tmp_path: Path) -> None:
    with other(client, tmp_path):
        os.write(client.theirs, b"lost\x1d")
        assert client.end() == "escape"


def test_output_that_nobody_reads_stops_nobody(shared: tuple[Path, Domid]) -> None:
    client = Client(*shared, b"." * 4096)
    with open_world(str(shared[0])):
        pass  # whenever it comes, before the client or when that has let go
    os.write(client.theirs, b"echo hello\r")
    with open_world(str(shared[0])) as host:
        host.store.write("/mine", "1")
    client.wait_for(b"\r\nhello\r\n")
    assert client.shown.startswith(b"." * 4096 + b"[    0.000000] Booting Linux")
    os.write(client.theirs, b"\x1d")
    assert client.end() == "escape"


def test_a_world_that_is_not_at_rest_is_shared_too(
    sim: SimWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_TICK", 0.002)
    with open_world(str(tmp_path / "shared")) as host:
        domid = create(host, sim.spec(extra="xenvm.behaviour=slow"))
        assert not host.world.at_rest()
    client = Client(tmp_path / "shared", domid)
    for _turn in range(3):
        with open_world(str(tmp_path / "shared")) as host:
            assert not host.world.at_rest()
    os.write(client.theirs, b"\x1d")
    assert client.end() == "escape"
