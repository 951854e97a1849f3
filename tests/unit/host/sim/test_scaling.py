"""What one more guest costs does not depend on how many there are: counted, not timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simworld import SimWorld
from xenbus.server.engine import Engine
from xenbus.server.watches import WatchIndex
from xenvm.host.sim.domain import SimDomain

FEW, MANY = 3, 25


class Counts:
    """How often the parts are asked that all guests have in common."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.counts = dict.fromkeys(("requests", "watches", "infos"), 0)
        perform, covering, info = Engine.perform, WatchIndex.covering, SimDomain.info.fget
        assert info is not None

        def counted_perform(*arguments: object) -> bytes:
            self.counts["requests"] += 1
            return perform(*arguments)  # type: ignore[arg-type]

        def counted_covering(*arguments: object, **named: bool) -> list[object]:
            found = covering(*arguments, **named)  # type: ignore[arg-type]
            self.counts["watches"] += len(found)
            return found  # type: ignore[return-value]

        def counted_info(domain: SimDomain) -> object:
            self.counts["infos"] += 1
            return info(domain)

        patch.setattr(Engine, "perform", counted_perform)
        patch.setattr(WatchIndex, "covering", counted_covering)
        patch.setattr(SimDomain, "info", property(counted_info))

    def taken(self) -> dict[str, int]:
        """The counts since the last call."""
        taken, self.counts = self.counts, dict.fromkeys(self.counts, 0)
        return taken


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimWorld]:
    made = SimWorld(tmp_path)
    yield made
    made.world.close()


def next_guest(world: SimWorld, number: int) -> None:
    """A guest with a disk and a vif of its own, which boots."""
    disk = world.folder / f"disk-{number}.img"
    disk.write_bytes(bytes(1 << 16))
    world.create(
        name=f"guest-{number:03}",
        uuid=f"11111111-2222-3333-4444-{number:012}",
        disk=[f"{disk},raw,xvda,rw"],
        vif=[f"mac=00:16:3e:00:00:{number:02x},bridge=xenbr0"],
    )
    world.world.settle()


def test_a_creation_among_many(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, found = Counts(monkeypatch), {}
    for number in range(1, MANY + 1):
        next_guest(world, number)
        found[number] = counts.taken()
    assert found[FEW]["requests"] > 100
    assert found[MANY] == found[FEW]


def test_a_destruction_among_many(world: SimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for number in range(1, MANY + 1):
        next_guest(world, number)
        if number in (FEW, MANY):
            counts = Counts(monkeypatch)
            assert not world.destroy(max(world.world.hyper.all))
            world.world.settle()
            found.append(counts.taken())
            monkeypatch.undo()
    assert found[0]["requests"] > 10
    assert found[1]["requests"] <= found[0]["requests"] + 3, "the directories of the last guest go, too"
    assert found[1]["watches"] <= found[0]["watches"] + 3
