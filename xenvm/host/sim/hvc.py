"""A simulated kernel's console, hvc0: prints to the ring as fast as the daemon takes it, and reads what is typed."""

from __future__ import annotations

from xenbus.bytering import CONSOLE_IN, CONSOLE_OUT, ByteReader, ByteWriter
from xenbus.errors import RingError
from xenvm.host.hyper import PARAM_CONSOLE_EVTCHN, PARAM_CONSOLE_PFN
from xenvm.types import Gfn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.sim.sides import GuestSide

BUFFER_MAX = 1 << 16
"""Bytes that wait for the daemon; what comes on top of that is lost, as in a kernel's own log buffer."""


class Console:
    """The primary console; `port` is its event channel."""

    def __init__(self, side: GuestSide) -> None:
        page = side.page(Gfn(side.param(PARAM_CONSOLE_PFN)))
        self.port = side.param(PARAM_CONSOLE_EVTCHN)
        self.pending = bytearray()
        """What the ring had no room for."""
        self._side = side
        self._out, self._in = ByteWriter(page, CONSOLE_OUT), ByteReader(page, CONSOLE_IN)

    def print(self, text: str) -> None:
        """Puts text into the ring, as far as there is room; flush() does the rest."""
        room = BUFFER_MAX - len(self.pending)
        self.pending += text.replace("\n", "\r\n").encode("utf-8", "replace")[:room]
        self.flush()

    def flush(self) -> bool:
        """Puts what waits into the ring; whether anything went."""
        if not self.pending:
            return False
        try:
            sent = self._out.write(bytes(self.pending))
        except RingError:
            sent = len(self.pending)  # A daemon that writes nonsense gets no more output.
        del self.pending[:sent]
        if sent:
            self._side.notify(self.port)
        return sent > 0

    def read(self) -> bytes:
        """What was typed since the last call."""
        try:
            data = self._in.read()
        except RingError:
            return b""
        if data:
            self._side.notify(self.port)
        return data
