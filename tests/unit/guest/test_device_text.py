"""The little languages of channels, shared folders, input, displays, sound, sockets and virtio."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenvm.errors import ConfigError
from xenvm.guest import device_text
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
from xenvm.guest.spec import VirtioSpec


def p9(text: str) -> P9Spec:
    return device_text.p9(text, "web")


def vsnd(text: str) -> VsndSpec:
    return device_text.vsnd(text.split("|"))


GOOD: list[tuple[Callable[[str], object], str, object]] = [
    (device_text.channel, " name = a , connection = pty, path=/x", ChannelSpec("a")),
    (device_text.channel, "name=a,connection=socket,path=/s,backend=b", ChannelSpec("a", "socket", "/s", "b")),
    (p9, "tag=t,path=/p,security_model=none", P9Spec("t", "/p")),
    (p9, "security_model=none,type=xen_9pfsd", P9Spec("Xen", "/var/log/xen/guests/web", type="xen_9pfsd")),
    (p9, "tag=t,path=/p,security_model=none,type=xen_9pfsd,max-space=5,auto-delete=1",
     P9Spec("t", "/p", type="xen_9pfsd", max_space=5, auto_delete=True)),
    (device_text.vkb, "backend-type=QEMU, width=0x10", VkbSpec(backend_type="qemu", width=16)),
    (device_text.vkb, "backend-type=linux,multi-touch-width=5", VkbSpec(multi_touch=True, multi_touch_width=5)),
    (device_text.vdispl, "connectors=a:1x2;b:3x4;,be-alloc=1",
     VdisplSpec((Connector("a", 1, 2), Connector("b", 3, 4)), be_alloc=True)),
    (device_text.pvcalls, "", PvcallsSpec()),
    (device_text.pvcalls, "backend=net", PvcallsSpec("net")),
    (device_text.virtio, "type=virtio,device22,transport=mmio,grant_usage=0",
     VirtioSpec("virtio,device22", grant_usage=False)),
    (device_text.virtio, "transport=mmio,backend=3,type=virtio,device", VirtioSpec("virtio,device", "3")),
    (vsnd, "CARD, short-name=c, channels-max=2, sample-rates=8000;44100",
     VsndSpec("c", params=SoundParams((8000, 44100), channels_max=2))),
    (vsnd, "stream, unique-id=0, type=C", VsndSpec(devices=(SoundDevice(streams=(SoundStream("0", "c"),)),))),
    (vsnd, "pcm, name=p, sample-formats=S16_LE;u8",
     VsndSpec(devices=(SoundDevice("p", SoundParams(sample_formats=("s16_le", "u8"))),))),
]  # fmt: skip

BAD: list[tuple[Callable[[str], object], str, str]] = [
    (device_text.channel, "name=a/b,connection=pty", "its name cannot have a slash in the channel `name=a/b,"),
    (device_text.channel, "name=a,connection=pty,x=1", "unknown parameter `x'"),
    (device_text.channel, "name=a\nb,connection=pty", "it has a control character"),
    (p9, "tag=t,path=/p,security_model=none,max-files=1", "are for type=xen_9pfsd"),
    (p9, "tag=t,path=/p", "it has no `security_model'"),
    (device_text.vkb, "unique-id=x", "`backend-type' must be qemu or linux"),
    (device_text.vkb, "backend-type=linux,feature-multi-touch=1", "feature-multi-touch needs"),
    (device_text.vkb, "backend-type=linux,width=4294967296", "`width' is not a number"),
    (device_text.vdispl, "be-alloc=1", "at least one connector is needed"),
    (device_text.vdispl, "connectors=a", "a connector is ID:WxH, not `a'"),
    (device_text.virtio, "type=virtio,device22", "`transport' must be mmio"),
    (device_text.virtio, "type=block,transport=mmio", "its type is `virtio,deviceN'"),
    (device_text.virtio, "type=virtio,devicex,transport=mmio",
     "its type is `virtio,deviceN' with the number of the virtio standard in the virtio `type=virtio,devicex,"),
    (vsnd, "", "it must begin with card, pcm or stream"),
    (vsnd, "stream, type=p", "a stream needs a unique-id"),
    (vsnd, "stream, unique-id=0, type=x", "the type of a stream is p or c"),
    (vsnd, "card, sample-formats=s17", "unknown sample format in `s17'"),
    (vsnd, "pcm, short-name=x", "unknown parameter `short-name=x'"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "meaning"), GOOD)
def test_good(read: Callable[[str], object], text: str, meaning: object) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(("read", "text", "reason"), BAD)
def test_bad(read: Callable[[str], object], text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert reason in caught.value.reason


@settings(max_examples=100)
@given(st.text("acdnptymkbv=,;:x0 1-\n\0", max_size=40))
def test_nothing_else_is_raised(text: str) -> None:
    for read in {read for read, *_ in GOOD}:
        try:
            read(text)
        except ConfigError:
            pass
