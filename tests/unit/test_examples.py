"""The examples work."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.support.peerworld import PeerWorld
from xenvm.host.back import BackDriver
from xenvm.host.sim import peers
from xenvm.host.sim.behaviour import _WORDS

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
    ramdisk["main"]()
    assert capsys.readouterr().out.splitlines() == [
        "the toolstack wrote 1, the back end answered 2",
        "the toolstack wrote 5, the back end answered 6",
    ]


def test_all_behaviours_are_documented() -> None:
    text = (TOP / "docs/drivers.md").read_text()
    assert all(f"| `{word}` |" in text for word in _WORDS if word != "normal")
