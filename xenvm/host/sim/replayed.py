"""The simulated drivers on a stage: they answer a recording, with memory, grants and ports that nobody shares.

What they refuse of what the other end wrote, real ones refuse too; the disk and the bridge are stand-ins.
"""

from __future__ import annotations

from xenbus.devices import BACK
from xenbus.playback import plain
from xenvm.host.sim.back_block import BlockBack, Image
from xenvm.host.sim.back_net import NetBack
from xenvm.host.sim.front_block import BlockFront
from xenvm.host.sim.front_net import NetFront
from xenvm.host.sim.guestpages import Pages
from xenvm.types import PAGE_SIZE, Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from xenbus.devicebus import Bus
    from xenbus.driver import End
    from xenbus.playback import Make

_SECTORS = 2048
_ELSEWHERE = {
    "ring-ref": ("ring-ref0", "queue-0/ring-ref", "queue-0/ring-ref0"),
    "tx-ring-ref": ("queue-0/tx-ring-ref",),
    "rx-ring-ref": ("queue-0/rx-ring-ref",),
    "event-channel": ("event-channel-tx", "queue-0/event-channel", "queue-0/event-channel-tx"),
}
"""Where front ends tell it that the recorded back end has offered more: queues, larger rings, split event channels."""


class EmptySide:
    """What a driver needs of GuestSide and BackSide: pages of zeros, and numbers that count up."""

    def __init__(self) -> None:
        self._last = 7
        self._pages: dict[int, bytearray] = {}

    def _number(self, *_of: object, **_options: object) -> int:
        self._last += 1
        return self._last

    grant = alloc_unbound = bind = _number

    def page(self, gfn: int) -> memoryview:
        """See GuestSide."""
        return memoryview(self._pages.setdefault(gfn, bytearray(PAGE_SIZE)))

    def map_grant(self, _domid: int, ref: int, readonly: bool = False) -> memoryview:
        """See BackSide."""
        return self.page(ref)

    def end_grant(self, _ref: int) -> bool:
        """See GuestSide."""
        return True

    def _nothing(self, *_of: object) -> None:
        pass

    notify = unbind = close_port = unmap_grant = write = _nothing

    def pending(self) -> set[int]:
        """See both."""
        return set()


class _AnyPages(Pages):
    """Pages without end."""

    def __init__(self) -> None:
        self._next, self._free = 0, []

    def take(self) -> Gfn:
        """See Pages."""
        self._next += 1
        return Gfn(self._next)


class _Blank(Image):
    """A disk without a file."""

    def __init__(self) -> None:
        self.writable, self.sectors = True, _SECTORS

    def close(self) -> None:
        """See Image."""


def _found(names: Sequence[str], read: Callable[..., list[bytes | None]]) -> list[bytes | None]:
    """Values of nodes, or of those that stand for them."""
    return [
        next((value for value in read(name, *_ELSEWHERE.get(name, ())) if value is not None), None) for name in names
    ]


class _Disk(BlockBack):
    def read_peer(self, *names: str) -> list[bytes | None]:
        """See End."""
        return _found(names, super().read_peer)

    def _open_image(self) -> None:
        self.image = self.image or _Blank()


class _Vif(NetBack):
    def read_peer(self, *names: str) -> list[bytes | None]:
        """See End."""
        return _found(names, super().read_peer)


def drivers(side: str) -> Make:
    """The simulated driver of each kind for a device's end, where there is one, else the handshake alone."""

    def make(bus: Bus, path: str, kind: str) -> End | None:
        found: Any = (_BACKS if side == BACK else _FRONTS).get(kind)
        if found is None:
            return plain(bus, path, kind, side)
        end = found.probe(bus, path)
        if end is not None:
            (_back if side == BACK else _front)(end)
        return end  # type: ignore[no-any-return]

    return make


def _back(end: Any) -> None:
    end.side, end.trouble, end.bridges = EmptySide(), str, {}


def _front(end: Any) -> None:
    end.attach(EmptySide(), _AnyPages(), lambda _message: None)
    end.goes_on()


_BACKS = {"vbd": _Disk, "vif": _Vif}
_FRONTS = {"vbd": BlockFront, "vif": NetFront}
