"""vkb-*, vdispl-*, vsnd-*: xl's words for three classes of devices; its keys are the names of their nodes."""

from __future__ import annotations

from xenvm.cli import classes
from xenvm.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xenvm.ops.devices import Attached

_VKB_KINDS = {"qemu": "vkbd", "linux": "vinput"}
_TOUCH = ("multi-touch-width", "multi-touch-height", "multi-touch-num-contacts")
VKB_HEADER = (
    f"{'Idx':<3} {'BE':<2} {'handle':<6} {'state':<5} {'evt-ch':<6} {'ref':>6} {'ID':<10} {'BE-type':<10}"
    f" {'BE-path':<30}"
)


def vkb_attach(domain: str, values: tuple[str, ...]) -> int:
    """Gives a running guest a keyboard, pointer or touch screen."""
    given = _pairs("vkb-attach", (word for value in values for word in value.split(",")))
    kind = _VKB_KINDS.get(given.pop("backend-type", "").lower())
    if kind is None:
        raise _wrong("vkb-attach", "backend-type must be qemu or linux")
    touch = [key for key in _TOUCH if given.get(key, "0") != "0"]
    if touch:
        given["feature-multi-touch"] = "1"
    elif given.get("feature-multi-touch", "0") != "0":
        raise _wrong("vkb-attach", f"feature-multi-touch needs {', '.join(_TOUCH)}")
    return classes.attach(domain, "vkbd", {**given, "backend-kind": kind}, wait=False)


def vdispl_attach(domain: str, values: tuple[str, ...]) -> int:
    """Gives a running guest a display: ``connectors=ID:WxH;ID:WxH``."""
    given = _pairs("vdispl-attach", (word for value in values for word in value.split(",")))
    connectors = [item for item in given.pop("connectors", "").split(";") if item]
    if not connectors:
        raise _wrong("vdispl-attach", "at least one connector is needed, as connectors=ID:WxH")
    for number, item in enumerate(connectors):
        name, _, size = item.rpartition(":")
        if not name or [part.isascii() and part.isdecimal() for part in size.split("x")] != [True, True]:
            raise _wrong("vdispl-attach", f"a connector is ID:WxH, not {item}")
        given[f"{number}/resolution"], given[f"{number}/unique-id"] = size, name
    return classes.attach(domain, "vdispl", {"be-alloc": "0", **given})


def vsnd_attach(domain: str, values: tuple[str, ...]) -> int:
    """Gives a running guest a sound card: arguments ``card, KEY=VALUE...``, ``pcm, ...``, ``stream, ...``."""
    given: dict[str, str] = {}
    device, stream = -1, -1
    for text in values:
        kind, *words = [word.strip(" ") for word in text.split(",")]
        if kind.lower() == "pcm":
            device, stream = device + 1, -1
        elif kind.lower() == "stream":
            device, stream = max(device, 0), stream + 1
        elif kind.lower() != "card":
            raise _wrong("vsnd-attach", f"`{text}' must begin with card, pcm or stream")
        prefix = {"pcm": f"{device}/", "stream": f"{device}/{stream}/"}.get(kind.lower(), "")
        for key, value in _pairs("vsnd-attach", words).items():
            plain = not prefix and key == "backend"
            given[key if plain else prefix + key] = value.replace(";", ",").lower() if key[:7] == "sample-" else value
    if not given:
        raise _wrong("vsnd-attach", "a card needs something to say")
    return classes.attach(domain, "vsnd", given)


def vkb_list(domains: tuple[str, ...], as_json: bool) -> int:
    """Lists keyboards in xl's columns, or as JSON."""
    return classes.listing(domains, as_json, "vkbd", VKB_HEADER, _vkb_row)


def vdispl_list(domains: tuple[str, ...], as_json: bool) -> int:
    """Lists displays, or as JSON."""
    return classes.listing(domains, as_json, "vdispl", classes.DEVICE_HEADER, classes.device_row)


def vsnd_list(domains: tuple[str, ...], as_json: bool) -> int:
    """Lists sound cards, or as JSON."""
    return classes.listing(domains, as_json, "vsnd", classes.DEVICE_HEADER, classes.device_row)


def vkb_detach(domain: str, device: str, force: bool) -> None:
    """Takes a keyboard from a running guest."""
    classes.device_detach(domain, "vkbd", device, force)


def vdispl_detach(domain: str, device: str, force: bool) -> None:
    """Takes a display from a running guest."""
    classes.device_detach(domain, "vdispl", device, force)


def vsnd_detach(domain: str, device: str, force: bool) -> None:
    """Takes a sound card from a running guest."""
    classes.device_detach(domain, "vsnd", device, force)


def _vkb_row(device: Attached) -> str:
    record = device.record
    state, port, page = (-1 if number is None else number for number in device.front.values())
    kind = next((word for word, kind in _VKB_KINDS.items() if kind == record.back_kind), record.back_kind)
    name = record.facts.get("unique-id", "(null)")
    row = f"{record.devid:<3} {record.backend_domid:<2} {record.devid:6} {state:5} {port:6} {page:6}"
    return f"{row} {name:<10} {kind:<10} {record.backend:<30}"


def _pairs(command: str, words: Iterable[str]) -> dict[str, str]:
    """Keys and values, each key once."""
    found: dict[str, str] = {}
    for key, value in _split(command, words):
        if key in found:
            raise _wrong(command, f"`{key}' is given twice")
        found[key] = value
    return found


def _split(command: str, words: Iterable[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        key, equals, value = word.strip(" ").partition("=")
        if key and not equals:
            raise _wrong(command, f"`{word}' is no KEY=VALUE")
        if key:
            yield key, value


def _wrong(command: str, reason: str) -> ConfigError:
    return ConfigError(reason, source=command)
