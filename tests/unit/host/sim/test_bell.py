"""Those who wait for a world to change are woken by whoever changes it, and nobody waits for the dead."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from xenvm.errors import HostAtRest
from xenvm.host.sim.bell import Bell, ring
from xenvm.host.sim.host import SimHost, open_world
from xenvm.host.sim.world import World


def bells(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("bell-*")]


def test_all_are_woken_but_who_rings(tmp_path: Path) -> None:
    with Bell(str(tmp_path)) as one, Bell(str(tmp_path)) as two:
        assert os.stat(one.path).st_mode & 0o777 == 0o600
        ring(str(tmp_path), one.path)
        ring(str(tmp_path), two.path)
        one.wait()
        two.wait()
        for bell in (one, two):
            with pytest.raises(BlockingIOError):  # rung once
                os.set_blocking(bell._fd, False)
                os.read(bell._fd, 1)
    assert not bells(tmp_path)


def test_who_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    with Bell(str(tmp_path)) as bell:
        os.set_blocking(bell._fd, False)
        os.write(bell._fd, bytes(1 << 20))  # as much as it holds
        ring(str(tmp_path), "")


def test_bells_of_the_dead_go(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bell-dead")
    (tmp_path / "bell-file").write_text("")
    (tmp_path / "bell-link").symlink_to("nowhere")
    ring(str(tmp_path), "")
    assert sorted(bells(tmp_path)) == ["bell-file", "bell-link"]


def test_a_host_is_let_go_until_it_has_changed(tmp_path: Path) -> None:
    host = open_world(str(tmp_path))
    host.store.write("/mine", "1")
    waiting = Thread(target=host.until_changed)
    waiting.start()
    with open_world(str(tmp_path)) as other:  # waits until it is let go
        assert other.store.read("/mine") == b"1" and len(bells(tmp_path)) == 1
    with open_world(str(tmp_path)) as other:
        assert waiting.is_alive(), "nobody has changed anything"
        other.store.write("/mine", "2")
    waiting.join(20)
    assert not waiting.is_alive() and not bells(tmp_path)
    host.close()  # once more does nothing
    with open_world(str(tmp_path)) as other:
        assert other.store.read("/mine") == b"2"


def test_a_host_without_a_folder_is_nobody_elses() -> None:
    with SimHost(World()) as host, pytest.raises(HostAtRest, match="no folder"):
        host.until_changed()
