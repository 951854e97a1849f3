"""What a value means, by what its path is: states by name, devices by number, shared pages and event channels.

Nodes as in public/io/*.h and docs/misc/xenstore-paths.pandoc; whatever is not what it should be means nothing.
"""

from __future__ import annotations

from xenbus.bus import state_name
from xenbus.parse import STATE_MAX, parse_decimal, parse_domid, parse_mac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def meaning(path: str, untrusted: bytes | None) -> str | None:
    """The value in words, None if it says all by itself."""
    if untrusted is None:
        return None
    names = path.split("/")
    if names[-1] == "state":
        return _state(path, untrusted)
    if names[-1] in _IN_FOLDERS and len(names) > 1:
        rule = _IN_FOLDERS[names[-1]].get(names[-2])
        if rule is not None:
            return rule(untrusted)
    rule = _RULES.get(names[-1].rstrip("0123456789"))
    return None if rule is None else rule(untrusted)


def state_of(path: str, untrusted: bytes | None) -> int | None:
    """The XenbusState that a node tells, if it is an end's state; see `is_state`."""
    return parse_decimal(untrusted, maximum=STATE_MAX) if is_state(path) else None


def is_state(path: str) -> bool:
    """Whether a node is the live state of a device's front or back end."""
    match path.split("/"):
        case ["", "local", "domain", _, "device", _, _, "state"]:
            return True
        case ["", "local", "domain", _, "backend", _, _, _, "state"]:
            return not _is_daemons(path)
    return False


def _is_daemons(path: str) -> bool:
    """Whether a back end is the console daemon's: it serves the first console and the vuart by no handshake."""
    match path.split("/"):
        case [*_, "backend", "console", _, "0", "state"] | [*_, "backend", "vuart", _, _, "state"]:
            return True
    return False


def _state(path: str, untrusted: bytes) -> str | None:
    number = parse_decimal(untrusted, maximum=STATE_MAX)
    if number is None:
        return None
    if is_state(path):
        return state_name(number)
    if _is_daemons(path):
        return f"{state_name(number)}, and stays so: the console daemon keeps no state"
    if path.startswith("/libxl/"):
        return f"{state_name(number)}, as it was at creation: never the live state"
    return None


def disk_name(number: int) -> str | None:
    """The disk of a virtual device number: 51712 is ``xvda``, 51713 ``xvda1`` (docs/man/xen-vbd-interface.7)."""
    if number >> 28 == 1:
        disk, part = number >> 8 & 0xFFFFF, number & 0xFF
        return _named("xvd", disk, part)
    major, minor = number >> 8, number & 0xFF
    if major in (8, 202):
        return _named("sd" if major == 8 else "xvd", minor >> 4, minor & 15)
    if major in (3, 22):
        return _named("hd", (minor >> 6) + (2 if major == 22 else 0), minor & 63) if minor < 128 else None
    return None


def _named(prefix: str, disk: int, part: int) -> str:
    letters = ""
    disk += 1
    while disk:
        disk, digit = divmod(disk - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return f"{prefix}{letters}{part or ''}"


def _number(text: str, maximum: int = 0xFFFFFFFF) -> Callable[[bytes], str | None]:
    def rule(untrusted: bytes) -> str | None:
        number = parse_decimal(untrusted, maximum=maximum)
        return None if number is None else text.format(number)

    return rule


def _frame(untrusted: bytes) -> str | None:
    number = parse_decimal(untrusted)
    return None if number is None else f"frame {number:#x}"


def _domain(untrusted: bytes) -> str | None:
    domid = parse_domid(untrusted)
    return None if domid is None else f"domain {domid}"


def _disk(untrusted: bytes) -> str | None:
    number = parse_decimal(untrusted, maximum=2**29 - 1)
    return None if number is None else disk_name(number)


def _physical(untrusted: bytes) -> str | None:
    """Hexadecimal major and minor number."""
    parts = untrusted.split(b":") if len(untrusted) <= 16 else []
    if len(parts) != 2 or not all(part and not part.strip(b"0123456789abcdefABCDEF") for part in parts):
        return None
    major, minor = (int(part, 16) for part in parts)
    return f"loop{minor}" if major == 7 else f"major {major}, minor {minor}"


_MAC_MAKERS = {"00:16:3e": "Xen's own range", "fe:ff:ff": "a back end's end of the link"}


def _mac(untrusted: bytes) -> str | None:
    mac = parse_mac(untrusted)
    if mac is None:
        return "no MAC address"
    kind = "a group address, which no interface may have" if int(mac[:2], 16) & 1 else ""
    local = "assigned by hand" if int(mac[:2], 16) & 2 else ""
    return _MAC_MAKERS.get(mac[:8]) or kind or local or None


def _kib(untrusted: bytes) -> str | None:
    number = parse_decimal(untrusted)
    return None if number is None else f"{number / 1024:g} MiB"


def _sectors(untrusted: bytes) -> str | None:
    number = parse_decimal(untrusted)
    return None if number is None else f"{number / 2048:g} MiB"


def _choice(**words: str) -> Callable[[bytes], str | None]:
    by_value = {value.lstrip("_").encode(): word for value, word in words.items()}
    return by_value.get


_RULES: dict[str, Callable[[bytes], str | None]] = {
    **dict.fromkeys(("ring-ref", "tx-ring-ref", "rx-ring-ref", "ctrl-ring-ref", "evt-ring-ref", "req-ring-ref",
                     "page-ref", "gref"), _number("grant {}")),
    **dict.fromkeys(("event-channel", "event-channel-tx", "event-channel-rx", "event-channel-ctrl",
                     "evt-event-channel", "req-event-channel"), _number("event channel {}")),
    **dict.fromkeys(("backend-id", "frontend-id", "domid"), _domain),
    "virtual-device": _disk,
    "physical-device": _physical,
    "mac": _mac,
    "sectors": _sectors,
    "online": _choice(_1="the device is to stay", _0="the device is to go"),
    "ring-page-order": _number("2^{} pages"),
}  # fmt: skip
_IN_FOLDERS: dict[str, dict[str, Callable[[bytes], str | None]]] = {
    # The toolstack's two rings are told by their frames, and by ports that Xen made.
    "ring-ref": {"console": _frame, "store": _frame},
    "port": {"console": _number("event channel {}"), "store": _number("event channel {}")},
    "static-max": {"memory": _kib},
    "target": {"memory": _kib},
    "videoram": {"memory": _kib},
}
