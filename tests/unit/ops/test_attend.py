"""Commands on a simulated host see to guests that have gone down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenvm.guest.blueprint import settled
from xenvm.host.hyper import SHUTDOWN_REASONS
from xenvm.ops.attend import attend
from xenvm.ops.create import Options, create
from xenvm.types import Domid


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[SimWorld]:
    sim = SimWorld(tmp_path)
    yield sim
    sim.host.close()


def started(sim: SimWorld, watch: str = "background", **settings: object) -> Domid:
    return create(sim.host, settled(sim.spec(**settings)), Options(watch=watch))


def died(sim: SimWorld, domid: Domid, reason: str) -> list[str]:
    """What is said when the guest has gone down."""
    said: list[str] = []
    sim.host.hyper.shutdown(domid, SHUTDOWN_REASONS.index(reason))
    attend(sim.host, said.append)
    return said


def domids(sim: SimWorld) -> list[int]:
    return [info.domid for info in sim.host.hyper.domains()]


def test_nobody_is_down(sim: SimWorld) -> None:
    started(sim)
    attend(sim.host, lambda text: pytest.fail(text))
    assert domids(sim) == [0, 1]


def test_poweroff_and_reboot(sim: SimWorld) -> None:
    before = sim.traces()
    domid = started(sim)
    assert died(sim, domid, "reboot")[0] == "domain 1 has shut down, reason 1: restart"
    assert domids(sim) == [0, 2] and sim.read("/local/domain/2/name") == "g"
    assert died(sim, Domid(2), "poweroff") == ["domain 2 has shut down, reason 0: destroy"]
    assert sim.traces() == before


def test_preserve_is_seen_to_once(sim: SimWorld) -> None:
    domid = started(sim, on_crash="preserve")
    assert died(sim, domid, "crash") == ["domain 1 has shut down, reason 3: preserve"]
    attend(sim.host, lambda text: pytest.fail(text))
    assert domids(sim) == [0, 1]


@pytest.mark.parametrize("watch", ["foreground", "nobody"])
def test_who_is_not_to_be_watched(sim: SimWorld, watch: str) -> None:
    assert died(sim, started(sim, watch), "poweroff") == [] and domids(sim) == [0, 1]


def test_a_suspended_guest_is_not_down(sim: SimWorld) -> None:
    assert died(sim, started(sim), "suspend") == [] and domids(sim) == [0, 1]


def test_a_restart_that_fails_is_told(sim: SimWorld) -> None:
    domid = started(sim)
    (sim.folder / "Image").unlink()
    said = died(sim, domid, "reboot")
    assert any("Image: no such file" in text for text in said) and domids(sim) == [0]


def test_a_guest_that_dies_again_and_again_stops_nothing(sim: SimWorld) -> None:
    domid = started(sim, on_crash="restart", extra="xenvm.behaviour=crash")
    sim.world.settle()
    assert sim.host.hyper.domain(domid) is not None
    for _ in range(3):
        attend(sim.host, lambda text: None)
        sim.world.settle()
    assert len(domids(sim)) == 2
