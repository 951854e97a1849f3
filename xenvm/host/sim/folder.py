"""A simulated world between processes: one locked folder with a snapshot, and the guests' memory as files with holes.

All is written when a command ends; one that is killed has changed nothing. Nobody but its owner can read it.
"""

from __future__ import annotations

import os

from xenvm.errors import HostError
from xenvm.host.sim.bell import Bell, ring
from xenvm.host.sim.machine import DEFAULT, machine_from
from xenvm.host.sim.memory import Ram
from xenvm.host.sim.world import World, world_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from xenvm.host.sim.machine import Machine
    from xenvm.types import Domid

SNAPSHOT, MACHINE = "world.json", "machine.json"
PATIENCE = 1.0
"""Seconds after which somebody is told whom the folder is waited for."""
_HOLDER_MAX = 200
_FORMAT = 4
_RAM = "ram-"


def usual_folder() -> str:
    """Where a user's own world is: xenvm/sim in the user's state folder (XDG_STATE_HOME)."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "xenvm", "sim")


class WorldFolder:
    """The folder, locked from the beginning until `close`."""

    def __init__(self, path: str, tell: Callable[[str], object] = lambda _text: None, *, wait: bool = True) -> None:
        """Waits until no other process has it, and tells who has it if that takes long.

        HostError if it cannot be used. BlockingIOError if another process has it, where that is not to be waited for.
        """
        self._tell = tell
        self.path = os.path.abspath(path)
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            if os.stat(self.path).st_uid != os.geteuid():
                raise HostError(f"{self.path} belongs to somebody else: it cannot keep a simulated host")
            self._lock = self._take_lock(wait)
        except BlockingIOError:
            raise
        except OSError as error:
            raise HostError(f"{self.path} cannot keep a simulated host: {error.strerror}") from error
        self._text = self._bell = ""

    def _take_lock(self, wait: bool) -> int:
        import fcntl

        fd = os.open(self._file("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    raise
                self._wait_for(fd)
            _write_holder(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _wait_for(self, fd: int) -> None:
        """Waits for the lock; a thread tells of it when that takes long."""
        from _thread import allocate_lock, start_new_thread
        from fcntl import LOCK_EX, flock

        waiting = allocate_lock()
        waiting.acquire()

        def tell_late() -> None:
            if not waiting.acquire(timeout=PATIENCE):
                self._tell(f"waiting for the simulated host in {self.path}, which {_holder(fd)} has")

        start_new_thread(tell_late, ())
        try:
            flock(fd, LOCK_EX)
        finally:
            waiting.release()

    def load(self, fields: Mapping[str, object] | None = None) -> World:
        """The world as it was left, or a new one, made of `fields` and what `machine.json` says.

        HostError if it is another one than `fields` say.
        """
        wanted = dict(fields or {})
        try:
            with open(self._file(SNAPSHOT), encoding="utf-8") as file:
                self._text = file.read()
        except FileNotFoundError:
            return World(self._machine().replace(**wanted), ram=self._ram, files=lambda: self.path)
        state = _parse(self._text, self._file(SNAPSHOT))
        if state.get("format") != _FORMAT:
            raise HostError(f"{self._file(SNAPSHOT)} was written by another version of xenvm: remove {self.path}")
        self._check(state, wanted)
        return world_from(state, ram=self._ram, files=lambda: self.path)

    def _check(self, state: dict[str, Any], wanted: dict[str, object]) -> None:
        """A world keeps its machine."""
        machine = machine_from(state["machine"]).as_dict() if wanted else {}
        for name, value in wanted.items():
            if machine[name] != value:
                there = f"{name}={_shown(machine[name])}"
                raise HostError(f"the simulated host in {self.path} has {there}, and cannot have {_shown(value)}")

    def save(self, world: World) -> None:
        """Writes the snapshot, if anything has changed; whole or not at all."""
        from json import dumps

        text = dumps({"format": _FORMAT, **world.state()}, separators=(",", ":"))
        if text == self._text:
            return
        for domain in world.hyper.all.values():
            domain.ram.save()
        fresh = self._file(SNAPSHOT + ".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(fresh, self._file(SNAPSHOT))
        self._text = text
        self._sweep({f"{_RAM}{domid}" for domid in world.hyper.all})
        ring(self.path, self._bell)

    def bell(self) -> Bell:
        """What rings when another process has changed the world, once this one has let it go."""
        bell = Bell(self.path)
        self._bell = bell.path
        return bell

    def close(self) -> None:
        """Lets others have it."""
        fd, self._lock = self._lock, -1
        if fd >= 0:
            os.ftruncate(fd, 0)
            os.close(fd)

    def _sweep(self, wanted: set[str]) -> None:
        """Removes the memory of guests that are no more."""
        for name in os.listdir(self.path):
            if name.startswith(_RAM) and name not in wanted:
                os.unlink(self._file(name))

    def _ram(self, domid: Domid, written: Iterable[tuple[int, int]]) -> Ram:
        return Ram(self._file(f"{_RAM}{domid}"), written)

    def _machine(self) -> Machine:
        try:
            with open(self._file(MACHINE), encoding="utf-8") as file:
                return machine_from(_parse(file.read(), self._file(MACHINE)))
        except FileNotFoundError:
            return DEFAULT

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def _write_holder(fd: int) -> None:
    """Leaves in the lock's file who has it: the process, and its command."""
    import sys

    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    words = ["xenvm" if name == "__main__.py" else name, *sys.argv[1:]]
    text = f"{os.getpid()} {' '.join(words)}"[:_HOLDER_MAX]
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode("utf-8", "backslashreplace"), 0)


def _holder(fd: int) -> str:
    text = os.pread(fd, 4 * _HOLDER_MAX, 0).decode("utf-8", "replace")
    pid, _, command = "".join(c if c.isprintable() else "?" for c in text).partition(" ")
    return f"process {pid} ({command})" if pid.isdecimal() else "another process"


def _shown(value: object) -> str:
    """A field of a machine as a choice has it."""
    if isinstance(value, tuple):
        return ("." if all(isinstance(part, int) for part in value) else ",").join(map(str, value))
    return str(value)


def _parse(text: str, path: str) -> dict[str, Any]:
    from json import loads

    try:
        fields = loads(text)
    except ValueError as error:
        raise HostError(f"{path} is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise HostError(f"{path} does not describe a simulated host")
    return fields
