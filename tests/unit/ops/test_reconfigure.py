"""Another configuration for the next start: what is replaced, what stays, and whose guest it must be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.simworld import MAC, UUID, SimWorld
from xenvm.errors import DomainError
from xenvm.host.hyper import DomainInfo
from xenvm.ops import memo
from xenvm.ops.attend import attend
from xenvm.ops.names import rename
from xenvm.ops.reconfigure import replace_config
from xenvm.types import Domid


@pytest.fixture
def world(tmp_path: Path) -> SimWorld:
    return SimWorld(tmp_path)


def info(world: SimWorld, domid: Domid) -> DomainInfo:
    found = world.host.hyper.domain(domid)
    assert found is not None
    return found


def test_what_stays(world: SimWorld) -> None:
    domid = world.create()
    rename(world.host, "g", "h")
    wanted = world.spec(name="other", uuid=None, memory=48, vif=["", "bridge=xenbr0"])
    replace_config(world.host, info(world, domid), wanted)
    kept = memo.read(world.host, domid, UUID)
    assert kept is not None and kept.updated
    found = memo.current(world.host, info(world, domid), kept)
    assert (found.name, found.uuid, found.memory) == ("h", UUID, 48 * 1024)
    assert found.nics[0].mac == MAC and (found.nics[1].mac or "").startswith("00:16:3e:")


def test_the_start_after_next_is_as_the_guest_is(world: SimWorld) -> None:
    domid = world.create()
    replace_config(world.host, info(world, domid), world.spec(memory=48))
    world.host.hyper.shutdown(domid, 1)
    attend(world.host, print)
    found = memo.read(world.host, Domid(2), UUID)
    assert found is not None and not found.updated and info(world, Domid(2)).max_pages < 49 * 256 + 1


def test_guests_of_others(world: SimWorld) -> None:
    domid = world.create()
    os.unlink(world.host.plumbing.userdata.UserData(domid, UUID).path("d", memo.USERID))
    with pytest.raises(DomainError, match="domain 1 was not created by xenvm: whoever did makes it again"):
        replace_config(world.host, info(world, domid), world.spec())
