"""What does not work on a simulated host: it is as said, can be mended, and outlives a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peerworld import PeerWorld
from xenvm.errors import DeviceError
from xenvm.host.sim.faults import FAILING, MISSING, SLOW, STUCK
from xenvm.host.sim.world import world_from
from xenvm.types import Domid

BACK = "/local/domain/0/backend/vbd/1/51712/state"
FRONT = "/local/domain/1/device/vbd/51712/state"


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[PeerWorld]:
    made = PeerWorld(tmp_path)
    yield made
    made.host.close()


def restart(peers: PeerWorld, fault: str) -> None:
    """The guest's driver lets its disk go and takes it again, while the back end has a fault."""
    peers.create("g", disks=1)
    peers.write(FRONT, "6")
    peers.world.faults.services["vbd"] = fault
    peers.write(FRONT, "1")


@pytest.mark.parametrize(("fault", "state"), [(MISSING, b"6"), (STUCK, b"2"), (FAILING, b"6")])
def test_a_back_end_with_a_fault(peers: PeerWorld, fault: str, state: bytes) -> None:
    restart(peers, fault)
    peers.world.advance(30)
    assert peers.read(BACK) == state


def test_a_back_end_that_is_mended(peers: PeerWorld) -> None:
    restart(peers, MISSING)
    peers.world.faults.services.clear()
    peers.world.settle()
    assert peers.read(BACK) == peers.read(FRONT) == b"4"


def test_a_slow_back_end_gets_there(peers: PeerWorld) -> None:
    restart(peers, SLOW)
    peers.world.settle()
    assert peers.read(BACK) == b"6"
    peers.world.advance(20)
    assert peers.read(BACK) == peers.read(FRONT) == b"4"


def test_no_console_daemon(peers: PeerWorld) -> None:
    peers.world.faults.services["console"] = MISSING
    with pytest.raises(Exception, match="gave up waiting for the console daemon"):
        peers.create("g")
    peers.world.faults.services.clear()
    peers.create("g")


def test_no_bridge(peers: PeerWorld) -> None:
    peers.world.faults.bridges.add("xenbr0")
    with pytest.raises(DeviceError, match="the bridge xenbr0 does not exist"):
        peers.world.plumbing.bridge.find_bridge("", "vif 0")
    assert peers.world.plumbing.bridge.find_bridge("br7", "vif 0") == "br7"


def test_faults_and_times_outlive_a_process(peers: PeerWorld) -> None:
    peers.create("g", disks=1)
    peers.world.advance(5)
    peers.world.faults.services["vif"] = STUCK
    peers.world.faults.bridges.add("br7")
    state = peers.world.state()
    del state["kernels"], state["services"][1:]
    again = world_from({**state, "kernels": {}}, files=lambda: str(peers.files))
    assert again.faults.services == {"vif": STUCK} and again.faults.bridges == {"br7"}
    assert again.now - (again.annals.since(BACK) or 0.0) == 5.0
    old = {key: value for key, value in state.items() if key not in ("faults", "states")}
    assert world_from({**old, "kernels": {}}, files=lambda: str(peers.files)).faults.services == {}


def test_times_go_with_their_nodes(peers: PeerWorld) -> None:
    peers.create("g", disks=1)
    assert peers.world.annals.since(BACK) is not None and peers.world.annals.since("/local") is None
    peers.world.store.remove("/local/domain/0/backend/vbd/1")
    peers.world.store.remove("/local/domain/1/device")
    assert [path for path in peers.world.annals.states if "vbd" in path and "libxl" not in path] == []
    assert peers.world.hyper.domain(Domid(1)) is not None
