"""What each class of device keeps in the store: the nodes of both ends, who writes them, who may, what they can be.

The facts are those of public/io/*.h and of what toolstacks write. In names ``{q}`` stands for the number of a queue,
ring, stream or port, ``{n}`` for that of a unit (a display, a PCM device).
"""

from __future__ import annotations

from xenbus import parse
from xenbus.handshake import FRONTEND, FRONTEND_AT_ONCE, FRONTEND_TOLERANT
from xenbus.perm import Perm
from xenbus.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenbus.handshake import Table

TOOLSTACK, SCRIPT, FRONT, BACK = "toolstack", "script", "frontend", "backend"
"""Who writes a node."""

_PARSERS: dict[str, Callable[[bytes | str | None], object]] = {
    "text": parse.parse_text,
    "path": parse.parse_text,
    "number": parse.parse_decimal,
    "word": parse.parse_word,
    "flag": parse.parse_flag,
    "domid": parse.parse_domid,
    "state": parse.parse_state,
    "mac": parse.parse_mac,
    "device": parse.parse_device,
}


class Node(Value):
    """A node of one end; `type` is one of text, path, number, word, flag, domid, state, mac, device."""

    name: str
    type: str
    writer: str
    guest_may_write: bool = False

    def parse(self, untrusted: bytes | str | None) -> object:
        """The value in its type, None if it is absent or senseless."""
        return _PARSERS[self.type](untrusted)

    def perms(self, frontend: int, backend: int) -> tuple[Perm, Perm]:
        """Owner and reader: the two domids of the device's ends, in the order that keeps others from writing."""
        owner, reader = (frontend, backend) if self.guest_may_write else (backend, frontend)
        return Perm(owner), Perm(reader, read=True)


class DeviceClass(Value):
    """A class of device; `back_kinds` are the names of its back ends, the usual one first."""

    kind: str
    back_kinds: tuple[str, ...]
    front: tuple[Node, ...]
    back: tuple[Node, ...]
    handshake: Table = FRONTEND

    def find(self, side: str, name: str) -> Node | None:
        """The description of a node by its real name (``queue-1/ring-ref``); `side` is FRONT or BACK."""
        wanted = _pattern(name)
        return next((node for node in (self.front if side == FRONT else self.back) if node.name in wanted), None)


def _pattern(name: str) -> tuple[str, ...]:
    """The names under which a node can be described: its own, and with one or two numbers left open."""
    parts = name.split("/")
    unit = ["{n}" if part.isdigit() else part for part in parts]
    deep = ["{n}" if part.isdigit() and not i else "{q}" if part.isdigit() else part for i, part in enumerate(parts)]
    queue = [_open(part) for part in parts]
    return name, "/".join(unit), "/".join(deep), "/".join(queue), "/".join([*unit[:1], *map(_open, parts[1:])])


def _open(part: str) -> str:
    digits = len(part) - len(part.rstrip("0123456789"))
    return part[:-digits] + "{q}" if digits and digits < len(part) else part


def _nodes(writer: str, may: bool = False, /, **names: str) -> tuple[Node, ...]:
    """Nodes by type: ``word="a b"`` are two."""
    return tuple(Node(name, kind, writer, may) for kind, some in names.items() for name in some.split())


def _front(*, toolstack: str = "", may: bool = True, **names: str) -> tuple[Node, ...]:
    """A front end: the common nodes, the toolstack's own texts, and what the driver writes."""
    return (
        *_nodes(TOOLSTACK, True, path="backend", domid="backend-id", state="state"),
        *_nodes(TOOLSTACK, may, text=toolstack),
        *_nodes(FRONT, True, **names),
    )


def _back(*, toolstack: str = "", **names: str) -> tuple[Node, ...]:
    """A back end: the common nodes, the toolstack's own texts, and what the driver writes."""
    return (
        *_nodes(TOOLSTACK, path="frontend", domid="frontend-id", flag="online", state="state"),
        *_nodes(TOOLSTACK, text=toolstack),
        *_nodes(BACK, **names),
    )


VBD = DeviceClass(
    "vbd",
    ("vbd", "qdisk", "vbd3"),
    _front(
        toolstack="virtual-device device-type trusted",
        word="ring-page-order ring-ref ring-ref{q} event-channel queue-{q}/ring-ref queue-{q}/ring-ref{q}"
        " queue-{q}/event-channel multi-queue-num-queues",
        text="protocol",
        flag="feature-persistent feature-large-sector-size",
    ),
    _back(
        toolstack="params script removable bootable dev type mode device-type direct-io-safe discard-enable"
        " specification transport base irq grant_usage",
        word="feature-max-indirect-segments multi-queue-max-queues max-ring-page-order max-ring-pages"
        " discard-granularity discard-alignment sector-size physical-sector-size info",
        number="sectors",
        flag="feature-flush-cache feature-barrier feature-discard discard-secure feature-persistent",
    )
    + _nodes(SCRIPT, device="physical-device", path="physical-device-path node", text="hotplug-status hotplug-error"),
)
VIF = DeviceClass(
    "vif",
    ("vif",),
    (
        *_front(
            toolstack="handle mac trusted",
            word="multi-queue-num-queues tx-ring-ref rx-ring-ref event-channel event-channel-tx event-channel-rx"
            " queue-{q}/tx-ring-ref queue-{q}/rx-ring-ref queue-{q}/event-channel queue-{q}/event-channel-tx"
            " queue-{q}/event-channel-rx xdp-headroom ctrl-ring-ref event-channel-ctrl",
            flag="request-rx-copy feature-rx-notify feature-sg feature-gso-tcpv4 feature-gso-tcpv6"
            " feature-no-csum-offload feature-ipv6-csum-offload request-multicast-control",
        ),
        *_nodes(TOOLSTACK, word="mtu"),
    ),
    _back(
        toolstack="script vifname forwarddev ip gatewaydev rate mtu vlan bridge type",
        flag="feature-sg feature-gso-tcpv4 feature-gso-tcpv6 feature-ipv6-csum-offload feature-rx-copy feature-rx-flip"
        " feature-xdp-headroom feature-multicast-control feature-dynamic-multicast-control"
        " feature-split-event-channels feature-ctrl-ring",
        word="multi-queue-max-queues",
    )
    + _nodes(TOOLSTACK, mac="mac", word="handle")
    + _nodes(SCRIPT, text="hotplug-status hotplug-error"),
    FRONTEND_AT_ONCE,
)
CONSOLE = DeviceClass(
    "console",
    ("console",),
    (
        *_front(toolstack="protocol", word="ring-ref port"),
        *_nodes(TOOLSTACK, text="name type output", number="limit"),
        *_nodes(BACK, path="tty"),
    ),
    _back(toolstack="protocol name connection path", path="tty"),
)
"""Consoles 1 to 9, which are also called channels; the primary console knows no states."""
NINEPFS = DeviceClass(
    "9pfs",
    ("9pfs", "xen_9pfs"),
    _front(toolstack="tag", word="version num-rings ring-ref{q} event-channel-{q}"),
    _back(
        toolstack="path security_model max-space max-files max-open-files auto-delete",
        text="versions",
        word="max-rings max-ring-page-order",
    ),
)
PVCALLS = DeviceClass(
    "pvcalls",
    ("pvcalls",),
    _front(word="version port ring-ref"),
    _back(text="versions", word="max-page-order", flag="function-calls"),
)
VKBD = DeviceClass(
    "vkbd",
    ("vkbd", "vinput"),
    _front(
        number="page-ref",
        word="page-gref event-channel",
        flag="request-abs-pointer request-raw-pointer request-multi-touch",
    ),
    _back(toolstack="unique-id")
    + _nodes(
        TOOLSTACK,
        flag="feature-disable-keyboard feature-disable-pointer feature-abs-pointer feature-raw-pointer"
        " feature-multi-touch",
        word="multi-touch-width multi-touch-height multi-touch-num-contacts width height",
    ),
    FRONTEND_TOLERANT,
)
VDISPL = DeviceClass(
    "vdispl",
    ("vdispl",),
    (
        *_front(
            toolstack="be-alloc {n}/resolution {n}/unique-id",
            may=False,
            word="version {n}/req-ring-ref {n}/req-event-channel {n}/evt-ring-ref {n}/evt-event-channel",
        ),
    ),
    _back(text="versions"),
)
_SOUND = "sample-rates sample-formats channels-min channels-max buffer-size"
VSND = DeviceClass(
    "vsnd",
    ("vsnd",),
    _front(
        toolstack=" ".join(
            ["long-name short-name {n}/name {n}/{q}/type {n}/{q}/unique-id"]
            + [f"{prefix}{name}" for prefix in ("", "{n}/", "{n}/{q}/") for name in _SOUND.split()]
        ),
        word="version {n}/{q}/ring-ref {n}/{q}/event-channel {n}/{q}/evt-ring-ref {n}/{q}/evt-event-channel",
    ),
    _back(text="versions"),
)

CLASSES = {each.kind: each for each in (VBD, VIF, CONSOLE, NINEPFS, PVCALLS, VKBD, VDISPL, VSND)}
"""All classes by the name of their front ends."""
