"""Shared folders: what is refused before anything is touched, and the daemon, started once for a host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peerworld import PeerWorld, served
from xenbus.errors import StoreTimeout
from xenvm.errors import ConfigError, DeviceError, HostError, UnsupportedError
from xenvm.guest.class_nodes import any_device
from xenvm.guest.load import load_text
from xenvm.host.back import GuestBackend
from xenvm.host.sim.plumbing import P9Daemon
from xenvm.ops import folders
from xenvm.ops.attach_class import attach_device
from xenvm.ops.destroy import destroy
from xenvm.ops.plan import conflict, ground_of, plan

OURS = "type=xen_9pfsd,tag=share,path=/srv/shared,security_model=none"


class Daemon(P9Daemon):
    """One that can be started, and says in the store that it runs."""

    def __init__(self, live: PeerWorld) -> None:
        self.live, self.starts = live, list[str]()
        self.works = self.dies = False

    def find(self, release: tuple[int, int]) -> str:
        return f"/usr/lib/xen-{release[0]}.{release[1]}/bin/xen-9pfsd"

    def start(self, program: str) -> Daemon:
        self.starts.append(program)
        if self.works:
            self.live.world.peer_client().write(f"{folders.HOME}/state", "running")
        return self

    pid = "77"

    def ended(self) -> bool:
        return self.dies


class Folder(GuestBackend):
    """A folder that waits for a guest which never comes."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PeerWorld]:
    with served(tmp_path, "xen_9pfs", Folder) as made:
        yield made


@pytest.fixture
def daemon(live: PeerWorld) -> Daemon:
    live.world.plumbing.p9daemon = found = Daemon(live)
    found.works = True
    return found


def alive(live: PeerWorld, monkeypatch: pytest.MonkeyPatch, answer: bool | None) -> None:
    monkeypatch.setattr(
        live.world.plumbing.health, "daemon", lambda program: answer if program == "xen-9pfsd" else None
    )


def test_it_is_started_once_and_stays(live: PeerWorld, daemon: Daemon) -> None:
    first = live.create("a", p9=[OURS])
    assert daemon.starts == ["/usr/lib/xen-4.20/bin/xen-9pfsd"] and live.read(f"{folders.HOME}/pid") == b"77"
    live.create("b", p9=[OURS])
    assert len(daemon.starts) == 1
    info = live.world.hyper.domain(first)
    assert info is not None
    assert destroy(live.host, first, info.uuid) == []
    assert live.read(f"{folders.HOME}/state") == b"running"


def test_one_that_was_killed_is_started_again(live: PeerWorld, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    live.write(f"{folders.HOME}/state", "running")
    alive(live, monkeypatch, None)
    folders.start_if_missing(live.host)
    alive(live, monkeypatch, True)
    folders.start_if_missing(live.host)
    assert not daemon.starts
    alive(live, monkeypatch, False)
    folders.start_if_missing(live.host)
    assert len(daemon.starts) == 1


def test_one_that_ends_or_says_nothing(live: PeerWorld, daemon: Daemon) -> None:
    daemon.works = False
    with pytest.raises(StoreTimeout, match="xen-9pfsd"):
        live.create(p9=[OURS])
    daemon.dies = True
    with pytest.raises(HostError, match="xen-9pfsd, which serves shared folders, ended at once"):
        live.create(p9=[OURS])
    assert [info.domid for info in live.world.hyper.domains()] == [0]


def test_a_guest_without_folders_asks_for_nothing(live: PeerWorld, daemon: Daemon) -> None:
    live.create(vkb=["backend-type=linux"])
    assert not daemon.starts


@pytest.mark.parametrize(
    ("p9", "why"),
    [
        ("tag=t,path=p,security_model=none", "path=p is not possible: xenvm's server takes absolute paths only"),
        ("tag=t,path=/,security_model=none", "path=/ is not possible"),
        (
            "tag=t,path=/p,security_model=mapped-xattr",
            "security_model=mapped-xattr is not possible: xenvm's server has",
        ),
        (f"{OURS},path=srv", "path=srv is not possible"),
        (f"{OURS},path=/", "path=/ is not possible"),
        (f"{OURS},path=/a//b", "path=/a//b is not possible"),
        (f"{OURS},security_model=mapped", "security_model=mapped is not possible: xen-9pfsd has none only"),
    ],
)
def test_what_no_host_could_serve(live: PeerWorld, daemon: Daemon, p9: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        live.create(p9=[p9])
    assert not daemon.starts


def test_a_file_is_no_folder(live: PeerWorld, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "check_folder", lambda path: f"{path} is not one")
    with pytest.raises(DeviceError, match=r"9pfs 0.*/srv/shared is not one"):
        live.create(p9=[OURS])


def test_a_folder_of_our_own_server(live: PeerWorld, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    own = "tag=share,path=/srv/shared,security_model=passthrough"
    domid = live.create(p9=[own])
    assert live.read(f"backend/9pfs/{domid}/0/state") == b"2" and not daemon.starts
    monkeypatch.setattr(daemon, "check_shared", lambda path: f"{path} is not there")
    with pytest.raises(DeviceError, match=r"9pfs 0.*/srv/shared is not there"):
        live.create("other", p9=[own])


def test_a_host_without_it_refuses_before_anything_is_touched(live: PeerWorld) -> None:
    before = live.world.hyper.free_pages
    with pytest.raises(UnsupportedError, match="a simulated host has no programs such as xen-9pfsd"):
        live.create(p9=[OURS])
    assert live.world.hyper.free_pages == before and live.read("/libxl/1") is None


def test_attach(live: PeerWorld, daemon: Daemon) -> None:
    info = live.world.hyper.domain(live.create())
    assert info is not None

    def attach(kind: str, **values: str) -> None:
        def make(number: int) -> object:
            return any_device("9pfs", number, info.domid, values, back_kind=kind)

        attach_device(live.host, info, "9pfs", make)  # type: ignore[arg-type]

    attach("9pfs", tag="t", path="/p", security_model="none")
    assert live.read("backend/9pfs/1/0/state") == b"2"
    with pytest.raises(DeviceError, match="security_model=mapped is not possible"):
        attach("9pfs", tag="t", path="/p", security_model="mapped")
    with pytest.raises(DeviceError, match="path= is not possible"):
        attach("xen_9pfs", tag="t", security_model="none")
    with pytest.raises(DeviceError, match="it has no tag"):
        attach("xen_9pfs", path="/p", security_model="none")
    assert not daemon.starts
    attach("xen_9pfs", tag="t", path="/p", security_model="none")
    assert len(daemon.starts) == 1 and live.read("backend/xen_9pfs/1/1/state") == b"2"


def test_the_plan_shows_it(live: PeerWorld) -> None:
    settings = f"name='g'\nkernel='{live.folder}/Image'\np9=['{OURS}']\nvdispl=['connectors=a:1x1']\n"
    spec = load_text(settings)[0]
    made = plan(spec, ground_of(live.host, spec))
    shown = [step for step in made.steps if step.operation == "start a daemon unless it runs"]
    assert [step.arguments for step in shown] == [{"program": "xen-9pfsd"}]
    pid = next(step for step in made.steps if step.arguments.get("path") == f"{folders.HOME}/pid")
    assert pid.at_run_time == "the number of the daemon's process" and pid.arguments["permissions"] == "n0"
    assert isinstance(conflict(live.host, spec), UnsupportedError)
