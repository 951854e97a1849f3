"""`xenvm top` without a terminal, and without the library."""

from __future__ import annotations

import json
import os
import sys

import pytest

from xenvm.cli import top
from xenvm.testing.commands import Commands
from xenvm.testing.host import XenHost


@pytest.fixture
def xenvm(xen_host: XenHost) -> Commands:
    return Commands(xen_host)


def test_one_look_as_text(xen_host: XenHost, xenvm: Commands) -> None:
    guest = xen_host.create("cell", disks=1, vifs=1, paused=False)
    xen_host.hyper.pause(guest.domid)
    lines = xenvm("top", "--once").check().splitlines()
    assert lines[0].startswith("2 domains, 1 alive, 1 paused; memory ")
    assert lines[1].split() == ["Name", "ID", "State", "CPU(s)", "Mem", "VCPUs", "Devices"]
    assert lines[3].split()[:3] == ["cell", str(guest.domid), "paused"]
    assert lines[3].endswith("  xvda: Connected; vif 0: Connected")


def test_no_terminal_is_one_look(xen_host: XenHost, xenvm: Commands) -> None:
    xen_host.create("cell")
    assert xenvm("top").check() == xenvm("top", "--once").check()


def test_one_look_as_json(xen_host: XenHost, xenvm: Commands) -> None:
    guest = xen_host.create("cell", disks=1)
    xen_host.store.write(f"/local/domain/{guest.domid}/device/vbd/51712/state", "3")
    found = json.loads(xenvm("top", "--json").check())
    assert found["version"] == 1
    cell = found["domains"][1]
    assert (cell["name"], cell["domid"], cell["uuid"]) == ("cell", guest.domid, guest.info.uuid)
    assert cell["memory_kib"] >= 64 * 1024
    (disk,) = cell["devices"]
    assert disk == {
        "kind": "vbd",
        "devid": 51712,
        "name": "xvda",
        "backend_domid": 0,
        "frontend_state": "Initialised",
        "backend_state": "Connected",
    }


def test_a_hostile_name_is_escaped(xen_host: XenHost, xenvm: Commands) -> None:
    guest = xen_host.create("cell")
    guest.write("name", "\x1b]0;owned\x07[red]")
    assert "\\x1b]0;owned\\x07[red]" in xenvm("top", "--once").check()
    assert json.loads(xenvm("top", "--json").check())["domains"][1]["name"] == "\x1b]0;owned\x07[red]"


def test_without_the_library_one_sentence_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, xen_host: XenHost, xenvm: Commands
) -> None:
    monkeypatch.setattr(os, "isatty", lambda _fd: True)
    for name in [name for name in sys.modules if name.startswith(("textual", "xenvm.cli.top_"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual", None)
    done = xenvm("top")
    assert done.code == 7
    assert "xenvm[top]" in done.err
    assert done.err.count("\n") == 1
    assert xenvm("top", "--once").code == 0


@pytest.mark.parametrize("delay", ["0", "3601"])
def test_a_delay_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch, xenvm: Commands, delay: str) -> None:
    monkeypatch.setattr(os, "isatty", lambda _fd: True)
    done = xenvm("top", "-d", delay)
    assert done.code == 2
    assert "--delay" in done.err


def test_one_look_loads_nothing_of_the_face() -> None:
    assert not [name for name in vars(top) if name in ("textual", "rich", "top_app")]
