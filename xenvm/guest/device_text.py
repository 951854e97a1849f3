"""The little languages of channel, p9, vkb, vdispl, vsnd, pvcalls and virtio in xl.cfg(5).

They are lists of ``key=value``. Where xl passes over what it does not understand, or reads the number that a text
begins with, this is a ConfigError; its place is the caller's.
"""

from __future__ import annotations

from xenvm.errors import ConfigError
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
from xenvm.guest.numerals import decimal, integer
from xenvm.guest.settings import hint
from xenvm.guest.spec import VirtioSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_U32 = (1 << 32) - 1
_BLANKS = " \t\n\v\f\r"
_TEXT, _NUMBER, _DECIMAL, _FLAG = "text", "number", "decimal", "flag"
_P9 = {
    "tag": ("tag", _TEXT),
    "path": ("path", _TEXT),
    "security_model": ("security_model", _TEXT),
    "backend": ("backend", _TEXT),
    "type": ("type", ("qemu", "xen_9pfsd")),
    "max-files": ("max_files", _DECIMAL),
    "max-open-files": ("max_open_files", _DECIMAL),
    "max-space": ("max_space", _DECIMAL),
    "auto-delete": ("auto_delete", _FLAG),
}
_CHANNEL = {
    "name": ("name", _TEXT),
    "backend": ("backend", _TEXT),
    "connection": ("connection", ("pty", "socket")),
    "path": ("path", _TEXT),
}
_VKB = {
    "backend": ("backend", _TEXT),
    "backend-type": ("backend_type", ("qemu", "linux")),
    "unique-id": ("unique_id", _TEXT),
    "feature-disable-keyboard": ("disable_keyboard", _FLAG),
    "feature-disable-pointer": ("disable_pointer", _FLAG),
    "feature-abs-pointer": ("abs_pointer", _FLAG),
    "feature-raw-pointer": ("raw_pointer", _FLAG),
    "feature-multi-touch": ("multi_touch", _FLAG),
    "multi-touch-width": ("multi_touch_width", _NUMBER),
    "multi-touch-height": ("multi_touch_height", _NUMBER),
    "multi-touch-num-contacts": ("multi_touch_num_contacts", _NUMBER),
    "width": ("width", _NUMBER),
    "height": ("height", _NUMBER),
}
_TOUCH = ("multi_touch_width", "multi_touch_height", "multi_touch_num_contacts")
_VDISPL = {"backend": ("backend", _TEXT), "be-alloc": ("be_alloc", _FLAG), "connectors": ("connectors", _TEXT)}
_VIRTIO = {
    "backend": ("backend", _TEXT),
    "type": ("type", _TEXT),
    "transport": ("transport", ("mmio",)),
    "grant_usage": ("grant_usage", _FLAG),
}
_PARAMS = {"sample-rates", "sample-formats", "channels-min", "channels-max", "buffer-size"}
FORMATS = (
    *("s8", "u8", "s16_le", "s16_be", "u16_le", "u16_be", "s24_le", "s24_be", "u24_le", "u24_be", "s32_le", "s32_be"),
    *("u32_le", "u32_be", "f32_le", "f32_be", "f64_le", "f64_be", "iec958_subframe_le", "iec958_subframe_be"),
    *("mu_law", "a_law", "ima_adpcm", "mpeg", "gsm"),
)
"""Sample formats of the sound protocol (public/io/sndif.h)."""


def channel(text: str) -> ChannelSpec:
    """``name=N, connection=pty|socket [, path=P] [, backend=D]``; ConfigError, as for all functions here."""
    fields = _fields("channel", text, _CHANNEL, trim=True)
    if "connection" not in fields:
        raise _wrong("channel", text, "`connection' must be pty or socket")
    if not fields.get("name"):
        raise _wrong("channel", text, "it has no `name'")
    if "/" in fields["name"]:
        raise _wrong("channel", text, "its name cannot have a slash")
    if fields["connection"] == "socket" and not fields.get("path", "").startswith("/"):
        raise _wrong("channel", text, "a socket needs a `path' that begins with a slash")
    if fields["connection"] == "pty":
        fields.pop("path", None)
    return ChannelSpec(**fields)


def p9(text: str, guest: str) -> P9Spec:
    """A shared folder; `guest` is the name that the default folder of xen_9pfsd has in it."""
    fields = _fields("p9", text, _P9, trim=True)
    if fields.get("type") == "xen_9pfsd":
        fields.setdefault("tag", "Xen")
        fields.setdefault("path", f"/var/log/xen/guests/{guest}")
    elif any(key in fields for key in ("max_files", "max_open_files", "max_space", "auto_delete")):
        raise _wrong("p9", text, "max-files, max-open-files, max-space and auto-delete are for type=xen_9pfsd")
    missing = [key for key in ("tag", "path", "security_model") if not fields.get(key)]
    if missing:
        raise _wrong("p9", text, f"it has no `{missing[0]}'")
    return P9Spec(**fields)


def vkb(text: str) -> VkbSpec:
    """A keyboard, pointer and touch screen."""
    fields = _fields("vkb", text, _VKB)
    if "backend_type" not in fields:
        raise _wrong("vkb", text, "`backend-type' must be qemu or linux")
    if any(fields.get(key) for key in _TOUCH):
        fields["multi_touch"] = True
    elif fields.get("multi_touch"):
        raise _wrong("vkb", text, "feature-multi-touch needs multi-touch-width, -height and -num-contacts")
    return VkbSpec(**fields)


def vdispl(text: str) -> VdisplSpec:
    """A display: ``connectors=ID:WxH;ID:WxH``."""
    fields = _fields("vdispl", text, _VDISPL)
    connectors = tuple(_connector(text, item) for item in fields.pop("connectors", "").split(";") if item)
    if not connectors:
        raise _wrong("vdispl", text, "at least one connector is needed: connectors=ID:WxH")
    return VdisplSpec(connectors, **fields)


def _connector(text: str, item: str) -> Connector:
    name, colon, size = item.partition(":")
    width, _, height = size.partition("x")
    wide, high = decimal(width), decimal(height)
    if not colon or not name or wide is None or high is None or max(wide, high) > _U32:
        raise _wrong("vdispl", text, f"a connector is ID:WxH, not `{item}'")
    return Connector(name, wide, high)


def pvcalls(text: str) -> PvcallsSpec:
    """Sockets: ``backend=D`` or nothing."""
    return PvcallsSpec(**_fields("pvcalls", text, {"backend": ("backend", _TEXT)}))


def virtio(text: str) -> VirtioSpec:
    """A virtio-mmio device; its type has a comma in it: ``type=virtio,device22``."""
    fields = _fields("virtio", text.replace("virtio,device", "virtio\0device"), _VIRTIO)
    kind = fields.get("type", "").replace("\0", ",")
    if not kind.startswith("virtio,device") or (len(kind) > 13 and decimal(kind[13:]) is None):
        raise _wrong("virtio", text, "its type is `virtio,deviceN' with the number of the virtio standard")
    if fields.pop("transport", None) is None:
        raise _wrong("virtio", text, "`transport' must be mmio")
    return VirtioSpec(**{**fields, "type": kind})


def vsnd(texts: list[str]) -> VsndSpec:
    """A sound card of texts such as ``card, short-name=X``, ``pcm, name=Y`` and ``stream, unique-id=Z, type=p``."""
    card: dict[str, Any] = {"params": {}}
    devices: list[dict[str, Any]] = []
    for text in texts:
        words = [word.lstrip(" ") for word in text.split(",") if word]
        kind, rest = words[0].lower() if words else "", words[1:]
        if kind == "card":
            _sound(card, text, rest, {"short-name": "short_name", "long-name": "long_name", "backend": "backend"})
        elif kind == "pcm":
            devices.append({"params": {}, "streams": []})
            _sound(devices[-1], text, rest, {"name": "name"})
        elif kind == "stream":
            if not devices:
                devices.append({"params": {}, "streams": []})
            devices[-1]["streams"].append(_stream(text, rest))
        else:
            raise _wrong("vsnd", text, "it must begin with card, pcm or stream")
    made = tuple(
        SoundDevice(**{**device, "params": SoundParams(**device["params"]), "streams": tuple(device["streams"])})
        for device in devices
    )
    return VsndSpec(**{**card, "params": SoundParams(**card["params"]), "devices": made})


def _stream(text: str, words: list[str]) -> SoundStream:
    fields: dict[str, Any] = {"params": {}}
    _sound(fields, text, words, {"unique-id": "unique_id", "type": "type"})
    if "unique_id" not in fields:
        raise _wrong("vsnd", text, "a stream needs a unique-id")
    fields["type"] = fields.get("type", "p").lower()
    if fields["type"] not in ("p", "c"):
        raise _wrong("vsnd", text, "the type of a stream is p or c")
    return SoundStream(**{**fields, "params": SoundParams(**fields["params"])})


def _sound(fields: dict[str, Any], text: str, words: list[str], names: dict[str, str]) -> None:
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or (key not in names and key not in _PARAMS):
            raise _wrong("vsnd", text, f"unknown parameter `{word}'")
        if key in names:
            fields[names[key]] = value
        else:
            fields["params"][key.replace("-", "_")] = _sound_value(text, key, value)


def _sound_value(text: str, key: str, value: str) -> Any:
    items = [item for item in value.split(";") if item]
    if key == "sample-formats":
        if not items or any(item.lower() not in FORMATS for item in items):
            raise _wrong("vsnd", text, f"unknown sample format in `{value}'")
        return tuple(item.lower() for item in items)
    if key == "sample-rates":
        return tuple(_number("vsnd", text, key, item) for item in items)
    return _number("vsnd", text, key, value)


def _fields(what: str, text: str, known: dict[str, tuple[str, Any]], *, trim: bool = False) -> dict[str, Any]:
    """What the keys of one text mean."""
    found: dict[str, Any] = {}
    for key, value in _pairs(what, text, trim):
        if key not in known:
            raise _wrong(what, text, f"unknown parameter `{key}'{hint(key, known)}")
        field, kind = known[key]
        if kind == _NUMBER:
            found[field] = _number(what, text, key, value)
        elif kind == _DECIMAL:
            found[field] = _number(what, text, key, value, decimal)
        elif kind == _FLAG:
            found[field] = _number(what, text, key, value) != 0
        elif kind == _TEXT:
            found[field] = value
        elif value in kind or (value.lower() in kind and key != "connection"):
            found[field] = value.lower()  # libxl's own words count in any case, a channel's connection is xl's
        else:
            raise _wrong(what, text, f"`{key}' must be {' or '.join(kind)}, not `{value}'")
    if not found.get("backend", "0"):
        del found["backend"]
    return found


def _pairs(what: str, text: str, trim: bool) -> Iterator[tuple[str, str]]:
    if any(ord(char) < 32 and char not in "\0\t" for char in text):
        raise _wrong(what, text, "it has a control character")
    for item in text.split(","):
        key, equals, value = item.lstrip(" ").partition("=")
        if trim:
            key, value = key.strip(_BLANKS), value.strip(_BLANKS)
        if equals:
            yield key, value
        elif item:
            raise _wrong(what, text, f"`{item.strip()}' is no `key=value'")


def _number(what: str, text: str, key: str, value: str, read: Callable[[str], int | None] = integer) -> int:
    number = read(value)
    if number is None or not 0 <= number <= _U32:
        raise _wrong(what, text, f"`{key}' is not a number: `{value}'")
    return number


def _wrong(what: str, text: str, reason: str) -> ConfigError:
    return ConfigError(f"{reason} in the {what} `{text.replace(chr(0), ',')}'")
