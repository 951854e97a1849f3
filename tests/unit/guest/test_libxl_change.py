"""libxl's record, changed while a guest runs, and read when it is made again."""

from __future__ import annotations

import json

import pytest

from xenvm.guest.libxl_change import add, remove, resize, with_devices
from xenvm.guest.libxl_json import record
from xenvm.guest.load import load_text
from xenvm.guest.spec import DiskSpec, NicSpec

SPEC = load_text(
    """name = "g"
kernel = "/k"
disk = ["/a,raw,xvda,rw,discard"]
vif = ["mac=00:16:3e:00:00:01,bridge=b,rate=1MB/s"]
""",
    "g.cfg",
)[0]
DISK = DiskSpec("/b", "xvdb", 51728, readwrite=False, script="block-x", removable=True)
NIC = NicSpec(3, "00:16:3e:00:00:02", bridge="c", mtu=1400, rate=(5, 6), vifname="v", vlan="7")


def test_nothing_has_changed() -> None:
    assert with_devices(SPEC, record(SPEC)) == SPEC


def test_devices_that_came() -> None:
    text = add(add(record(SPEC), DISK), NIC)
    assert with_devices(SPEC, text) == SPEC.replace(disks=(*SPEC.disks, DISK), nics=(*SPEC.nics, NIC))


def test_devices_that_went() -> None:
    text = remove(remove(record(SPEC), "vbd", 51712), "vif", 0)
    assert with_devices(SPEC, text) == SPEC.replace(disks=(), nics=())
    assert "disks" not in json.loads(text)
    assert remove(text, "9pfs", 0) == text


def test_another_in_its_place() -> None:
    other = SPEC.disks[0].replace(target="/c", readwrite=False, discard=None)
    found = with_devices(SPEC, add(record(SPEC), other)).disks
    assert [(disk.target, disk.readwrite) for disk in found] == [("/c", False)]


def test_the_rest_of_the_record_stays() -> None:
    before = json.loads(record(SPEC))
    before["c_info"]["xsdata"] = {"a": "b"}
    after = json.loads(resize(add(json.dumps(before), DISK), "target_memkb", 4096))
    assert after["b_info"].pop("target_memkb") == 4096
    before["b_info"].pop("target_memkb")
    assert after.pop("disks")[1]["vdev"] == "xvdb"
    before.pop("disks")
    assert after == before


def test_what_xl_writes() -> None:
    text = """{"disks": [{"pdev_path": "/x", "vdev": "xvdc", "backend": "phy", "format": "raw", "readwrite": 1,
        "discard_enable": "True", "backend_domid": 0}], "nics": [{"mac": "00:16:3e:00:00:09", "nictype": "vif"}]}"""
    found = with_devices(SPEC, text)
    assert found.disks == (DiskSpec("/x", "xvdc", 51744, backendtype="phy", discard=True),)
    assert found.nics == (NicSpec(0, "00:16:3e:00:00:09"),)


@pytest.mark.parametrize(
    "text",
    [
        '{"disks": 7, "nics": {"a": 1}}',
        '{"disks": [7, {}, {"vdev": "no"}, {"vdev": []}], "nics": [{"devid": "x"}, {"devid": -1}, null]}',
    ],
)
def test_entries_that_make_no_sense(text: str) -> None:
    assert with_devices(SPEC, text) == SPEC.replace(disks=(), nics=())


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"b_info": 7}'])
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(ValueError):
        resize(text, "max_memkb", 1)
