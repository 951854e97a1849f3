"""A simulated host for a test: guests on it, its time, its faults, and what is left behind on it."""

from __future__ import annotations

import os
from errno import ENOMEM

from xenvm.errors import HostError, WaitTimeout
from xenvm.guest.load import load_text
from xenvm.host.sim.choice import Choice
from xenvm.host.sim.folder import WorldFolder
from xenvm.host.sim.host import SimHost
from xenvm.host.sim.image_file import arm64_image
from xenvm.host.trace import Tracer
from xenvm.testing.guest import Guest
from xenvm.testing.left import differences, traces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Any

    from xenbus.client import Store
    from xenvm.host.hyper import Hypervisor
    from xenvm.host.sim.back import GuestBackend
    from xenvm.host.sim.front import GuestFrontend
    from xenvm.host.sim.world import World

_MEMORY = 64
"""MiB of a guest, if nothing else is said."""


class XenHost:
    """One host. Nothing happens on it by itself: time passes when a test or a command waits, and takes no time."""

    def __init__(self, folder: str, **words: object) -> None:
        """`folder` is the host's own; `words` are those of ``--host sim:FOLDER?xen=4.17&gic=v2``. HostError."""
        self.folder = folder
        self._choice = Choice("?" + "&".join(f"{key}={_word(value)}" for key, value in words.items()))
        self._path = os.path.join(folder, "host")
        self._behaviour = f"?behaviour={words['behaviour']}" if words.get("behaviour") else ""
        self._kept: WorldFolder | None = None
        self._own = False
        """Whether something lives in it that no other process has."""
        self._open()
        self._before = traces(self.world)

    def _open(self) -> None:
        self._kept = WorldFolder(self._path)
        self.world: World = self._kept.load(self._choice.fields)
        """The simulated world, see docs/simulated.md."""
        self.world.behaviour = self._choice.behaviour or self.world.behaviour
        self.trace(Tracer(self.world.hyper))

    # For tests that use the library itself.

    @property
    def host(self) -> SimHost:
        """What the functions of xenvm.ops take. Closing it does no harm."""
        host = _Borrowed(self.world)
        host.intercept(self.tracer.hyper)
        return host

    @property
    def hyper(self) -> Hypervisor:
        """The hypervisor."""
        return self.tracer.hyper

    @property
    def store(self) -> Store:
        """Domain 0's connection to the store; waiting on it lets the world go on."""
        return self.world.store

    def connect(self, domid: int = 0) -> Store:
        """Another connection, of any domain that was introduced, or of domain 0."""
        return self.world.client(domid)

    def read(self, path: str) -> str | None:
        """A node's value as domain 0 sees it; None if it is not there."""
        value = self.world.store.read_or_none(path)
        return None if value is None else value.decode("utf-8", "replace")

    # Guests.

    def config(
        self, name: str = "guest", *, disks: int = 0, vifs: int = 0, behaviour: str = "", **settings: Any
    ) -> str:
        """Writes a configuration that works, and gives its path: 64 MiB, with `disks` of 1 MiB and `vifs`.

        `settings` are those of xl.cfg, and come on top; None leaves one out.
        """
        path = os.path.join(self.folder, f"{name}.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._text(name, disks, vifs, behaviour, settings))
        return path

    def create(self, name: str = "guest", *, paused: bool = False, **settings: Any) -> Guest:
        """Creates a guest, with what `config` takes, and lets the host come to rest."""
        from xenvm.ops.create import Options, create

        with open(self.config(name, **settings), encoding="utf-8") as file:
            spec = load_text(file.read(), f"{name}.cfg")[0]
        domid = create(self.host, spec, Options(paused=paused))
        self.world.settle()
        return Guest(self, domid)

    def guest(self, who: str | int) -> Guest:
        """A guest by its name or domid, whoever created it. NoSuchDomain."""
        from xenvm.ops.names import find_guest

        return Guest(self, find_guest(self.host, str(who)).domid)

    def guests(self) -> list[Guest]:
        """All guests, also those that have shut down."""
        return [Guest(self, info.domid) for info in self.world.hyper.domains() if info.domid]

    def disk(self, name: str, size: int = 1 << 20) -> str:
        """The path of an image file of zeros, made when it is not there yet."""
        path = os.path.join(self.folder, f"{name}.img")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.truncate(size)
        return path

    def kernel(self) -> str:
        """The path of a file that simulated guests boot: an arm64 Image by its header, without a program in it."""
        path = os.path.join(self.folder, "Image")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(arm64_image())
        return path

    def _text(self, name: str, disks: int, vifs: int, behaviour: str, settings: dict[str, Any]) -> str:
        letters = "abcdefghijklmnopqrstuvwxyz"
        values: dict[str, Any] = {
            "name": name,
            "kernel": self.kernel(),
            "memory": _MEMORY,
            "disk": [f"{self.disk(f'{name}-{n}')},raw,xvd{letters[n]},rw" for n in range(disks)] or None,
            "vif": [f"bridge={min(self.world.hyper.machine.bridges, default='xenbr0')}"] * vifs or None,
            "extra": f"xenvm.behaviour={behaviour}" if behaviour else None,
            **settings,
        }
        return "".join(f"{key} = {value!r}\n" for key, value in values.items() if value is not None)

    # Time.

    @property
    def now(self) -> float:
        """The host's time, in seconds."""
        return self.world.now

    def settle(self) -> None:
        """Lets everybody do what can be done now; no time passes."""
        self.world.settle()

    def advance(self, seconds: float) -> None:
        """Lets time pass, and all that happens in it."""
        self.world.advance(seconds)

    def wait(self, until: Callable[[], Any], what: str = "", seconds: float = 60.0) -> Any:
        """Lets time pass until `until()` is true, and gives what it said; WaitTimeout after so many simulated seconds.

        `what` names it in the error.
        """
        deadline = self.now + seconds
        self.world.settle()
        while not (said := until()):
            if self.now >= deadline:
                raise WaitTimeout(
                    f"{what or 'what the test waits for'} did not come within {seconds:g} simulated seconds"
                )
            self.world.idle(deadline - self.now)
        return said

    def wait_for(self, path: str, value: str | None, seconds: float = 60.0) -> None:
        """Waits until a node has a value, or is gone (None)."""
        what = f"{path} = {value!r}" if value is not None else f"the end of {path}"
        try:
            self.wait(lambda: self.read(path) == value, what, seconds)
        except WaitTimeout as error:
            error.add_note(f"it is {self.read(path)!r}")
            raise

    # Faults.

    def trace(self, tracer: Tracer) -> None:
        """Puts a new tracer in front of the hypervisor."""
        self.tracer = tracer

    @property
    def calls(self) -> list[str]:
        """The hypercalls so far, as text, the arguments in their order."""
        return self.tracer.lines()

    def fail(self, operation: str, error: int | BaseException = ENOMEM, *, call: int = 1, after: bool = False) -> None:
        """Makes the `call`-th next hypercall of this name fail; `after`: it is done, and then fails.

        An exception such as KeyboardInterrupt() is as if the process were ended there. `calls` shows the names.
        """
        if not callable(getattr(self.world.hyper, operation, None)):
            raise HostError(f"there is no hypercall {operation!r} to fail")
        done = sum(known.operation == operation for known in self.tracer.calls)
        (self.tracer.fail_after if after else self.tracer.fail)((operation, done + call), error)

    def left(self) -> list[str]:
        """What is there that was not there at the beginning, a sentence each: domains, memory, nodes, files..."""
        self.world.settle()
        return differences(self._before, traces(self.world))

    # Back ends under test, and other processes.

    def serve(self, kind: str, probe: Callable[..., GuestBackend | None]) -> None:
        """Puts a back end of one's own in the place of the host's: all devices of a kind, such as ``vbd``.

        `probe` is that of a subclass of xenvm.host.sim.back.GuestBackend, see docs/drivers.md.
        """
        from xenvm.host.sim.back import BackDriver

        driver = BackDriver(kind, self.world.peer_client(), self.world.back_side(), probe)
        places = [n for n, known in enumerate(self.world.services) if getattr(known, "kind", None) == kind]
        for place in places:
            getattr(self.world.services[place], "close", lambda: None)()
            self.world.services[place] = driver
        if not places:
            self.world.services.append(driver)
        self._own = True
        self.world.settle()

    def drive(self, kind: str, driver: type[GuestFrontend]) -> None:
        """Has guests that start from now on use a front end of one's own for all devices of a kind."""
        self.world.drivers = {**self.world.drivers, kind: driver}
        self._own = True

    def lend(self) -> AbstractContextManager[dict[str, str]]:
        """Lets other processes have the host: ``with host.lend() as environment``, for subprocess.run(env=...)."""
        from contextlib import contextmanager

        @contextmanager
        def lending() -> Iterator[dict[str, str]]:
            if self._own:
                raise HostError("a host with drivers of this test's own cannot be lent: they live in this process")
            self._keep()
            try:
                yield {**os.environ, "XENVM_HOST": f"sim:{self._path}{self._behaviour}"}
            finally:
                self._open()

        return lending()

    def _keep(self) -> None:
        assert self._kept is not None
        self._kept.save(self.world)
        self._end()

    def _end(self) -> None:
        self.world.close()
        if self._kept is not None:
            self._kept.close()
        self._kept = None

    def close(self) -> None:
        """The end of the host."""
        if self._kept is not None:
            self._end()


class _Borrowed(SimHost):
    """The host of one command: its own connection to the store, and nothing ends with it but that."""

    _mine: Store | None = None

    @property
    def store(self) -> Store:
        """A connection of domain 0."""
        if self._mine is None:
            self._mine = self.world.client()
        return self._mine

    def reconnect(self) -> None:
        """A new connection to the store."""
        self.close()

    def close(self) -> None:
        """The end of the command."""
        store, self._mine = self._mine, None
        if store is not None:
            store.close()
        self.world.settle()


def _word(value: object) -> str:
    """A value as the command line has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
