"""device-attach, device-list, device-detach, channel-list: columns and exit codes."""

from __future__ import annotations

import json

import pytest

from tests.support.fakehost import BACKENDS, FakeHost
from tests.unit.cli.conftest import Xenvm

FRONT = "/local/domain/1/device"


@pytest.fixture
def guest(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.setattr("xenvm.ops.attach_class.READY_SECONDS", 0.0)
    world.store.drivers = True
    world.create()
    return world


def test_any_class(guest: FakeHost, xenvm: Xenvm) -> None:
    words = ("vif", "devid=7", "backend-kind=qnic", "handle=7", "mac=00:16:3e:00:00:07")
    code, out, err = xenvm("device-attach", "g", *words)
    assert (code, out) == (9, "") and "vif 7 of domain 1: nobody serves it" in err
    assert guest.store.children("/libxl/1/device/vif") == ["0"]


def test_lists(guest: FakeHost, xenvm: Xenvm) -> None:
    for path, value in (
        ("/libxl/1/device/console/1/backend", f"{BACKENDS}/console/1/1"),
        ("/libxl/1/device/console/1/name", "talk"),
        ("/libxl/1/device/console/1/connection", "pty"),
        (f"{BACKENDS}/console/1/1/state", "4"),
        (f"{FRONT}/console/1/state", "4"),
        (f"{FRONT}/console/1/port", "9"),
        (f"{FRONT}/console/1/ring-ref", "99999999999"),
        (f"{FRONT}/console/1/tty", "/dev/pts/3"),
    ):
        guest.store.put(path, value)
    assert xenvm("channel-list", "g")[1].splitlines() == [
        "Idx BE state evt-ch ring-ref connection                               ",
        "0   0  4     9      -1       pty        /dev/pts/3                     ",
    ]
    rows = [line.split() for line in xenvm("device-list", "g")[1].splitlines()]
    assert rows[0] == ["Class", "Idx", "BE", "guest", "back", "end", "BE-path"]
    assert ["console", "1", "0", "4", "Connected", "4", "Connected", f"{BACKENDS}/console/1/1"] in rows
    found = json.loads(xenvm("device-list", "--json", "g")[1])["devices"]
    (talk,) = (each for each in found if each["class"] == "console" and each["devid"] == 1)
    assert (talk["name"], talk["frontend_port"], talk["frontend_ring_ref"]) == ("talk", 9, None)
    (only,) = json.loads(xenvm("channel-list", "--json", "g")[1])["devices"]
    assert only == talk


@pytest.mark.parametrize(
    "words, code, reason",
    [
        (["vdispl", "nonsense"], 2, "takes KEY=VALUE"),
        (["vdispl", "a=1", "a=2"], 2, "each key once"),
        (["vdispl", "devid=x"], 2, "devid=x"),
        (["vdispl", "backend-kind=../x"], 2, "backend-kind=../x"),
        (["vfb"], 9, "there are vbd"),
        (["vbd"], 9, "block-attach"),
        (["vdispl", "backend=nobody"], 3, "nobody is an invalid domain"),
    ],
)
def test_what_is_refused(guest: FakeHost, xenvm: Xenvm, words: list[str], code: int, reason: str) -> None:
    got, out, err = xenvm("device-attach", "g", *words)
    assert (got, out) == (code, "") and reason in err


def test_detach(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("device-detach", "g", "vif", "0") == (0, "", "")
    assert guest.store.children("/libxl/1/device/vif") == []
    assert "the console daemon serves it" in xenvm("device-detach", "g", "console", "0")[2]
    assert xenvm("device-detach", "g", "vif", "0")[0] == 9


@pytest.mark.parametrize("command", ["channel-list", "device-list"])
def test_a_list_needs_a_domain(guest: FakeHost, xenvm: Xenvm, command: str) -> None:
    assert xenvm(command)[0] == 2
