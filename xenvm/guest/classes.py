"""The devices of a guest besides disks and vifs, as values: channels, shared folders, input, displays, sound, sockets.

Fields and words are those of xl.cfg(5); a device's number is its place in its tuple. Their nodes are made by
:mod:`xenvm.guest.class_nodes`.
"""

from __future__ import annotations

from xenbus.value import Value


class ChannelSpec(Value):
    """One channel: a console of the guest with a name."""

    name: str
    connection: str = "pty"
    """pty or socket."""
    path: str | None = None
    """Of the socket, absolute; None for a pty."""
    backend: str = "0"
    """Name or domid of the back end's domain, here as below."""


class P9Spec(Value):
    """One folder of the host that the guest mounts by its tag."""

    tag: str
    path: str
    security_model: str = "none"
    backend: str = "0"
    type: str = "qemu"
    """Who serves it: qemu, which is xenvm's own server in domain 0, or xen_9pfsd."""
    max_space: int | None = None
    """MiB that may be used; this and the rest are xen_9pfsd's."""
    max_files: int | None = None
    max_open_files: int | None = None
    auto_delete: bool | None = None


class VkbSpec(Value):
    """One keyboard, pointer and touch screen; sizes None: not told."""

    unique_id: str | None = None
    backend: str = "0"
    backend_type: str = "linux"
    """Who serves it: qemu (``vkbd``), or linux, which is any other back end (``vinput``)."""
    disable_keyboard: bool = False
    disable_pointer: bool = False
    abs_pointer: bool = False
    raw_pointer: bool = False
    multi_touch: bool = False
    multi_touch_width: int | None = None
    multi_touch_height: int | None = None
    multi_touch_num_contacts: int | None = None
    width: int | None = None
    height: int | None = None


class Connector(Value):
    """One screen of a display."""

    unique_id: str
    width: int
    height: int


class VdisplSpec(Value):
    """One display."""

    connectors: tuple[Connector, ...]
    be_alloc: bool = False
    """Whether the back end makes the buffers."""
    backend: str = "0"


class SoundParams(Value):
    """What can be said of a card, of each of its devices and of each of their streams; the inner one counts."""

    sample_rates: tuple[int, ...] = ()
    """In Hz; empty: not told, as None below."""
    sample_formats: tuple[str, ...] = ()
    channels_min: int | None = None
    channels_max: int | None = None
    buffer_size: int | None = None
    """Bytes."""


class SoundStream(Value):
    """One stream of a device."""

    unique_id: str
    type: str = "p"
    """p: playback, c: capture."""
    params: SoundParams = SoundParams()


class SoundDevice(Value):
    """One PCM device of a card."""

    name: str | None = None
    params: SoundParams = SoundParams()
    streams: tuple[SoundStream, ...] = ()


class VsndSpec(Value):
    """One sound card."""

    short_name: str | None = None
    long_name: str | None = None
    params: SoundParams = SoundParams()
    devices: tuple[SoundDevice, ...] = ()
    backend: str = "0"


class PvcallsSpec(Value):
    """The guest's sockets, made by the back end; at most one."""

    backend: str = "0"
