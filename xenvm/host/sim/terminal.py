"""The console client of a simulated host: a terminal on one side, the world's own console daemon on the other.

There is no pseudo-terminal, as nobody would be at its other end between two commands. The world goes on while a client
is attached, at the pace of the clock on the wall. Once it is at rest, and nobody types, others may have it.
"""

from __future__ import annotations

import os
import select

from xenvm.errors import DeviceError
from xenvm.host.plumbing.console import ESCAPE, RawTerminal
from xenvm.host.plumbing.locks import FileLock
from xenvm.host.sim.consoled import Consoled, GuestConsole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from xenvm.host.sim.bell import Bell
    from xenvm.host.sim.world import World
    from xenvm.types import Domid

    class Turns(Protocol):
        """Who lets others have the world, see xenvm.host.sim.host."""

        def let_go(self) -> Bell | None: ...
        def take_up(self) -> World | None: ...


_TICK = 0.05
"""Seconds after which the world is looked at, if nobody types."""
_QUIET = 6
"""So many ticks without a key, in a world at rest, make room for others: less would interrupt who types."""
_BUSY = 18
"""So many, where the world is not at rest, make room for a moment: a second of others' time."""
_CHUNK = 4096
_PIECE = 256
"""So much any terminal or pipe takes that takes something."""
_TYPE_AHEAD = 1 << 16


class Terminals:
    """See xenvm.host.plumbing.console."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.turns: Turns | None = None
        """Nobody where the world is not to be shared."""

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

        :raises DeviceError: the guest has no such console, or another client has it.
        """
        self._world.settle()
        device = f"console {number} of domain {domid}"
        if number or _console(self._world, domid) is None:
            raise DeviceError(device, "is not served on this simulated host")
        try:
            lock = FileLock(os.path.join(self._world.files(), f"console.{domid}"), wait=False)
        except BlockingIOError as error:
            raise DeviceError(device, "is already in use by another client") from error
        with lock, RawTerminal(stdin) as terminal:
            end = bytes([escape]) if terminal.is_tty else b""
            return _Session(self._world, self.turns, domid, stdin, stdout, end).run()


class _Session:
    """One client, until it ends; `escape` is empty where the input is no terminal."""

    def __init__(self, world: World, turns: Turns | None, domid: Domid, stdin: int, stdout: int, escape: bytes) -> None:
        self._world, self._turns, self._domid = world, turns, domid
        self._stdin, self._stdout, self._escape = stdin, stdout, escape
        self._ahead = self._unshown = b""
        """What was typed while another process had the world; what our output has not taken yet."""
        self._quiet = 0

    def run(self) -> str:
        """Why it ended."""
        while (console := _console(self._world, self._domid)) is not None:
            self._world.settle()
            self._show(console)
            typed = self._typed()
            if typed is None:
                if self._quiet % _QUIET == 0 and (why := self._make_room(console)):
                    return why
                continue
            head, found, _ = typed.partition(self._escape) if self._escape else (typed, b"", b"")
            console.type(head)
            self._world.settle()
            if found or not typed:
                self._leave(console.read())
                return "escape" if found else "closed"
        self._leave(b"")
        return "hangup"

    def _show(self, console: GuestConsole) -> None:
        """Shows what the output takes at once: who does not read must not stop the world."""
        while self._unshown or (data := console.read()):
            self._unshown = self._unshown or data
            if not select.select([], [self._stdout], [], 0)[1]:
                return
            self._unshown = self._unshown[os.write(self._stdout, self._unshown[:_PIECE]) :]

    def _leave(self, more: bytes) -> None:
        """Shows what is left, however long that takes: others need not wait for it."""
        bell = self._turns.let_go() if self._turns is not None else None
        if bell is not None:
            bell.close()
        rest = self._unshown + more
        while rest:
            rest = rest[os.write(self._stdout, rest) :]

    def _typed(self) -> bytes | None:
        """What was typed, nothing at the end of the input; None if time has passed meanwhile, or output is taken."""
        self._quiet += 1
        typed, self._ahead = self._ahead, b""
        takers = [self._stdout] if self._unshown else []
        readable, writable, _ = ([], [], []) if typed else select.select([self._stdin], takers, [], _TICK)
        if readable:
            typed = os.read(self._stdin, _CHUNK)
        if typed or readable:
            self._quiet = 0
            return typed
        if not writable:
            self._world.advance(_TICK)
        return None

    def _make_room(self, console: GuestConsole) -> str:
        """Lets others have the world until one has changed it, or somebody types; why the session ends, if it does."""
        pause = None if self._unshown or self._world.at_rest() else _TICK
        if self._turns is None or (pause and self._quiet < _BUSY):
            return ""
        self._quiet = 0
        log = os.open(f"/proc/self/fd/{console.log_fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.lseek(log, max(0, os.fstat(log).st_size - len(console.unread)), os.SEEK_SET)
            if (bell := self._turns.let_go()) is None:
                return ""
            with bell:
                select.select([self._stdin, bell.fileno()], [self._stdout] if self._unshown else [], [], pause)
            while (world := self._turns.take_up()) is None:
                if self._escapes():
                    return "escape"
            self._world = world
            if _console(world, self._domid) is None:
                while data := os.read(log, _CHUNK):
                    self._unshown += data  # its last words
        finally:
            os.close(log)
        return ""

    def _escapes(self) -> bool:
        """Waits a little; whether who sits at a terminal wants to leave. What a pipe has can wait."""
        if self._escape and len(self._ahead) < _TYPE_AHEAD:
            if _readable(self._stdin):
                self._ahead += os.read(self._stdin, _CHUNK) or self._escape
        else:
            select.select([], [], [], _TICK)
        return bool(self._escape) and self._escape in self._ahead


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], _TICK)[0])


def _console(world: World, domid: Domid) -> GuestConsole | None:
    for service in world.services:
        if isinstance(service, Consoled):
            return service.consoles.get(domid)
    return None
