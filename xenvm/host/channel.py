"""Channels: consoles of a guest besides the primary one, each to a terminal or a socket of this host.

xenconsoled serves the primary console only; libxl has QEMU serve the others. The ring is that of public/io/console.h.
"""

from __future__ import annotations

import select

from xenbus.bytering import CONSOLE_IN, CONSOLE_OUT, ByteReader, ByteWriter
from xenbus.errors import DeviceFault
from xenbus.parse import parse_text
from xenbus.path import basename
from xenbus.request import Write
from xenvm.host.back import BackDriver, GuestBackend
from xenvm.host.channel_ends import Pty, Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from xenbus.client import Store
    from xenbus.devicebus import Bus
    from xenbus.request import Request
    from xenbus.transaction import Transaction
    from xenvm.host.back import BackSide
    from xenvm.host.channel_ends import ChannelEnd

KIND = "console"
KEPT = 1 << 16
"""Bytes from the guest that wait for somebody who reads; of more, the oldest are lost: a guest never waits for us."""


class ChannelBack(GuestBackend):
    """One channel."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ref: int | None = None
        self._out: ByteReader | None = None
        self._in: ByteWriter | None = None
        self._end: ChannelEnd | None = None
        self._kept = b""
        self._typed = b""

    @classmethod
    def probe(cls, bus: Bus, path: str) -> Self | None:
        """The primary console is not ours."""
        return None if basename(path) == "0" else super().probe(bus, path)

    def connect(self) -> Mapping[str, object]:
        """Maps the ring, opens the other end, and tells where it is: here, and where console clients look."""
        ref, port = self.read_peer("ring-ref", "port")
        self._end = self._open()
        self._ref, page = self.map_ring(ref)
        self._out, self._in = ByteReader(page, CONSOLE_OUT), ByteWriter(page, CONSOLE_IN)
        self.bind_port(port)
        self.store.transact(self._tell_terminal(self._end.name))
        self.bus.kick(self)
        return {"tty": self._end.name}

    def _open(self) -> ChannelEnd:
        connection, path = map(parse_text, self.read("connection", "path"))
        if connection == "pty":
            return Pty()
        if connection == "socket" and path:
            return Socket(path)
        raise DeviceFault(f"{self.path} says neither pty nor socket with a path")

    def _tell_terminal(self, name: str) -> Any:
        def body(tx: Transaction) -> list[Request]:
            # The toolstack made it, so it is not the guest's; of a device that goes now nothing must come back.
            there = tx.read_or_none(f"{self.peer}/tty") is not None
            return [Write(f"{self.peer}/tty", name)] if name and there else []

        return body

    def release(self) -> None:
        """Unmaps the ring and closes the other end."""
        for ring in (self._out, self._in):
            if ring:
                ring.close()
        self._out = self._in = None
        if self._ref is not None:
            self.side.unmap_grant(self.remote, self._ref)
            self._ref = None
        if self._end:
            self._end.close()
            self._end = None

    def descriptors(self) -> dict[int, int]:
        """What to wait for: room only where something waits for it."""
        if self._end is None:
            return {}
        wanted = (0 if self._typed else select.POLLIN) | (select.POLLOUT if self._kept else 0)
        return self._end.descriptors(wanted)

    def serve(self) -> bool:
        """Moves what there is, both ways."""
        if not (self._out and self._in and self._end):
            return False
        came = self._out.read()
        self._kept = (self._kept + came)[-KEPT:]
        gone = self._end.write(self._kept) if self._kept else 0
        self._kept = self._kept[gone:]
        typed = b"" if self._typed else self._end.read()
        self._typed += typed
        taken = self._in.write(self._typed) if self._typed else 0
        self._typed = self._typed[taken:]
        self.tell(bool(came or taken))
        return bool(came or gone or typed or taken)


class ChannelDriver(BackDriver):
    """The driver of all channels."""

    def __init__(self, store: Store, side: BackSide) -> None:
        super().__init__(KIND, store, side, ChannelBack.probe)

    def step(self) -> bool:
        """Also looks at terminals and sockets."""
        for end in self.devices.values():
            self._bus.kick(end)
        return super().step()

    def descriptors(self) -> Mapping[int, int]:
        """See BackDriver."""
        found: dict[int, int] = {}
        for end in self.devices.values():
            if isinstance(end, ChannelBack):
                found.update(end.descriptors())
        return found
