"""The nodes of a guest's other devices, as libxl writes them: channels, 9pfs, vkbd, vdispl, vsnd, pvcalls, any class.

What each node means and who may write it is in :mod:`xenbus.devices`; a test holds the two to each other.
"""

from __future__ import annotations

from xenbus import devices
from xenvm.errors import ConfigError, DeviceError
from xenvm.guest.nodes import CONSOLE_LIMIT, Device
from xenvm.types import DOM0, Domid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from xenbus.devices import DeviceClass
    from xenbus.devices import Node as DeviceNode
    from xenvm.guest.classes import ChannelSpec, P9Spec, PvcallsSpec, SoundParams, VdisplSpec, VkbSpec, VsndSpec
    from xenvm.guest.nodes import Entries
    from xenvm.guest.spec import GuestSpec

    Pairs = Iterator[tuple[str, str]]

MAX_CHANNELS = 9
"""Linux takes the last digit of a console's number for the whole of it, and 0 is the primary console."""
NOT_AWAITED = ("console", "vkbd")
"""Classes whose back end may come when it likes: their front ends do not wait for it either."""
PLUMBED = {("vbd", "vbd"), ("vif", "vif")}
"""(front, back) kinds that need more than nodes: loop devices, bridges, scripts."""


def other_devices(domid: Domid, spec: GuestSpec, find: Callable[[str], Domid]) -> list[Device]:
    """All devices of a guest that are neither disk nor vif nor primary console.

    `find` gives the domid of a back end's domain by what the configuration calls it; ConfigError.
    """
    if len(spec.channels) > MAX_CHANNELS:
        raise ConfigError(f"{len(spec.channels)} channels are too many: Linux has {MAX_CHANNELS}", source=spec.source)
    found = []
    for kind, make in _MAKERS.items():
        for number, each in enumerate(getattr(spec, kind)):
            found.append(make(domid, number, each, find(each.backend)))
    return found


def _device(
    kind: str,
    devid: int,
    domid: Domid,
    backend: Domid,
    *,
    back: Entries = (),
    front: Entries = (),
    read_only: Entries = (),
    back_kind: str = "",
) -> Device:
    """A device with what all have in common."""
    return Device(
        kind,
        devid,
        domid,
        back=(("frontend-id", str(domid)), ("online", "1"), ("state", "1"), *back),
        front=(("backend-id", str(backend)), ("state", "1"), *front),
        front_readonly=read_only,
        backend_domid=backend,
        back_kind=back_kind,
    )


def channel_device(domid: Domid, number: int, channel: ChannelSpec, backend: Domid = DOM0) -> Device:
    """The channel of this place in the configuration: the console after it, as the primary one has the number 0."""
    where = (("path", channel.path),) if channel.path else ()
    return _device(
        "console",
        number + 1,
        domid,
        backend,
        back=(("protocol", "vt100"), ("name", channel.name), ("connection", channel.connection), *where),
        front=(("protocol", "vt100"),),
        read_only=(
            ("name", channel.name),
            ("limit", CONSOLE_LIMIT),
            ("type", "ioemu"),
            ("output", "pty" if channel.connection == "pty" else f"chardev:libxl-channel{number}"),
            ("tty", ""),
        ),
    )


def p9_device(domid: Domid, devid: int, p9: P9Spec, backend: Domid = DOM0) -> Device:
    """A folder of the host."""
    limits: Entries = ()
    if p9.type == "xen_9pfsd":
        counts = (("max-space", p9.max_space), ("max-files", p9.max_files), ("max-open-files", p9.max_open_files))
        limits = (*((key, str(count or 0)) for key, count in counts), ("auto-delete", str(int(bool(p9.auto_delete)))))
    return _device(
        "9pfs",
        devid,
        domid,
        backend,
        back=(("path", p9.path), ("security_model", p9.security_model), *limits),
        front=(("tag", p9.tag),),
        back_kind="xen_9pfs" if p9.type == "xen_9pfsd" else "9pfs",
    )


def vkb_device(domid: Domid, devid: int, vkb: VkbSpec, backend: Domid = DOM0) -> Device:
    """A keyboard, pointer or touch screen."""
    kind = "vkbd" if vkb.backend_type == "qemu" else "vinput"
    return _device("vkbd", devid, domid, backend, back=tuple(_vkb_back_end(vkb)), back_kind=kind)


def _vkb_back_end(vkb: VkbSpec) -> Pairs:
    if vkb.unique_id:
        yield "unique-id", vkb.unique_id
    features = ("disable-keyboard", "disable-pointer", "abs-pointer", "raw-pointer", "multi-touch")
    for feature in features:
        if getattr(vkb, feature.replace("-", "_")):
            yield f"feature-{feature}", "1"
    touch = ("multi-touch-width", "multi-touch-height", "multi-touch-num-contacts") if vkb.multi_touch else ()
    for size in (*touch, "width", "height"):
        number = getattr(vkb, size.replace("-", "_"))
        if number or size in touch:
            yield size, str(number or 0)


def vdispl_device(domid: Domid, devid: int, display: VdisplSpec, backend: Domid = DOM0) -> Device:
    """A display with its screens."""
    screens = [("be-alloc", str(int(display.be_alloc)))]
    for number, screen in enumerate(display.connectors):
        screens.append((f"{number}/resolution", f"{screen.width}x{screen.height}"))
        screens.append((f"{number}/unique-id", screen.unique_id))
    return _device("vdispl", devid, domid, backend, read_only=tuple(screens))


def vsnd_device(domid: Domid, devid: int, card: VsndSpec, backend: Domid = DOM0) -> Device:
    """A sound card; all that is known of it is in the guest's end."""
    return _device("vsnd", devid, domid, backend, front=tuple(_card(card)))


def _card(card: VsndSpec) -> Pairs:
    for key, name in (("long-name", card.long_name), ("short-name", card.short_name)):
        if name:
            yield key, name
    yield from _sound("", card.params)
    for number, device in enumerate(card.devices):
        if device.name:
            yield f"{number}/name", device.name
        yield from _sound(f"{number}/", device.params)
        for place, stream in enumerate(device.streams):
            path = f"{number}/{place}/"
            yield f"{path}unique-id", stream.unique_id
            yield f"{path}type", stream.type
            yield from _sound(path, stream.params)


def _sound(path: str, params: SoundParams) -> Pairs:
    if params.sample_rates:
        yield f"{path}sample-rates", ",".join(map(str, params.sample_rates))
    if params.sample_formats:
        yield f"{path}sample-formats", ",".join(params.sample_formats)
    for key in ("channels-min", "channels-max", "buffer-size"):
        if number := getattr(params, key.replace("-", "_")):
            yield f"{path}{key}", str(number)


def any_device(
    kind: str, devid: int, domid: Domid, values: Mapping[str, str], *, back_kind: str = "", backend: Domid = DOM0
) -> Device:
    """A device of any class from the values of its toolstack's nodes, each written where its class has it.

    DeviceError for a class, or a node, that there is not, and for what has commands of its own.
    """
    described = _class(kind, devid, back_kind or kind)
    front: list[tuple[str, str]] = []
    # A guest that made this node itself could lead a console client to any terminal of the host.
    read_only = [("tty", "")] if kind == "console" else []
    back: list[tuple[str, str]] = []
    for key, value in values.items():
        ours, theirs = _places(described, devid, key, value)
        if theirs is not None:
            (front if theirs.guest_may_write else read_only).append((key, value))
        if ours is not None:
            back.append((key, value))
    ends = {"back": tuple(back), "front": tuple(front), "read_only": tuple(read_only)}
    return _device(kind, devid, domid, backend, **ends, back_kind=back_kind)


def _class(kind: str, devid: int, back_kind: str) -> DeviceClass:
    """The description of a class whose devices are their nodes and no more; DeviceError for others."""
    described, name = devices.CLASSES.get(kind), f"{kind} {devid}"
    if described is None:
        raise DeviceError(name, f"there are {', '.join(devices.CLASSES)}, and no other classes")
    if (kind, back_kind) in PLUMBED or (kind == "console" and not devid):
        raise DeviceError(name, "it needs more than its nodes: use block-attach, network-attach or channel in a config")
    return described


def _places(described: DeviceClass, devid: int, key: str, value: str) -> tuple[DeviceNode | None, DeviceNode | None]:
    """The nodes of the back and of the front end that a toolstack's value goes to, one at least; DeviceError if none
    is, or if one cannot have this value."""
    name = f"{described.kind} {devid}"
    found = [described.find(side, key) for side in (devices.BACK, devices.FRONT)]
    back, front = (node if node is not None and node.writer == devices.TOOLSTACK else None for node in found)
    if (back is None and front is None) or key in _COMMON:
        raise DeviceError(name, f"`{key}' is no node that a toolstack writes for a {described.kind}")
    if any(node is not None and node.parse(value) is None for node in found):
        raise DeviceError(name, f"{key}={value} makes no sense")
    return back, front


def pvcalls_device(domid: Domid, devid: int, _spec: PvcallsSpec, backend: Domid = DOM0) -> Device:
    """The guest's sockets; there is nothing to say of them."""
    return _device("pvcalls", devid, domid, backend)


_MAKERS: dict[str, Callable[[Domid, int, Any, Domid], Device]] = {
    "channels": channel_device,
    "p9s": p9_device,
    "vkbs": vkb_device,
    "vdispls": vdispl_device,
    "vsnds": vsnd_device,
    "pvcalls": pvcalls_device,
}
"""By the field of the specification."""
_COMMON = ("backend", "backend-id", "state", "frontend", "frontend-id", "online")
