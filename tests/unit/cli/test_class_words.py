"""vkb-*, vdispl-*, vsnd-*: xl's words as nodes, xl's columns, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.support.fakehost import BACKENDS, FakeHost
from tests.unit.cli.conftest import Xenvm
from xenvm.cli import classes
from xenvm.guest.class_nodes import any_device
from xenvm.types import Domid


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    world.store.drivers = True
    world.create()
    return world


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """What would be attached; each is checked to be nodes of its class."""
    found: list[tuple[str, dict[str, str]]] = []

    def attach(_domain: str, kind: str, given: dict[str, str], **_options: object) -> int:
        found.append((kind, given))
        special = ("devid", "backend", "backend-kind")
        any_device(kind, 0, Domid(1), {key: value for key, value in given.items() if key not in special})
        return 0

    monkeypatch.setattr(classes, "attach", attach)
    return found


@pytest.mark.parametrize(
    "words, kind, nodes",
    [
        (
            ["vkb-attach", "g", "backend-type=linux,unique-id=k,feature-abs-pointer=1", "width=800"],
            "vkbd",
            {"unique-id": "k", "feature-abs-pointer": "1", "width": "800", "backend-kind": "vinput"},
        ),
        (
            ["vkb-attach", "g", "backend-type=qemu", "multi-touch-width=9"],
            "vkbd",
            {"multi-touch-width": "9", "feature-multi-touch": "1", "backend-kind": "vkbd"},
        ),
        (
            ["vdispl-attach", "g", "connectors=a:800x600;b:8x6", "backend=0"],
            "vdispl",
            {
                "be-alloc": "0",
                "backend": "0",
                "0/resolution": "800x600",
                "0/unique-id": "a",
                "1/resolution": "8x6",
                "1/unique-id": "b",
            },
        ),
        (
            [
                *("vsnd-attach", "g", "CARD, short-name=s, sample-rates=8000;16000", "pcm, name=one, channels-min=1"),
                *("stream, unique-id=u, type=p", "stream, unique-id=v, type=c", "pcm, name=two"),
            ],
            "vsnd",
            {
                "short-name": "s",
                "sample-rates": "8000,16000",
                "0/name": "one",
                "0/channels-min": "1",
                "0/0/unique-id": "u",
                "0/0/type": "p",
                "0/1/unique-id": "v",
                "0/1/type": "c",
                "1/name": "two",
            },
        ),
    ],
)
def test_words_become_nodes(
    guest: FakeHost, xenvm: Xenvm, attached: list[object], words: list[str], kind: str, nodes: dict[str, str]
) -> None:
    assert xenvm(*words) == (0, "", "") and attached == [(kind, nodes)]


@pytest.mark.parametrize(
    "words, reason",
    [
        (["vkb-attach", "g"], "backend-type must be qemu or linux"),
        (["vkb-attach", "g", "backend-type=linux", "feature-multi-touch=1"], "needs multi-touch-width"),
        (["vkb-attach", "g", "backend-type=linux,width=x"], "width=x makes no sense"),
        (["vkb-attach", "g", "backend-type=linux,nonsense=1"], "no node that a toolstack writes"),
        (["vdispl-attach", "g"], "at least one connector"),
        (["vdispl-attach", "g", "connectors=a:8"], "a connector is ID:WxH"),
        (["vdispl-attach", "g", "connectors=a:8x6,be-alloc=0,be-alloc=1"], "`be-alloc' is given twice"),
        (["vsnd-attach", "g", "name=x"], "must begin with card, pcm or stream"),
        (["vsnd-attach", "g"], "something to say"),
        (["vsnd-attach", "g", "card, x"], "is no KEY=VALUE"),
    ],
)
def test_what_is_refused(guest: FakeHost, xenvm: Xenvm, words: list[str], reason: str) -> None:
    code, out, err = xenvm(*words)
    assert code in (6, 9) and out == "" and reason in err


def test_a_keyboard_comes_is_listed_and_goes(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("vkb-attach", "g", "backend-type=linux,unique-id=key") == (0, "", "")
    lines = xenvm("vkb-list", "g")[1].splitlines()
    assert lines[0] == "Idx BE handle state evt-ch    ref ID         BE-type    BE-path                       "
    assert lines[1].startswith("0   0       0 ") and lines[1].rstrip().endswith(
        f"key        linux      {BACKENDS}/vinput/1/0"
    )
    (found,) = json.loads(xenvm("vkb-list", "--json", "g")[1])["devices"]
    assert (found["class"], found["backend_kind"], found["unique-id"]) == ("vkbd", "vinput", "key")
    assert xenvm("vkb-detach", "-f", "g", "0")[0] == 0
    assert guest.store.children("/libxl/1/device/vkbd") == []


@pytest.mark.parametrize("name", ["vdispl", "vsnd"])
def test_the_others(guest: FakeHost, xenvm: Xenvm, name: str) -> None:
    assert xenvm(f"{name}-list", "g")[1].split()[0] == "Class"
    assert xenvm(f"{name}-list")[0] == 2
    assert xenvm(f"{name}-detach", "g", "0")[0] == 9
