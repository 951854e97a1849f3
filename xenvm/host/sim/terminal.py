"""The console client of a simulated host: a terminal on one side, the world's own console daemon on the other.

There is no pseudo-terminal, as nobody would be at its other end between two commands. The world goes on while a client
is attached, at the pace of the clock on the wall.
"""

from __future__ import annotations

import os
import select

from xenvm.errors import DeviceError
from xenvm.host.plumbing.console import ESCAPE, RawTerminal
from xenvm.host.sim.consoled import Consoled, GuestConsole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.sim.world import World
    from xenvm.types import Domid

_TICK = 0.05
"""Seconds after which the world is looked at, if nobody types."""
_CHUNK = 4096


class Terminals:
    """See xenvm.host.plumbing.console."""

    def __init__(self, world: World) -> None:
        self._world = world

    def attach(
        self,
        tty_path: str,
        *,
        domid: Domid,
        number: int = 0,
        escape: int = ESCAPE,
        stdin: int = 0,
        stdout: int = 1,
    ) -> str:
        """Connects two descriptors to a console until one side ends, and says why: ``escape``, ``hangup``, ``closed``.

        Input that is no terminal may end; what the guest prints then is still shown until it has no more to say.

        :raises DeviceError: the guest has no such console.
        """
        self._world.settle()
        if number or self._console(domid) is None:
            raise DeviceError(f"console {number} of domain {domid}", "is not served on this simulated host")
        with RawTerminal(stdin) as terminal:
            return self._run(domid, stdin, stdout, bytes([escape]) if terminal.is_tty else b"")

    def _run(self, domid: Domid, stdin: int, stdout: int, escape: bytes) -> str:
        while (console := self._console(domid)) is not None:
            self._world.settle()
            _show(stdout, console.read())
            typed = self._typed(stdin)
            if typed is not None:
                head, found, _ = typed.partition(escape) if escape else (typed, b"", b"")
                console.type(head)
                self._world.settle()
                _show(stdout, console.read())
                if found:
                    return "escape"
                if not typed:
                    return "closed"
        return "hangup"

    def _typed(self, stdin: int) -> bytes | None:
        """What was typed, nothing at the end of the input, None if time has passed meanwhile."""
        if select.select([stdin], [], [], _TICK)[0]:
            return os.read(stdin, _CHUNK)
        self._world.advance(_TICK)
        return None

    def _console(self, domid: Domid) -> GuestConsole | None:
        for service in self._world.services:
            if isinstance(service, Consoled):
                return service.consoles.get(domid)
        return None


def _show(stdout: int, data: bytes) -> None:
    while data:
        data = data[os.write(stdout, data) :]
