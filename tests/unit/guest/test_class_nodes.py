"""The nodes of devices besides disks and vifs, held to the descriptions of xenbus.devices."""

from __future__ import annotations

import pytest

from xenbus.devices import BACK, CLASSES, FRONT, TOOLSTACK
from xenvm.errors import ConfigError, DeviceError
from xenvm.guest.class_nodes import any_device, other_devices
from xenvm.guest.classes import (
    ChannelSpec,
    Connector,
    P9Spec,
    PvcallsSpec,
    SoundDevice,
    SoundParams,
    SoundStream,
    VdisplSpec,
    VkbSpec,
    VsndSpec,
)
from xenvm.guest.nodes import Device
from xenvm.guest.spec import GuestSpec
from xenvm.types import Domid

PARAMS = SoundParams((8000, 44100), ("s16_le", "u8"), 1, 2, 65536)
SPEC = GuestSpec(
    "g",
    "Image",
    channels=(ChannelSpec("a"), ChannelSpec("b", "socket", "/run/b.sock", "driver")),
    p9s=(P9Spec("share", "/srv"), P9Spec("other", "/o", "none", "0", "xen_9pfsd", 10, 20, None, True)),
    vkbs=(VkbSpec("x", "0", "qemu", abs_pointer=True, width=800), VkbSpec(multi_touch=True, multi_touch_width=5)),
    vdispls=(VdisplSpec((Connector("c0", 800, 600), Connector("c1", 640, 480)), True),),
    vsnds=(VsndSpec("s", "long", PARAMS, (SoundDevice("dev", PARAMS, (SoundStream("u", "c", PARAMS),)),)),),
    pvcalls=(PvcallsSpec(),),
)


def devices() -> dict[str, Device]:
    made = other_devices(Domid(5), SPEC, lambda who: Domid(7 if who == "driver" else 0))
    return {f"{each.kind} {each.devid}": each for each in made}


def test_each_node_is_one_of_its_class_and_has_its_permissions() -> None:
    for each in devices().values():
        described = CLASSES[each.kind]
        assert (each.back_kind or each.kind) in described.back_kinds
        for entries, side, may in (
            (each.front, FRONT, True),
            (each.front_readonly, FRONT, False),
            (each.back, BACK, False),
        ):
            for key, value in entries:
                node = described.find(side, key)
                assert node is not None and node.guest_may_write == may, (each.kind, key)
                assert node.writer == TOOLSTACK or (key, value) == ("tty", "")
                assert value == "" or node.parse(value) is not None


@pytest.mark.parametrize(
    "device, end, key, value",
    [
        ("console 1", "back", "connection", "pty"),
        ("console 1", "front_readonly", "output", "pty"),
        ("console 2", "back", "path", "/run/b.sock"),
        ("console 2", "front_readonly", "output", "chardev:libxl-channel1"),
        ("9pfs 0", "front", "tag", "share"),
        ("9pfs 1", "back", "max-space", "10"),
        ("9pfs 1", "back", "max-open-files", "0"),
        ("9pfs 1", "back", "auto-delete", "1"),
        ("vkbd 0", "back", "feature-abs-pointer", "1"),
        ("vkbd 1", "back", "multi-touch-height", "0"),
        ("vdispl 0", "front_readonly", "be-alloc", "1"),
        ("vdispl 0", "front_readonly", "1/resolution", "640x480"),
        ("vsnd 0", "front", "sample-rates", "8000,44100"),
        ("vsnd 0", "front", "0/0/type", "c"),
        ("vsnd 0", "front", "0/sample-formats", "s16_le,u8"),
        ("pvcalls 0", "back", "online", "1"),
    ],
)
def test_values(device: str, end: str, key: str, value: str) -> None:
    assert (key, value) in getattr(devices()[device], end)


def test_who_serves_them() -> None:
    made = devices()
    assert made["console 2"].backend == "/local/domain/7/backend/console/5/2"
    assert [made[name].back_kind for name in ("9pfs 0", "9pfs 1", "vkbd 0", "vkbd 1")] == [
        "9pfs",
        "xen_9pfs",
        "vkbd",
        "vinput",
    ]


def test_linux_has_nine_channels() -> None:
    with pytest.raises(ConfigError, match="10 channels are too many"):
        other_devices(Domid(5), SPEC.replace(channels=(ChannelSpec("c"),) * 10), Domid)


def test_any_device_puts_each_value_where_its_class_has_it() -> None:
    nic = any_device("vif", 3, Domid(5), {"mac": "00:16:3e:00:00:07", "handle": "3"}, back_kind="qnic")
    assert ("mac", "00:16:3e:00:00:07") in nic.front and ("handle", "3") in nic.back
    assert nic.backend == "/local/domain/0/backend/qnic/5/3"
    display = any_device("vdispl", 0, Domid(5), {"0/resolution": "8x6"})
    assert display.front_readonly == (("0/resolution", "8x6"),)
    assert any_device("console", 1, Domid(5), {}).front_readonly == (("tty", ""),)


@pytest.mark.parametrize(
    "kind, key, reason",
    [
        ("vfb", "", "there are vbd, vif"),
        ("vbd", "", "needs more than its nodes"),
        ("console", "", "needs more than its nodes"),
        ("vdispl", "state", "no node that a toolstack writes"),
        ("vdispl", "version", "no node that a toolstack writes"),
        ("vsnd", "nonsense", "no node that a toolstack writes"),
    ],
)
def test_what_is_refused(kind: str, key: str, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        any_device(kind, 0, Domid(5), {key: "1"} if key else {})
