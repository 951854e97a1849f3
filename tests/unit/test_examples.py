"""The examples work."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.support.peerworld import PeerWorld
from xenvm.guest.class_nodes import any_device
from xenvm.host.back import BackDriver
from xenvm.host.sim import peers
from xenvm.host.sim.behaviour import _WORDS
from xenvm.ops.attach_class import attach_device

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def ramdisk() -> dict[str, Any]:
    return runpy.run_path(str(TOP / "examples/ramdisk.py"))


def test_a_guest_uses_the_disk_of_the_example(
    ramdisk: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def driver(world: Any, _state: Any) -> BackDriver:
        return BackDriver("vbd", world.peer_client(), world.back_side(), ramdisk["RamDisk"].probe)

    monkeypatch.setattr(peers, "SERVICES", (peers.console_daemon, driver))
    live = PeerWorld(tmp_path)
    disk = live.kernel(live.create(disks=1)).disks["51712"]
    write, beyond = disk.write_sectors(3, b"example " * 128), disk.read_sectors(2047, 2)
    live.world.settle()
    read = disk.read_sectors(3, 2)
    live.world.settle()
    assert write.done and not write.failed and beyond.failed and not read.failed
    assert read.data == b"example " * 128
    live.write(f"/local/domain/{disk.side.domid}/control/shutdown", "poweroff")
    assert live.code(disk.side.domid) == 0
    live.world.close()


def test_the_example_shows_the_handshake(ramdisk: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    ramdisk["demonstrate"]()
    assert capsys.readouterr().out.splitlines() == [
        "the toolstack wrote 1, the back end answered 2",
        "the toolstack wrote 5, the back end answered 6",
    ]


def test_a_guest_pings_the_network_of_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = runpy.run_path(str(TOP / "examples/pingnet.py"))

    def driver(world: Any, _state: Any) -> BackDriver:
        return BackDriver("qnic", world.peer_client(), world.back_side(), example["PingNet"].probe)

    monkeypatch.setattr(peers, "SERVICES", (peers.console_daemon, driver))
    live = PeerWorld(tmp_path)
    info = live.world.hyper.domain(live.create())
    assert info is not None
    values = {"handle": "0", "mac": "00:16:3e:00:00:07"}
    attach_device(live.host, info, "vif", lambda devid: any_device("vif", devid, info.domid, values, back_kind="qnic"))
    live.world.settle()
    nic = live.kernel(info.domid).nics["0"]
    ours, mine = bytes.fromhex("00163e000007"), example["MAC"]
    asked = example["ARP_REQUEST"] + ours + bytes([10, 9, 0, 2]) + bytes(6) + example["ADDRESS"]
    nic.send(b"\xff" * 6 + ours + example["ARP"] + asked)
    echo = example["with_checksum"](b"\x08\0\0\0\0\x01\0\x01hello, there", 2)
    header = bytes.fromhex("450000280001000040010000") + bytes([10, 9, 0, 2]) + example["ADDRESS"]
    nic.send(mine + ours + example["IPV4"] + example["with_checksum"](header, 10) + echo)
    nic.send(mine + ours + example["IPV4"] + b"\x46" + header[1:] + echo)  # it has options: not for this page
    live.world.settle()
    arp, pong = nic.received
    assert arp[:14] == ours + mine + example["ARP"] and arp[22:28] == mine and arp[28:32] == example["ADDRESS"]
    assert pong[26:34] == example["ADDRESS"] + bytes([10, 9, 0, 2]) and pong[42:] == echo[8:]
    assert example["with_checksum"](pong[34:36] + b"\0\0" + pong[38:], 2) == pong[34:]
    live.world.close()


def test_all_behaviours_are_documented() -> None:
    text = (TOP / "docs/drivers.md").read_text()
    assert all(f"| `{word}` |" in text for word in _WORDS if word != "normal")
