"""Disk specifications and virtual device numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError
from xenvm.guest.disk import parse_disk, vdev_to_devid
from xenvm.guest.spec import DiskSpec

PLAIN = {"target": "/dev/x", "vdev": "xvda"}
CDROM = {"target": "/x.iso", "vdev": "hdc", "cdrom": True, "removable": True, "readwrite": False}
EMPTY = {**CDROM, "target": "", "format": "empty"}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("/dev/x,,xvda", PLAIN),
    ("/dev/x,,xvda,", PLAIN),
    ("/dev/x,raw,xvda,w", PLAIN),
    ("/dev/x,raw,xvda,rw", PLAIN),
    ("/dev/x,,xvda,,", PLAIN),
    (" /dev/x, raw,\txvda, w", PLAIN),
    ("format=raw, vdev=xvda, access=rw, target=/dev/x", PLAIN),
    ("vdev=xvda,/dev/x", PLAIN),
    ("vdev=xvda,/dev/x,raw", PLAIN),
    ("vdev=xvda,/dev/x,raw,rw", PLAIN),
    ("format=raw,/dev/x,xvda,w", PLAIN),
    ("format=,/dev/x,xvda", PLAIN),
    ("format=raw,format=raw,vdev=xvda,target=/dev/x", PLAIN),
    ("format=raw,format=,vdev=xvda,target=/dev/x", PLAIN),
    ("vdev=,vdev=xvda,target=/dev/x", PLAIN),
    ("vdev=xvda,target=/dev/x,", PLAIN),
    ("vdev=xvda,access=,target=/dev/x", PLAIN),
    ("vdev=xvda,access=r,access=w,target=/dev/x", PLAIN),
    ("vdev=xvda,devtype=cdrom,devtype=disk,target=/dev/x", PLAIN),
    ("vdev=xvda,backend=,target=/dev/x", PLAIN),
    ("no-colo,vdev=xvda,target=/dev/x", PLAIN),
    ("specification=xen,vdev=xvda,target=/dev/x", PLAIN),
    ("raw:/dev/x,xvda,w", PLAIN),
    ("phy:/dev/x,xvda,w", PLAIN),
    ("file:/dev/x,xvda", PLAIN),
    ("tapdisk:/dev/x,xvda", PLAIN),
    ("ioemu:file:/dev/x,xvda", PLAIN),
    ("phy: /dev/x,xvda", PLAIN),
    ("/dev/x,,xvda:disk", PLAIN),
    ("/dev/x,,xvda,r", {**PLAIN, "readwrite": False}),
    ("/dev/x,,xvda,ro", {**PLAIN, "readwrite": False}),
    ("/x,qcow2,xvda", {"target": "/x", "vdev": "xvda", "format": "qcow2"}),
    ("/x,qcow,xvda", {"target": "/x", "vdev": "xvda", "format": "qcow"}),
    ("/x,vhd,xvda", {"target": "/x", "vdev": "xvda", "format": "vhd"}),
    ("/x,qed,xvda", {"target": "/x", "vdev": "xvda", "format": "qed"}),
    ("qcow2:/x,xvda", {"target": "/x", "vdev": "xvda", "format": "qcow2"}),
    ("tap:qcow2:/x,xvda", {"target": "/x", "vdev": "xvda", "format": "qcow2"}),
    ("tap2:aio:vhd:/x,xvda", {"target": "/x", "vdev": "xvda", "format": "vhd"}),
    ("iscsi:iqn.2001:0-8a,xvda,w", {"target": "iqn.2001:0-8a", "vdev": "xvda", "script": "block-iscsi"}),
    ("nbd:h:1,xvda", {"target": "h:1", "vdev": "xvda", "script": "block-nbd"}),
    ("enbd:h,xvda", {"target": "h", "vdev": "xvda", "script": "block-enbd"}),
    ("drbd:app01,hda,w", {"target": "app01", "vdev": "hda", "script": "block-drbd"}),
    ("script=block-x,vdev=xvda,target=a=b,c ", {"target": "a=b,c ", "vdev": "xvda", "script": "block-x"}),
    ("vdev=xvda,target=foo:/x", {"target": "foo:/x", "vdev": "xvda"}),
    ("rbd:pool/img,,xvda", {"target": "rbd:pool/img", "vdev": "xvda"}),
    ("/dev/vg/a:b,,xvda", {"target": "/dev/vg/a:b", "vdev": "xvda"}),
    ("/dev/x ,,xvda", {"target": "/dev/x ", "vdev": "xvda"}),
    ("cdrom ,raw,xvda", {"target": "cdrom ", "vdev": "xvda"}),
    ("/x.iso,,hdc,cdrom", CDROM),
    ("/x.iso,,hdc,,cdrom", CDROM),
    ("/x.iso,raw,hdc,devtype=cdrom", CDROM),
    ("raw:/x.iso,hdc:cdrom,ro", CDROM),
    ("/x.iso,,hdc:cdrom,rw", CDROM),
    ("devtype=cdrom,,,hdc", EMPTY),
    (",,hdc:cdrom,r", EMPTY),
    (",hdc:cdrom,r", EMPTY),
    (",empty,hdc:cdrom,r", EMPTY),
    ("vdev=hdc,access=r,devtype=cdrom,target=", EMPTY),
    ("vdev=hdc,devtype=cdrom", EMPTY),
    ("vdev=hdc,cdrom,format=qcow2", EMPTY),
    ("discard,vdev=xvda,target=/dev/x", {**PLAIN, "discard": True}),
    ("no-discard,vdev=xvda,target=/dev/x", {**PLAIN, "discard": False}),
    ("discard,no-discard,vdev=xvda,target=/dev/x", {**PLAIN, "discard": False}),
    ("direct-io-safe,vdev=xvda,target=/dev/x", {**PLAIN, "direct_io_safe": True}),
    ("trusted,vdev=xvda,target=/dev/x", {**PLAIN, "trusted": True}),
    ("untrusted,vdev=xvda,target=/dev/x", {**PLAIN, "trusted": False}),
    ("grant_usage=1,vdev=xvda,target=/dev/x", {**PLAIN, "grant_usage": True}),
    ("grant_usage=0,vdev=xvda,target=/dev/x", {**PLAIN, "grant_usage": False}),
    ("specification=virtio,vdev=xvda,target=/dev/x", {**PLAIN, "specification": "virtio"}),
    ("backendtype=phy,vdev=xvda,target=/dev/x", {**PLAIN, "backendtype": "phy"}),
    ("backendtype=tap,vdev=xvda,target=/dev/x", {**PLAIN, "backendtype": "tap"}),
    ("backendtype=qdisk,backendtype=qdisk,vdev=xvda,target=/dev/x", {**PLAIN, "backendtype": "qdisk"}),
    ("backendtype=standalone,vdev=xvda,target=/dev/x", {**PLAIN, "backendtype": "standalone"}),
    ("backend=storage,vdev=xvda,target=/dev/x", {**PLAIN, "backend": "storage"}),
]


@pytest.mark.parametrize(("text", "fields"), GOOD)
def test_good(text: str, fields: dict[str, Any]) -> None:
    assert parse_disk(text) == DiskSpec(devid=vdev_to_devid(fields["vdev"]), **fields)


BAD = [
    ("", "no vdev"),
    ("/dev/x", "no vdev"),
    ("/dev/x,raw", "no vdev"),
    ("target=/dev/x", "no vdev"),
    ("bogus,vdev=xvda,target=/x", "target is given twice"),
    ("vdev=xvda", "no target"),
    ("vdev=xvda,target=", "no target"),
    (",,xvda", "no target"),
    (",hdc:disk", "the format empty is for a cdrom only"),
    ("/x,empty,xvda", "the format empty is for a cdrom only"),
    ("/dev/x,xvda,w", "unknown format `xvda'"),
    ("/dev/x,RAW,xvda", "unknown format `RAW'"),
    ("format=foo,vdev=xvda,target=/x", "unknown format `foo'"),
    ("format=raw ,vdev=xvda,target=/x", "unknown format `raw '"),
    ("/dev/x,,xvda,q", "unknown access `q'"),
    ("/dev/x,,xvda,w ", "unknown access `w '"),
    ("access=w!,vdev=xvda,target=/x", "unknown access `w!'"),
    ("/dev/x,,xvda,w,more", "too many positional parameters: `more'"),
    ("/dev/x,,xvda:tape", "unknown devtype `tape'"),
    ("devtype=tape,vdev=xvda,target=/x", "unknown devtype `tape'"),
    ("backendtype=blk,vdev=xvda,target=/x", "unknown backendtype `blk'"),
    ("specification=scsi,vdev=xvda,target=/x", "unknown specification `scsi'"),
    ("grant_usage=2,vdev=xvda,target=/x", "unknown grant_usage `2'"),
    ("format=raw,format=qcow2,vdev=xvda,target=/x", "format is given twice"),
    ("raw:qcow2:/x,xvda", "format is given twice"),
    ("backendtype=phy,backendtype=tap,vdev=xvda,target=/x", "backendtype is given twice"),
    ("vdev=xvda,vdev=xvda,target=/x", "vdev is given twice"),
    ("script=a,script=b,vdev=xvda,target=/x", "script is given twice"),
    ("iscsi:nbd:/x,xvda", "script is given twice"),
    ("/y,vdev=xvda,target=/x", "target is given twice"),
    ("vdev=xvda , target=/x", "`xvda ' is not a virtual device such as xvda"),
    ("foo:/x,,xvda", "unknown prefix `foo:'; write target=foo:... if it is part of the target,"),
    ("foo:,,xvda", "unknown prefix `foo:'; write target=foo:... if it is part of the target,"),
    ("foo:X,,xvda", "unknown prefix `foo:'; write target=foo:... if it is part of the target,"),
    ("foo=bar,vdev=xvda,target=/x", "unknown parameter `foo'"),
    ("foo=,vdev=xvda,target=/x", "unknown parameter `foo'"),
    ("Vdev=xvda,target=/x", "unknown parameter `Vdev'; is it `vdev'?"),
    ("cdrom=1,vdev=xvda,target=/x", "unknown parameter `cdrom'"),
    ("/a=b,,xvda", "unknown parameter `/a'"),
    ("colo,vdev=xvda,target=/x", "`colo' is for COLO, which ARM does not have,"),
    ("colo-host=h,vdev=xvda,target=/x", "`colo-host' is for COLO, which ARM does not have,"),
    ("active-disk=h,vdev=xvda,target=/x", "`active-disk' is for COLO, which ARM does not have,"),
    ("/x,,xvda\n", "a control character"),
    ("/x,,", "no vdev"),
    ("/x,,foo", "`foo' is not a virtual device such as xvda"),
    ("/x,,xvda:", "unknown prefix `xvda:'; write target=xvda:... if it is part of the target,"),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_bad(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_disk(text, source="f", line=3, column=9)
    assert str(caught.value) == f"f:3:9: {reason} in the disk `{text}'"


@pytest.mark.parametrize(
    "parts", [["/dev/x,raw,xvda,w"], ["/dev/x", "raw", "xvda", "w"], ["format=raw", "vdev=xvda", "target=/dev/x"]]
)
def test_components_of_block_attach(parts: list[str]) -> None:
    assert parse_disk(parts) == DiskSpec(devid=51712, **PLAIN)


def test_target_swallows_only_its_own_component() -> None:
    assert parse_disk(["target=/dev/x", "vdev=xvda"]) == DiskSpec(devid=51712, **PLAIN)


def test_place_is_kept() -> None:
    disk = parse_disk("/dev/x,,xvda", line=4, column=7)
    assert (disk.line, disk.column) == (4, 7)


DEVIDS = {
    "xvda": 51712, "xvda1": 51713, "xvda15": 51727, "xvdb": 51728, "xvdp": 51952, "xvdp15": 51967,
    "xvda16": 1 << 28 | 16, "xvda255": 1 << 28 | 255, "xvdq": 268439552, "xvdz": 1 << 28 | 25 << 8,
    "xvdaa": 1 << 28 | 26 << 8, "xvdab3": 1 << 28 | 27 << 8 | 3, "xvdzz": 1 << 28 | 701 << 8,
    "xvdaaa": 1 << 28 | 702 << 8, "hda": 768, "hda1": 769, "hda63": 831, "hdb": 832, "hdc": 5632, "hdd2": 5698,
    "sda": 2048, "sda15": 2063, "sdp": 2288, "sdb1": 2065, "d0p0": 51712, "d0p1": 51713, "d3p4": 51764,
    "d16p0": 268439552, "d0x10p0": 268439552, "51712": 51712, "0xca00": 51712, "0145000": 51712, "0": 0,
    "2147483647": 2147483647,
}  # fmt: skip


@pytest.mark.parametrize(("vdev", "devid"), DEVIDS.items())
def test_devid(vdev: str, devid: int) -> None:
    assert vdev_to_devid(vdev) == devid


NO_DEVIDS = [
    "", "xvd", "xvd1", "xvda0", "xvda01", "xvda256", "xvda1x", "xvda 1", "xvdA", "XVDA", "xvdzzzzz", "xvdaaaaaaaaaaaa",
    "hde", "hda64", "hd", "hda0", "sdq", "sda16", "sd", "vda", "d0", "d0p", "dp0", "d0p256", "d1048576p0", "d-1p0",
    "2147483648", "-1", " 1", "0x", "08", "51712x", "1.5",
]  # fmt: skip


@pytest.mark.parametrize("vdev", NO_DEVIDS)
def test_no_devid(vdev: str) -> None:
    with pytest.raises(ConfigError, match="is not a virtual device"):
        vdev_to_devid(vdev)


PIECES = [
    "/x",
    "raw",
    "",
    "xvda",
    "hdc:cdrom",
    "w",
    "cdrom",
    "vdev=xvdb",
    "target=/y",
    "format=",
    "tap:",
    "foo:/",
    "a=b",
]


@settings(max_examples=100)
@given(st.one_of(st.text(max_size=20), st.lists(st.sampled_from(PIECES), max_size=6).map(",".join)))
def test_arbitrary(text: str) -> None:
    try:
        assert parse_disk(text).vdev
    except ConfigError as error:
        assert error.reason.endswith(f"in the disk `{text}'")
