"""Whole lives of guests by commands on a simulated host, each a world taken up and put away again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.guestconfig import config_text
from tests.unit.cli.conftest import Xenvm


def listed(xenvm: Xenvm) -> dict[str, int]:
    """Names and domids of the guests."""
    found = json.loads(xenvm("list", "--json")[1])["domains"]
    return {domain["name"]: domain["domid"] for domain in found if domain["domid"]}


def test_shut_down(folder: Path, xenvm: Xenvm) -> None:
    assert xenvm("create", "-q", str(folder / "g.cfg"))[0] == 0
    assert listed(xenvm) == {"g": 1}
    assert xenvm("shutdown", "-w", "g")[0] == 0
    assert listed(xenvm) == {}
    assert xenvm("create", "-q", str(folder / "g.cfg"))[0] == 0, "the disk and the name are free"


def test_reboot_and_crash(folder: Path, xenvm: Xenvm) -> None:
    assert xenvm("create", "-q", str(folder / "g.cfg"), "on_crash='preserve'")[0] == 0
    assert xenvm("reboot", "-w", "g")[0] == 0
    assert listed(xenvm) == {"g": 2}
    assert xenvm("trigger", "g", "crash")[0] == 0
    assert listed(xenvm) == {"g": 2}
    log = (folder / "world" / "monitor.log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in log if "has shut down" in line] == [
        "domain 1 has shut down, reason 1: restart",
        "domain 2 has shut down, reason 3: preserve",
    ]


def test_a_reboot_from_another_folder(folder: Path, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "g.cfg").write_text(config_text("Image", None, "disk.img", {}))
    (folder / "more.img").write_bytes(bytes(1 << 16))
    monkeypatch.chdir(folder)
    assert xenvm("create", "-q", "g.cfg")[0] == 0
    assert xenvm("block-attach", "g", "more.img,raw,xvdb,rw")[0] == 0
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert xenvm("reboot", "-w", "g")[0] == 0
    assert listed(xenvm) == {"g": 2}
    assert {device["params"] for device in json.loads(xenvm("block-list", "--json", "g")[1])["devices"]} == {
        str(folder / "disk.img"),
        str(folder / "more.img"),
    }


def test_nobody_watches(folder: Path, xenvm: Xenvm) -> None:
    assert xenvm("create", "-q", "-e", str(folder / "g.cfg"))[0] == 0
    assert xenvm("shutdown", "-w", "g")[0] == 0
    assert listed(xenvm) == {"g": 1}
