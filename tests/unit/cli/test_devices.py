"""block-*, network-*: both forms of xl's arguments, xl's columns byte for byte, and exit codes."""

from __future__ import annotations

import json

import pytest

from tests.support.fakehost import BACKENDS, MAC, FakeHost
from tests.unit.cli.conftest import Xenvm

FRONT = "/local/domain/1/device"


@pytest.fixture
def guest(world: FakeHost) -> FakeHost:
    world.store.drivers = True
    world.create()
    world.file("more.img", bytes(512))
    return world


def devids(world: FakeHost, kind: str) -> list[str]:
    return world.store.children(f"/libxl/1/device/{kind}")


@pytest.mark.parametrize(
    "words",
    [
        ["{},raw,xvdb,rw"],
        ["phy:{}", "xvdb", "w"],
        ["format=raw,vdev=xvdb,access=rw,target={}"],
        ["format=raw", "vdev=xvdb", "access=rw", "target={}"],
    ],
    ids=["one string", "positional", "keys", "keys apart"],
)
def test_block_attach_and_detach(guest: FakeHost, xenvm: Xenvm, words: list[str]) -> None:
    path = f"{guest.folder}/more.img"
    assert xenvm("block-attach", "g", *(word.format(path) for word in words)) == (0, "", "")
    assert devids(guest, "vbd") == ["51712", "51728"]
    assert guest.store.get(f"{BACKENDS}/vbd/1/51728/mode") == b"w"
    assert guest.loops.files["/dev/loop1"] == path
    assert xenvm("block-detach", "g", "xvdb") == (0, "", "")
    assert devids(guest, "vbd") == ["51712"] and len(guest.loops.files) == 1


def test_network_attach_and_detach(guest: FakeHost, xenvm: Xenvm) -> None:
    assert xenvm("network-attach", "g", "mac=00:16:3e:00:00:07", "bridge=xenbr0") == (0, "", "")
    assert xenvm("network-attach", "1") == (0, "", "")
    assert devids(guest, "vif") == ["0", "1", "2"]
    assert xenvm("network-detach", "g", "00:16:3E:00:00:07") == (0, "", "")
    assert xenvm("network-detach", "g", "2") == (0, "", "")
    assert devids(guest, "vif") == ["0"] and "vif1.1" not in guest.net.by_name


def test_force(guest: FakeHost, xenvm: Xenvm, monkeypatch: pytest.MonkeyPatch) -> None:
    guest.store.drivers = False
    monkeypatch.setattr("xenvm.ops.detach.CLOSE_SECONDS", 0.0)
    code, out, err = xenvm("block-detach", "g", "xvda")
    assert (code, out) == (9, "") and "g did not let go of it: its end is 4 Connected" in err
    assert xenvm("block-detach", "-f", "g", "xvda") == (0, "", "")
    assert xenvm("network-detach", "--force", "g", "0") == (0, "", "")
    assert not guest.loops.files


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["block-attach", "g"], 2, "block-attach needs a disk"),
        (["block-attach", "g", "x,raw"], 6, "no vdev in the disk `x,raw'"),
        (["block-attach", "nobody", "/x,raw,xvdb,rw"], 3, "nobody is an invalid domain identifier"),
        (["block-attach", "0", "/x,raw,xvdb,rw"], 1, "domain 0 is this host"),
        (["block-attach", "g", "/no/such,raw,xvdb,rw"], 9, "/no/such: cannot be used as a disk"),
        (["block-detach", "g", "xvdb"], 9, "vbd xvdb: domain 1 has no such device"),
        (["block-detach", "g", "what"], 6, "xenvm: command line: `what' is not a virtual device such as xvda\n"),
        (["network-attach", "g", "what=ever"], 6, "unrecognized argument `what=ever'"),
        (["network-detach", "g", "7"], 9, "vif 7: domain 1 has no such device"),
        (["block-list"], 2, "block-list needs a domain"),
        (["network-list", "nobody"], 3, "nobody is an invalid domain identifier"),
    ],
)
def test_refused(guest: FakeHost, xenvm: Xenvm, words: list[str], code: int, says: str) -> None:
    before = guest.store.dump()
    result = xenvm(*words)
    assert (result[0], result[1]) == (code, "") and says in result[2]
    assert guest.store.dump() == before


# fmt: off
BLOCK_HEADER = "Vdev  BE  handle state evt-ch ring-ref BE-path                       "
BLOCK_ROW =    "51712 0   1      4     12     8        /local/domain/0/backend/vbd/1/51712"
NETWORK_HEADER = "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       "
NETWORK_ROW =   f"0   0  {MAC}     0     4     -1   768/-1          /local/domain/0/backend/vif/1/0"
# fmt: on


def test_lists(guest: FakeHost, xenvm: Xenvm) -> None:
    guest.store.put(f"{FRONT}/vbd/51712/event-channel", "12")
    guest.store.put(f"{FRONT}/vbd/51712/ring-ref", "8")
    guest.store.put(f"{FRONT}/vif/0/tx-ring-ref", "768")
    assert xenvm("block-list", "g") == (0, f"{BLOCK_HEADER}\n{BLOCK_ROW}\n", "")
    assert xenvm("network-list", "g")[1].splitlines() == [NETWORK_HEADER, NETWORK_ROW]
    assert xenvm("block-list", "0", "g", "1")[1].splitlines() == [BLOCK_HEADER, BLOCK_ROW, BLOCK_ROW]


def test_lists_in_json(guest: FakeHost, xenvm: Xenvm) -> None:
    guest.store.put(f"{FRONT}/vif/0/state", b"junk")
    (disk,) = json.loads(xenvm("block-list", "--json", "g")[1])["devices"]
    assert disk == {
        "domid": 1,
        "devid": 51712,
        "dev": "xvda",
        "params": f"{guest.folder}/disk.img",
        "mode": "w",
        "script": "/etc/xen/scripts/block",
        "backend_domid": 0,
        "backend": f"{BACKENDS}/vbd/1/51712",
        "backend_state": 4,
        "frontend": f"{FRONT}/vbd/51712",
        "frontend_state": 4,
        "frontend_event_channel": None,
        "frontend_ring_ref": None,
    }
    (nic,) = json.loads(xenvm("network-list", "--json", "g")[1])["devices"]
    assert (nic["mac"], nic["bridge"], nic["frontend_state"]) == (MAC, "xenbr0", None)
