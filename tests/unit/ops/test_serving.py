"""The process that serves channels: started once, with its output in a log; never two."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.peerworld import PeerWorld
from xenvm.errors import HostError
from xenvm.guest.classes import ChannelSpec
from xenvm.host.open import Host
from xenvm.host.plumbing.locks import FileLock
from xenvm.ops import serving
from xenvm.ops.others import other_devices
from xenvm.types import Domid


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Each start of a process, which does not happen."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(serving, "LOCK", str(tmp_path / "run/serve.lock"))
    monkeypatch.setattr(serving, "LOG", str(tmp_path / "log/serve.log"))
    monkeypatch.setattr(os, "posix_spawn", lambda *words, **options: calls.append((words, options)))
    return calls


def test_it_is_started_unless_it_runs(started: list[Any], tmp_path: Path) -> None:
    serving.start_if_missing(Host())
    ((program, words, _environment), options) = started.pop()
    assert program == words[0] == sys.executable and words[4:] == sys.path and options["setsid"]
    assert (tmp_path / "log").is_dir()
    with FileLock(serving.LOCK):
        serving.start_if_missing(Host())
        with pytest.raises(HostError, match="another process serves"):
            serving.run(Host())
    assert not started


def test_the_program_that_is_started_is_one(started: list[Any]) -> None:
    compile(serving._PROGRAM, "program", "exec")
    assert callable(serving.background)


def test_only_a_guest_with_channels_needs_it(started: list[Any], tmp_path: Path) -> None:
    live = PeerWorld(tmp_path)
    from xenvm.guest.spec import GuestSpec

    spec = GuestSpec("g", "Image")
    assert other_devices(live.host, Domid(1), spec) == []
    live.host.lasting = True  # as a real host
    (device,) = other_devices(live.host, Domid(1), spec.replace(channels=(ChannelSpec("c"),)))
    assert device.kind == "console" and len(started) == 1
    live.world.close()


def test_simulated_guests_are_not_served(started: list[Any], tmp_path: Path) -> None:
    live = PeerWorld(tmp_path)
    serving.start_if_missing(live.host)
    with pytest.raises(HostError, match="simulated host"):
        serving.run(live.host)
    assert not started
    live.world.close()
