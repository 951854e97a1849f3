"""Devices of other classes for guests that run, on a simulated host whose back ends are here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peerworld import PeerWorld, served
from xenbus.driver import Backend
from xenbus.tree import walk
from xenvm.errors import DeviceError, DomainError, NoSuchDomain
from xenvm.guest.class_nodes import any_device
from xenvm.guest.classes import ChannelSpec, Connector, VdisplSpec, VkbSpec
from xenvm.guest.load import load_text
from xenvm.guest.nodes import Device
from xenvm.host.back import GuestBackend
from xenvm.host.hyper import DomainInfo
from xenvm.ops import devices
from xenvm.ops.attach_class import attach_device
from xenvm.ops.create import create
from xenvm.ops.destroy import destroy
from xenvm.ops.detach import detach


class Display(GuestBackend):
    """A display that waits for a guest which never comes."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PeerWorld]:
    with served(tmp_path, "vdispl", Display) as made:
        yield made


@pytest.fixture
def info(live: PeerWorld) -> DomainInfo:
    found = live.world.hyper.domain(live.create())
    assert found is not None
    return found


def display(live: PeerWorld, info: DomainInfo, kind: str = "vdispl", **options: object) -> Device:
    return attach_device(live.host, info, kind, lambda devid: any_device(kind, devid, info.domid, {}), **options)  # type: ignore[arg-type]


def nodes(live: PeerWorld) -> list[str]:
    return list(walk(live.world.client(), "/"))


def test_attach_list_and_detach(live: PeerWorld, info: DomainInfo) -> None:
    before = nodes(live)
    first, second = display(live, info), display(live, info)
    assert (first.devid, second.devid) == (0, 1)
    listed = [each for each in devices.of_guest(live.host, info.domid) if each.record.kind == "vdispl"]
    assert [(each.record.devid, each.front, each.record.state) for each in listed] == [
        (0, {"state": 1}, "2"),
        (1, {"state": 1}, "2"),
    ]
    for each in listed:
        live.write(f"{each.record.frontend}/state", "6")
        detach(live.host, info, each.record)
    assert nodes(live) == before


def test_a_console_without_a_number(live: PeerWorld, info: DomainInfo) -> None:
    """It is the first one behind the primary console, which has the number 0."""
    given = {"name": "talk", "connection": "pty", "output": "pty"}

    def make(devid: int) -> Device:
        return any_device("console", devid, info.domid, given)

    assert attach_device(live.host, info, "console", make, wait=False).devid == 1


def test_the_same_twice(live: PeerWorld, info: DomainInfo) -> None:
    display(live, info, devid=4)
    with pytest.raises(DeviceError, match="has this device already"):
        display(live, info, devid=4)
    assert display(live, info).devid == 5


def test_nobody_serves_it(live: PeerWorld, info: DomainInfo) -> None:
    before, began = nodes(live), live.world.now
    with pytest.raises(DeviceError, match=r"pvcalls 0 of domain 1: nobody serves it: .*/backend/pvcalls/1/0"):
        display(live, info, "pvcalls")
    assert nodes(live) == before and live.world.now - began < 12


def test_a_keyboard_is_not_waited_for(live: PeerWorld, info: DomainInfo) -> None:
    device = display(live, info, "vkbd", wait=False)
    assert live.read(f"{device.backend}/state") == b"1"
    found = devices.find_device(live.host, info.domid, "vkbd", "0")
    detach(live.host, info, found, force=True)
    with pytest.raises(DeviceError):
        devices.find_device(live.host, info.domid, "vkbd", "0")


def test_a_back_end_that_refuses(live: PeerWorld, info: DomainInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def offer(_self: Backend) -> dict[str, object]:
        raise OSError("no screen")

    monkeypatch.setattr(Display, "offer", offer)
    before = nodes(live)
    with pytest.raises(DeviceError, match="refused it"):
        display(live, info)
    assert set(nodes(live)) - set(before) <= {
        *("/local/domain/0/error", "/local/domain/0/error/backend", "/local/domain/0/error/backend/vdispl"),
        *("/local/domain/0/error/backend/vdispl/1", "/local/domain/0/error/backend/vdispl/1/0"),
        "/local/domain/0/error/backend/vdispl/1/0/error",
    }


def test_guests_that_are_gone(live: PeerWorld, info: DomainInfo) -> None:
    live.write(f"/local/domain/{info.domid}/control/shutdown", "poweroff")
    down = live.world.hyper.domain(info.domid)
    assert down is not None and down.shutdown
    with pytest.raises(DomainError, match="has gone down"):
        display(live, down)
    destroy(live.host, info.domid, info.uuid)
    with pytest.raises(NoSuchDomain):
        display(live, info)


def test_at_creation(live: PeerWorld) -> None:
    before = nodes(live)
    spec = load_text(f"name='c'\nkernel='{live.folder}/Image'\nmemory=64\n")[0].replace(
        channels=(ChannelSpec("talk"),), vkbs=(VkbSpec(),), vdispls=(VdisplSpec((Connector("a", 8, 6),)),)
    )
    domid = create(live.host, spec)
    kinds = [(each.record.kind, each.record.devid) for each in devices.of_guest(live.host, domid)]
    assert sorted(kinds) == [("console", 0), ("console", 1), ("vdispl", 0), ("vkbd", 0)]
    assert live.read(f"/local/domain/{domid}/device/vdispl/0/0/resolution") == b"8x6"
    info = live.world.hyper.domain(domid)
    assert info is not None and destroy(live.host, domid, info.uuid) is not None
    assert {*nodes(live)} - {*before} <= {"/vm", "/libxl"}


def test_a_back_end_in_no_domain(live: PeerWorld) -> None:
    spec = load_text(f"name='c'\nkernel='{live.folder}/Image'\nmemory=64\n")[0]
    with pytest.raises(NoSuchDomain, match="driver"):
        create(live.host, spec.replace(vkbs=(VkbSpec(backend="driver"),)))
    assert [each.domid for each in live.world.hyper.domains()] == [0]
